// The product's folder, as it is to be packed. Rule: every file that goes into a bundle is a plain file inside of that folder, measured here.
import type { Dirent } from 'node:fs';
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { expressionOf } from '../model/glob.ts';
import { parseRelativePath } from '../model/parse.ts';
import type { Path, Problem, ProblemText } from '../model/problem.ts';
import type { BundleRules } from '../model/product.ts';
import { isTemplate, type SourceFile, type SourceFiles } from '../model/source-file.ts';
import { readTextIfThere, statIfThere } from '../world/disk.ts';
import { measureFile } from '../world/folder-files.ts';

/** The product file as it is written. */
export interface ProductText {
  /** As the person named it. */
  readonly name: string;
  readonly text: string;
  /** Its folder, absolute: where all relative paths in it start. */
  readonly root: string;
}

const MOST_PRODUCT_BYTES = 4 * 1024 * 1024;

/** Reads the product file. Throws E_CONFIG when there is none. */
export async function readProductText(name: string): Promise<ProductText> {
  const file = resolve(name);
  const stats = await statIfThere(file);
  if (stats === undefined || stats.isDirectory()) {
    throw new ToolError('E_CONFIG', `there is no ${name} here`, { hint: 'Go to the product’s folder, or name its file with --config.' });
  }
  return { name, text: (await readTextIfThere(file, MOST_PRODUCT_BYTES)) ?? '', root: dirname(file) };
}

export interface SourcesWish {
  readonly root: string;
  readonly bundle: BundleRules;
  /** Paths below the root that are never packed: what we write ourselves. */
  readonly skip: readonly string[];
  /** What git says of the executable bit of its files. */
  readonly executable?: ReadonlyMap<string, boolean>;
  /** Files that git committed with LF and checked out with CRLF: they are packed as committed. */
  readonly lineEnds?: ReadonlySet<string>;
  /** Looks into the text of every file that is text and not large. */
  readonly inspect?: (file: SourceFile, text: string) => readonly Problem[];
}

/** Larger files are hashed without being looked into. */
const MOST_TEXT_BYTES = 1024 * 1024;
const MOST_TEMPLATE_BYTES = 4 * 1024 * 1024;
const ALWAYS_SKIPPED = ['.git', '.slipway'];

/** Reads everything that `bundle` names. Files of compose and env are read as texts and are no files of their own. */
export async function observeSources(wish: SourcesWish): Promise<SourceFiles> {
  const { root, bundle } = wish;
  const walk: Walk = { ...wish, texts: new Map(), missing: [], problems: [], files: [], found: [] };
  const named = [...bundle.compose, ...(bundle.env === undefined ? [] : [bundle.env])];
  for (const source of named) await readNamed(walk, source);
  const real = await realpath(root);
  for (const [index, { from, to, exclude }] of bundle.files.entries()) {
    const at = ['bundle', 'files', index];
    const rule = { at, name: from, from: from.replace(/\/$/, ''), to, excluded: exclude.map(expressionOf), named };
    await walkRule(walk, rule, real);
  }
  for (const [index, { template }] of bundle.hostFiles.entries()) await takeTemplate(walk, { template, index, real });
  return walk;
}

interface Walk extends SourcesWish {
  readonly files: SourceFile[];
  readonly texts: Map<string, string>;
  readonly missing: string[];
  readonly problems: ProblemText[];
  readonly found: Problem[];
}

interface Rule {
  readonly at: Path;
  /** `from` as it is written. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly excluded: readonly RegExp[];
  readonly named: readonly string[];
}

async function readNamed({ root, texts, missing }: Walk, source: string): Promise<void> {
  const stats = await statIfThere(join(root, source));
  const text = stats?.isFile() === true ? await readTextIfThere(join(root, source), MOST_TEMPLATE_BYTES) : undefined;
  if (text === undefined) missing.push(source);
  else texts.set(source, text);
}

async function walkRule(walk: Walk, rule: Rule, real: string): Promise<void> {
  const path = join(walk.root, rule.from);
  const stats = await statIfThere(path);
  if (stats === undefined) walk.missing.push(rule.name);
  else if (!`${await realpath(path)}/`.startsWith(`${real}/`)) addProblem(walk, rule, outside(rule.from));
  else if (stats.isDirectory()) await walkFolder(walk, rule, '');
  else await takeFile(walk, rule, { source: rule.from, inBundle: targetOf(rule), isFile: stats.isFile() });
}

/** A single file goes into a folder (`.` or with a slash at the end), or to the very path. */
function targetOf({ from, to }: Rule): string {
  if (to === '.') return basename(from);
  return to.endsWith('/') ? `${to}${basename(from)}` : to;
}

/** A template that the bundle's files do not bring goes there under its own path. */
async function takeTemplate(
  walk: Walk,
  { template, index, real }: { readonly template: string; readonly index: number; readonly real: string },
): Promise<void> {
  const at = ['bundle', 'hostFiles', index];
  const rule = { at, name: template, from: template, to: template, excluded: [], named: [] };
  if (!walk.files.some(({ path }) => path === template)) await walkRule(walk, rule, real);
  const file = walk.files.find(({ path }) => path === template);
  if (file !== undefined) await readNamed(walk, file.source);
}

async function walkFolder(walk: Walk, rule: Rule, below: string): Promise<void> {
  const folder = joined(rule.from, below);
  for (const entry of await sortedEntries(join(walk.root, folder))) {
    const inside = joined(below, entry.name);
    const source = joined(folder, entry.name);
    if (ALWAYS_SKIPPED.includes(entry.name) || walk.skip.includes(source) || rule.named.includes(source)) continue;
    if (rule.excluded.some((expression) => expression.test(inside))) continue;
    if (entry.isDirectory()) await walkFolder(walk, rule, inside);
    else await takeFile(walk, rule, { source, inBundle: joined(rule.to.replace(/\/$/, ''), inside), isFile: entry.isFile() });
  }
}

interface Found {
  readonly source: string;
  readonly inBundle: string;
  readonly isFile: boolean;
}

async function takeFile(walk: Walk, rule: Rule, { source, inBundle, isFile }: Found): Promise<void> {
  if (!isFile) return addProblem(walk, rule, notAFile(source));
  if (!isPlainPath(inBundle)) return addProblem(walk, rule, badName(source));
  const file = join(walk.root, source);
  const stats = await lstat(file);
  const executable = walk.executable?.get(source) ?? (stats.mode & 0o100) !== 0;
  const isConverted = walk.lineEnds?.has(source) === true;
  const most = isTemplate(source) || isConverted ? MOST_TEMPLATE_BYTES : MOST_TEXT_BYTES;
  const read = stats.size <= most ? await readFile(file) : undefined;
  const committed = isConverted ? read?.toString('utf8').replaceAll('\r\n', '\n') : undefined;
  const bytes = committed === undefined ? read : Buffer.from(committed);
  const measured = bytes === undefined ? await measureFile(file) : { size: bytes.length, sha256: digestOf(bytes) };
  const content = committed === undefined ? {} : { text: committed };
  const found: SourceFile = { source, path: inBundle, ...measured, executable, ...content, at: [...rule.at, 'from'] };
  walk.files.push(found);
  if (bytes === undefined || bytes.subarray(0, 8192).includes(0)) return;
  const text = bytes.toString('utf8');
  if (isTemplate(source)) walk.texts.set(source, text);
  walk.found.push(...(walk.inspect?.(found, text) ?? []));
}

async function sortedEntries(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isPlainPath(path: string): boolean {
  try {
    parseRelativePath(path, 'path');
    return !path.includes('\ufffd'); // what Node.js makes of a name that is not UTF-8
  } catch {
    return false;
  }
}

function joined(folder: string, name: string): string {
  return [folder, name].filter((part) => part !== '' && part !== '.').join('/');
}

function addProblem(walk: Walk, { at }: Rule, problem: Omit<ProblemText, 'path'>): void {
  walk.problems.push({ ...problem, path: [...at, 'from'] });
}

function outside(source: string): Omit<ProblemText, 'path'> {
  const message = `${source} is a link that leads out of the product's folder`;
  return { code: 'E_LINK', message, hint: 'Put the files themselves there.' };
}

function notAFile(source: string): Omit<ProblemText, 'path'> {
  const message = `${source} is a link or a special file; a bundle holds files and folders only`;
  return { code: 'E_LINK', message, hint: 'Put the file itself there, or name it in exclude.' };
}

function badName(source: string): Omit<ProblemText, 'path'> {
  const message = `${JSON.stringify(source)} has a name that not every system takes`;
  return { code: 'E_FILE_NAME', message, hint: 'Rename it without backslashes and control characters, in UTF-8, or name it in exclude.' };
}
