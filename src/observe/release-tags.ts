// Every tag that counts for the next version: those of the authority and those of the checkout. Rule: a listing that fails is never an empty one.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, ToolError } from '../model/error.ts';
import type { HostAddress, HostProblem } from '../model/host.ts';
import { valueInJson } from '../model/json-text.ts';
import type { BaseRule } from '../model/product.ts';
import { coreOf, type Version, versionOf } from '../model/version.ts';
import { statIfThere } from '../world/disk.ts';
import { type GitWorld, runGit } from '../world/git.ts';
import { type HostWorld, openView } from '../world/hosts.ts';

const MOST_BASE_BYTES = 4 * 1024 * 1024;

export interface TagsRequest {
  readonly host: HostAddress;
  /** The product file's folder. */
  readonly root: string;
  /** True inside of a git repository that has a commit. */
  readonly checkout: boolean;
  /** What the names begin with. */
  readonly prefixes: readonly string[];
}

/** The names of all tags with one of the prefixes, on the authority and in the checkout. */
export async function observeTags({ host, root, checkout, prefixes }: TagsRequest, world: HostWorld): Promise<readonly string[]> {
  const view = openView(host, world);
  const listed: string[] = [];
  for (const prefix of prefixes) listed.push(...(await view.tags(prefix)));
  const local = checkout ? await localTags(root, world) : [];
  const wanted = local.filter((tag) => prefixes.some((prefix) => tag.startsWith(prefix)));
  return [...new Set([...listed, ...wanted])].sort();
}

/** What would stop a reservation of this tag, as far as the host tells before the first write. */
export async function observeReserving(
  host: HostAddress,
  { tag, commit }: { readonly tag: string; readonly commit: string | null },
  world: HostWorld,
): Promise<readonly HostProblem[]> {
  return openView(host, world).preflight({ tag, commit, assets: [], replace: false });
}

/** The names of all tags of the checkout. */
export async function localTags(root: string, world: GitWorld): Promise<readonly string[]> {
  const text = await runGit(['for-each-ref', '--format=%(refname)', 'refs/tags'], world, { cwd: root });
  return text.split('\n').flatMap((line) => (line.startsWith('refs/tags/') ? [line.slice('refs/tags/'.length)] : []));
}

export interface BaseFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Its X.Y.Z; a prerelease part is left out. */
  readonly version: Version;
}

/** The file of `release.base` and the version in it; undefined for `git`. Throws E_CONFIG when it is absent or holds no version. */
export async function observeBase(root: string, base: BaseRule): Promise<BaseFile | undefined> {
  if (base.kind === 'git') return undefined;
  const path = join(root, base.path);
  const stats = await statIfThere(path);
  if (stats?.isFile() !== true || stats.size > MOST_BASE_BYTES)
    throw noBase(base.path, stats === undefined ? 'does not exist' : 'is not a file of ours');
  const text = await readText(path);
  const written = base.kind === 'text' ? text.trim() : valueInJson(text, base.key, base.path);
  const version = written === undefined ? undefined : versionOf(written);
  if (version !== undefined) return { path: base.path, text, mode: stats.mode & 0o777, version: coreOf(version) };
  const where = base.kind === 'json' ? `${base.path}#${base.key.join('.')}` : base.path;
  throw noBase(where, written === undefined ? 'is missing' : `is ${JSON.stringify(written.slice(0, 60))}, which is not a version`);
}

/** True when something is at this path below the folder. */
export async function observeIsThere(root: string, path: string): Promise<boolean> {
  return (await statIfThere(join(root, path))) !== undefined;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ToolError('E_CONFIG', `cannot read ${path} (${systemCode(cause)})`, { cause, hint: 'See release.base in the product file.' });
  }
}

function noBase(where: string, why: string): ToolError {
  return new ToolError('E_CONFIG', `release.base: ${where} ${why}`, {
    hint: 'It holds the version as X.Y.Z: a text file with nothing else, or a JSON file’s key such as package.json#version.',
  });
}
