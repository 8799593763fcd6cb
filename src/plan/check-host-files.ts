// Checks of files that are rendered on the host. Rule: whatever would fail there, or show a secret to others, is found here with its line.
import type { HostFile } from '../model/host-file.ts';
import { namesInTemplate } from '../model/host-file.ts';
import { didYouMean } from '../model/near.ts';
import { type Path, type Problem, problemAt } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { homesOf } from '../model/settings.ts';
import { isTemplate } from '../model/source-file.ts';
import type { BundleItem } from './bundle-items.ts';

export interface TemplateFacts {
  /** The texts of the templates, by source. */
  readonly texts: ReadonlyMap<string, string>;
  /** A source as people find it. */
  readonly label: (source: string) => string;
}

const RESERVED = ['.env', '.env.example', '.slipway', 'bundle.json', 'bundle.json.minisig', 'docker-compose.override.yml'];

/** Places that are taken, templates that cannot be filled, and secrets that everybody could read. */
export function checkHostFiles(product: Product, items: readonly BundleItem[], facts: TemplateFacts): Problem[] {
  const files = product.bundle?.hostFiles ?? [];
  return files.flatMap((file, index) => [
    ...checkPlace(product, items, index),
    ...checkTemplate(product, items, { file, at: ['bundle', 'hostFiles', index], ...facts }),
  ]);
}

function checkPlace(product: Product, items: readonly BundleItem[], index: number): Problem[] {
  const { bundle, env, source } = product;
  const files = bundle?.hostFiles ?? [];
  const path = files[index]?.path ?? '';
  const others = [
    ...items.map((item) => item.path),
    ...files.slice(0, index).map((file) => file.path),
    ...[...RESERVED, ...homesOf(env), ...(bundle?.userOwned ?? [])].map((name) => name.replace(/\/$/, '')),
  ];
  const taken = others.find((other) => isWithin(path, other) || isWithin(other, path));
  if (taken === undefined) return [];
  const message = `bundle.hostFiles: ${path} cannot be there, for ${taken} is`;
  return [problemAt(source, { code: 'E_NAME_TAKEN', path: ['bundle', 'hostFiles', index, 'to'], message, hint: 'Choose another path.' })];
}

interface Template extends TemplateFacts {
  readonly file: HostFile;
  readonly at: Path;
}

function checkTemplate(product: Product, items: readonly BundleItem[], { file, at, texts, label }: Template): Problem[] {
  const { env, source } = product;
  if (isTemplate(file.template)) {
    const message = `${file.template} would be rendered when it is packed`;
    return [problemAt(source, { code: 'E_TEMPLATE', path: [...at, 'from'], message, hint: 'Give it a name without .hbs.' })];
  }
  const from = items.find(({ path }) => path === file.template)?.from;
  const place = from !== undefined && 'file' in from ? from.file : file.template;
  const names = [...namesInTemplate(texts.get(place) ?? texts.get(file.template) ?? '')];
  const known = Object.keys(env);
  const unknown = names.filter(([name]) => !known.includes(name));
  const secret = names.find(([name]) => env[name]?.secret !== undefined || env[name]?.sensitive === true)?.[0];
  const isSaid = source.lines.has(`bundle.hostFiles[${at[2]}].mode`);
  const shown = `${file.path} would show the secret ${secret} to every account of the machine`;
  return [
    ...unknown.map(([name, line]): Problem => {
      const hint = didYouMean(name, known, 'Variables');
      return { severity: 'error', code: 'E_UNKNOWN_VARIABLE', message: `there is no variable ${name}`, hint, file: label(place), line };
    }),
    ...(secret === undefined || isSaid
      ? []
      : [problemAt(source, { code: 'E_SECRET_MODE', path: at, message: shown, hint: 'Say who may read it: mode: "0600", or "0644".' })]),
  ];
}

function isWithin(path: string, folder: string): boolean {
  return path.toLowerCase() === folder.toLowerCase() || path.toLowerCase().startsWith(`${folder.toLowerCase()}/`);
}
