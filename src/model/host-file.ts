// Files that are rendered on the host from the person's answers. Rule: filled like placeholders, and by then a file of the release like any other; its digest is in install.json.
import { type Digest, digestOf } from './digest.ts';
import { ToolError } from './error.ts';
import { isActive } from './feature.ts';
import type { Manifest, ManifestFile } from './manifest.ts';
import { parseFields, parseRelativePath, parseText } from './parse.ts';

/** A file of the install that is made from a template of the bundle. */
export interface HostFile {
  readonly path: string;
  /** A file of the bundle. */
  readonly template: string;
  /** Four octal digits; nobody but the owner may write. */
  readonly mode: string;
  /** `features.<name>`; always where absent. */
  readonly when?: string;
}

export interface HostText {
  readonly path: string;
  readonly mode: string;
  readonly text: string;
}

export interface HostAnswers {
  /** The texts of the templates, by their paths. */
  readonly templates: ReadonlyMap<string, string>;
  readonly values: ReadonlyMap<string, string>;
  readonly features: readonly string[];
}

const PLACEHOLDER = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;
const NOT_THEIRS = ['.slipway', '.env', 'docker-compose.yml', 'docker-compose.override.yml', 'bundle.json', 'bundle.json.minisig'];

/** The files to be, for the chosen features. `{{NAME}}` becomes a variable's value, empty where it has none; any other `{{` stays. */
export function renderHostFiles(manifest: Manifest, { templates, values, features }: HostAnswers): HostText[] {
  const active = (manifest.hostFiles ?? []).filter(({ when }) => isActive(when, features));
  return active.map(({ path, template, mode }) => {
    const fill = (name: string): string => {
      if (Object.hasOwn(manifest.env, name)) return values.get(name) ?? '';
      throw new ToolError('E_CONFIG', `${template}: {{${name}}} is no variable of ${manifest.product}`, { hint: 'Tell the vendor.' });
    };
    return { path, mode, text: (templates.get(template) ?? '').replace(PLACEHOLDER, (_, name: string) => fill(name)) };
  });
}

/** The names that a template asks for, each with its first line. */
export function namesInTemplate(text: string): Map<string, number> {
  const found = new Map<string, number>();
  text.split('\n').forEach((line, index) => {
    for (const [, name = ''] of line.matchAll(PLACEHOLDER)) if (!found.has(name)) found.set(name, index + 1);
  });
  return found;
}

/** The manifest with these texts among its files, and no other host file. */
export function withHostTexts(manifest: Manifest, texts: readonly HostText[]): Manifest {
  const size = (text: string): number => Buffer.byteLength(text);
  return withHostEntries(
    manifest,
    texts.map(({ path, mode, text }) => ({ path, mode, size: size(text), sha256: digestOf(text), owner: 'vendor' })),
  );
}

/** The manifest of an install, with its host files as they were rendered last. */
export function withRenderedFiles(manifest: Manifest, rendered: Readonly<Record<string, Digest>> = {}): Manifest {
  return withHostEntries(
    manifest,
    (manifest.hostFiles ?? []).flatMap(({ path, mode }) => {
      const sha256 = rendered[path];
      return sha256 === undefined ? [] : [{ path, mode, size: 0, sha256, owner: 'vendor' }];
    }),
  );
}

/** What install.json says of them: path → digest. */
export function renderedFiles(manifest: Manifest): Record<string, Digest> {
  const paths = hostPathsOf(manifest);
  return Object.fromEntries(manifest.files.filter(({ path }) => paths.has(path)).map(({ path, sha256 }) => [path, sha256]));
}

/** The entry of a manifest's list of files; throws E_FORMAT for a place that is the install's own. */
export function parseHostFile(value: unknown, where: string): HostFile {
  const f = parseFields(value, where);
  const path = parseRelativePath(f.path, `${where}.path`);
  const mode = parseText(f.mode ?? '0644', `${where}.mode`);
  if (NOT_THEIRS.includes(path) || path.startsWith('.slipway/')) {
    throw new ToolError('E_FORMAT', `${where}.path: ${path} belongs to the install`, { hint: 'Tell the vendor.' });
  }
  if (!/^0[0-7][0145][0145]$/.test(mode)) throw new ToolError('E_FORMAT', `${where}.mode: expected a mode such as 0644 or 0600`);
  const template = parseRelativePath(f.template, `${where}.template`);
  return { path, template, mode, ...(f.when === undefined ? {} : { when: parseText(f.when, `${where}.when`) }) };
}

/** The host files as bundle.json lists them, among the other files. */
export function listHostFiles(files: readonly HostFile[] = []): object[] {
  return files.map((file) => ({ ...file, owner: 'host' }));
}

function withHostEntries(manifest: Manifest, entries: readonly ManifestFile[]): Manifest {
  const paths = hostPathsOf(manifest);
  return paths.size === 0 ? manifest : { ...manifest, files: [...manifest.files.filter(({ path }) => !paths.has(path)), ...entries] };
}

function hostPathsOf({ hostFiles = [] }: Manifest): Set<string> {
  return new Set(hostFiles.map(({ path }) => path));
}
