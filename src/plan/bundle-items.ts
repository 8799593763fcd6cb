// What lies where in a bundle. Rule: every path has one owner, on every file system; whoever comes second is refused with the line that put it there.
import { posix } from 'node:path';
import { type Digest, digestOf } from '../model/digest.ts';
import { type Path, type Problem, type ProblemText, problemAt } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { homesOf } from '../model/settings.ts';
import { isTemplate, type OperatorProgram, type SourceFile } from '../model/source-file.ts';
import { caseCollisions } from './check.ts';
import type { RenderedFile } from './render-bundle.ts';

/** Measured bytes: a file of the product's folder, a text of ours, or the operator program. */
export type ItemSource = { readonly file: string } | { readonly text: string } | { readonly program: string };

export interface BundleItem {
  readonly path: string;
  readonly executable: boolean;
  readonly size: number;
  readonly sha256: Digest;
  readonly from: ItemSource;
  /** The place in slipway.yaml that put it there. */
  readonly at: Path;
}

export interface ItemsWish {
  readonly product: Product;
  readonly version: string;
  readonly rendered: readonly RenderedFile[];
  /** All files of the folder, templates among them. */
  readonly files: readonly SourceFile[];
  readonly operator: OperatorProgram;
}

/** Names in the bundle's folder that are not the product's to give; the env files of its variables are others. */
const RESERVED = ['.slipway', 'docker-compose.override.yml', 'bundle.json', 'bundle.json.minisig'];

/** Every file of the bundle but the manifest, in byte order of the paths. */
export function bundleItems({ product, version, rendered, files, operator }: ItemsWish): BundleItem[] {
  const bySource = new Map(files.map((file) => [file.source, file]));
  const made = rendered.map(({ path, text, source }) => {
    const file = source === undefined ? undefined : bySource.get(source);
    return textItem(path, text, { executable: file?.executable ?? false, at: file?.at ?? ['bundle'] });
  });
  const templates = new Set(rendered.map(({ source }) => source));
  const plain = files.filter(({ source }) => !templates.has(source) && !isTemplate(source));
  const items: BundleItem[] = [
    textItem('VERSION', `${version}\n`, { executable: false, at: [] }),
    ...made,
    { path: product.cli, executable: true, size: operator.size, sha256: operator.sha256, from: { program: operator.file }, at: ['cli'] },
    ...shimItems(product),
    ...plain.map(({ source, text, ...file }) => ({ ...file, from: text === undefined ? { file: source } : { text } })),
  ];
  return items.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

/** Paths that are taken twice, reserved, inside of a file, or that only differ in case; each with its line. */
export function checkItems(product: Product, items: readonly BundleItem[]): Problem[] {
  const folders = (product.bundle?.folders ?? []).map((path, index) => ({
    path: path.replace(/\/$/, ''),
    at: ['bundle', 'folders', index],
  }));
  const problems = [
    ...takenTwice(items),
    ...reserved(items, homesOf(product.env)),
    ...insideOfFiles(items, folders),
    ...sameButForCase([...items, ...folders]),
  ];
  return problems.map((problem) => problemAt(product.source, problem));
}

/** A small script that stands for one verb of the operator command, wherever in the bundle it lies. */
export function shimText(path: string, cli: string, verb: string): string {
  const up = posix.relative(posix.dirname(path), '.') || '.';
  return `#!/bin/sh\n# Runs ${cli} ${verb}.\nexec "$(dirname -- "$0")/${up}/${cli}" ${verb} "$@"\n`;
}

function shimItems({ bundle, cli }: Product): BundleItem[] {
  return Object.entries(bundle?.shims ?? {}).map(([path, verb]) =>
    textItem(path, shimText(path, cli, verb), { executable: true, at: ['bundle', 'shims', path] }),
  );
}

function textItem(path: string, text: string, { executable, at }: Pick<BundleItem, 'executable' | 'at'>): BundleItem {
  return { path, executable, size: Buffer.byteLength(text), sha256: digestOf(text), from: { text }, at };
}

interface Placed {
  readonly path: string;
  readonly at: Path;
}

/** The names of our own making are checked with the product file alone. */
function isShipped({ at }: Placed): boolean {
  return at[0] === 'bundle' && at[1] === 'files';
}

function takenTwice(items: readonly BundleItem[]): ProblemText[] {
  const seen = new Map<string, BundleItem>();
  return items.flatMap((item): ProblemText[] => {
    const other = seen.get(item.path);
    seen.set(item.path, item);
    const second = [item, other].find((each) => each !== undefined && isShipped(each));
    if (other === undefined || second === undefined) return [];
    const message = `${item.path} is there twice${'file' in second.from ? `: ${second.from.file} would take its place` : ''}`;
    return [{ code: 'E_NAME_TAKEN', path: second.at, message, hint: 'Rename one, or name it in exclude.' }];
  });
}

function reserved(items: readonly BundleItem[], homes: readonly string[]): ProblemText[] {
  const names = [...RESERVED, ...homes].map((name) => name.toLowerCase());
  const taken = items
    .filter(isShipped)
    .filter(({ path }) => names.some((name) => path.toLowerCase() === name || path.toLowerCase().startsWith(`${name}/`)));
  return taken.map(({ path, at }) => {
    const message = `${path} is a name that belongs to the install, not to the bundle`;
    return { code: 'E_NAME_TAKEN', path: at, message, hint: 'Rename it, or name it in exclude.' };
  });
}

function insideOfFiles(items: readonly BundleItem[], folders: readonly Placed[]): ProblemText[] {
  const files = new Map(items.map((item) => [item.path, item]));
  const needed = [
    ...items.flatMap((item) => parentsOf(item.path).map((folder) => ({ item, folder }))),
    ...folders.flatMap((item) => [...parentsOf(item.path), item.path].map((folder) => ({ item, folder }))),
  ];
  return needed.flatMap(({ item, folder }): ProblemText[] => {
    const file = files.get(folder);
    const shipped = [item, file].find((each) => each !== undefined && isShipped(each));
    if (file === undefined || shipped === undefined) return [];
    const message = `${item.path} needs a folder ${folder}, and the bundle has a file of that name`;
    return [{ code: 'E_NAME_TAKEN', path: shipped.at, message, hint: 'Rename one of them, or name it in exclude.' }];
  });
}

function parentsOf(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function sameButForCase(placed: readonly Placed[]): ProblemText[] {
  const parents = placed.flatMap(({ path, at }) => [...parentsOf(path), path].map((part) => ({ path: part, at })));
  const byPath = new Map(parents.map(({ path, at }) => [path, at]));
  const collisions = caseCollisions(byPath.keys()).filter((group) => group.some((path) => isShipped({ path, at: byPath.get(path) ?? [] })));
  return collisions.map((group) => {
    const [first, ...others] = [...group].sort();
    const message = `${others.join(', ')} and ${first} differ only in upper and lower case, or in Unicode form`;
    const hint = 'Some file systems keep only one of them: rename the others.';
    return { code: 'E_CASE_COLLISION', path: byPath.get(others[0] ?? '') ?? [], message, hint };
  });
}
