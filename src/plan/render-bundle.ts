// The files of a bundle that are made: compose file, .env.example and every template. Rule: strict, LF, and all problems at once.
import { appendEnv, type EnvFile, envText } from '../model/env-file.ts';
import { renderEnvExample } from '../model/env-render.ts';
import { isToolError } from '../model/error.ts';
import { externalFeatures } from '../model/external.ts';
import { defaultFeatures, profilesOf } from '../model/feature.ts';
import { parseImageRef, pinImage, printImageRef, printTagged, type ResolvedImage, readRef } from '../model/image.ts';
import type { TableImage } from '../model/image-table.ts';
import { parseCount } from '../model/parse.ts';
import { type Problem, type ProblemCode, problemAt } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { withPlainRegistry, withRegistryVariable } from '../model/registry-variable.ts';
import { homesOf, MAIN_ENV, type Variables, variablesAt } from '../model/settings.ts';
import { isTemplate, renderedPath } from '../model/source-file.ts';
import { renderTemplate } from '../model/template.ts';
import { pinCompose } from './compose-pin.ts';

export const COMPOSE_FILE = 'docker-compose.yml';
export const EXAMPLE_FILE = '.env.example';

/** Which release is made. */
export interface ReleaseName {
  readonly version: string;
  readonly tag: string;
  readonly channel: string;
}

export interface RenderWish extends ReleaseName {
  readonly product: Product;
  /** The texts of compose file, env file and templates, by source. */
  readonly texts: ReadonlyMap<string, string>;
  /** Templates among the bundle's files. */
  readonly templates: readonly { readonly source: string; readonly path: string }[];
  readonly table: readonly TableImage[];
  /** What is known of the table's images; the others are written without a digest. */
  readonly resolved: readonly ResolvedImage[];
  /** A source as people find it. */
  readonly label: (source: string) => string;
}

export interface RenderedFile {
  /** Its place in the bundle. */
  readonly path: string;
  readonly text: string;
  /** What it was made from; undefined when there was no file. */
  readonly source: string | undefined;
}

export interface Rendered {
  readonly files: readonly RenderedFile[];
  readonly problems: readonly Problem[];
}

/** Renders everything that is made from text. What could not be rendered is missing, with a problem in its place. */
export function renderBundle(wish: RenderWish): Rendered {
  const problems: Problem[] = [];
  const files: RenderedFile[] = [];
  const add = (path: string, source: string | undefined, render: () => string): void => {
    try {
      files.push({ path, source, text: render().replaceAll('\r\n', '\n') });
    } catch (error) {
      problems.push(problemOf(error, wish, source));
    }
  };
  const { bundle, env } = wish.product;
  const [compose, another] = bundle?.compose ?? [];
  if (another !== undefined) problems.push(severalFiles(wish.product));
  else if (compose !== undefined && wish.texts.has(compose)) add(COMPOSE_FILE, compose, () => renderCompose(compose, wish));
  const example = bundle?.env;
  if (example === undefined) add(EXAMPLE_FILE, undefined, () => envText(mainExample(wish.product)));
  else if (wish.texts.has(example)) add(EXAMPLE_FILE, example, () => renderSource(example, wish));
  for (const home of homesOf(env).slice(1)) add(`${home}.example`, undefined, () => exampleOf(home, variablesAt(env, home)));
  for (const { source, path } of wish.templates) add(renderedPath(path), source, () => renderSource(source, wish));
  return { files, problems };
}

/** Services that a site may replace have profiles, which by hand must be on. */
function mainExample({ env, features, services }: Product): EnvFile {
  const example = renderEnvExample(variablesAt(env, MAIN_ENV));
  if (Object.keys(externalFeatures(services)).length === 0) return example;
  const value = profilesOf(features, defaultFeatures(features)).join(',');
  return appendEnv(example, 'Docker Compose', [{ name: 'COMPOSE_PROFILES', value, comment: 'What runs besides the rest.' }]);
}

function exampleOf(home: string, variables: Variables): string {
  return envText(renderEnvExample(variables, `Copy this file to ${home.slice(home.lastIndexOf('/') + 1)} and fill in the empty values.`));
}

/** The table's images with the digests that are known, as checks want them. */
export function pinnedImages({
  table,
  resolved,
}: Pick<RenderWish, 'table' | 'resolved'>): { name: string; reference: string; digest?: string }[] {
  return table.map(({ name, reference }) => {
    const digest = resolved.find((image) => image.name === name)?.digest;
    return { name, reference, ...(digest === undefined ? {} : { digest }) };
  });
}

function renderCompose(source: string, wish: RenderWish): string {
  if (isTemplate(source)) return renderSource(source, wish);
  const images = wish.table.flatMap((image) => {
    const pinned = pinnedReference(image, wish);
    return pinned === undefined ? [] : [{ ...image, pinned }];
  });
  const { product, images: rules } = wish.product;
  return pinCompose(withPlainRegistry(wish.texts.get(source) ?? '', rules), { product, images });
}

/** A template rendered; any other text as it is. */
function renderSource(source: string, wish: RenderWish): string {
  const text = wish.texts.get(source) ?? '';
  if (!isTemplate(source)) return text;
  const { product, version, tag, channel } = wish;
  const { title, cli, bundle } = product;
  const data = { product: product.product, title, cli, version, tag, channel, values: bundle?.values ?? {} };
  const images = wish.table.flatMap((image): [string, string][] => {
    const pinned = pinnedReference(image, wish);
    return pinned === undefined ? [] : [[image.name, pinned]];
  });
  return renderTemplate({ text, file: wish.label(source), data, images: new Map(images) });
}

/** Undefined for a name that is no image name, which the checks report where it is written. */
function pinnedReference({ name, reference }: TableImage, { resolved, product }: RenderWish): string | undefined {
  const digest = resolved.find((image) => image.name === name)?.digest;
  const ref = readRef(reference);
  if (ref === undefined) return undefined;
  const plain = digest === undefined ? printTagged(ref) : printImageRef(pinImage(parseImageRef(printTagged(ref), name), digest));
  return withRegistryVariable(plain, product.images);
}

function problemOf(error: unknown, { label }: RenderWish, source: string | undefined): Problem {
  if (!isToolError(error, 'E_TEMPLATE')) throw error;
  const file = source === undefined ? '' : label(source);
  const line = parseCount(error.details.line ?? 1, 'line');
  const code: ProblemCode = 'E_TEMPLATE';
  const message = error.message.replace(`${file}:${line}: `, '');
  return { severity: 'error', code, message, hint: error.hint ?? 'Correct the template.', file, line };
}

function severalFiles({ source }: Product): Problem {
  const message = 'several compose files are not supported yet';
  return problemAt(source, { code: 'E_NOT_SUPPORTED', path: ['bundle', 'compose'], message, hint: 'Write them as one file.' });
}
