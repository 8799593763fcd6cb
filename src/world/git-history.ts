// The history of a remote's branches, and moving one of them. Rule: all of it in a folder of our own; nobody's checkout is touched.
import { mkdir } from 'node:fs/promises';
import { isToolError } from '../model/error.ts';
import type { CommitLine, Commits } from '../model/train.ts';
import type { GitWorld } from './git.ts';
import { exchange, listRemote, type Place, type RemoteAddress } from './git-remote.ts';

/** Commits without their content, in a bare repository. */
export interface History {
  readonly folder: string;
  readonly remote: RemoteAddress;
  readonly world: GitWorld;
}

const MOST_LINES = 20;

/** Fetches the commits of these branches of the remote, and of their content as little as it allows. */
export async function fetchHistory(history: History, branches: readonly string[]): Promise<void> {
  const { remote } = history;
  const names = branches.map((branch) => `refs/heads/${branch}`);
  const [first = ''] = (await listRemote(remote, names, history.world)).values();
  await init(history, first, ['--bare']);
  await git(history, ['fetch', '-q', '--no-tags', '--filter=tree:0', remote.url, ...names.map((name) => `+${name}:${name}`)]);
}

/** The commit of a branch that was fetched. */
export async function headOf(history: History, branch: string): Promise<string> {
  return (await git(history, ['rev-parse', '--verify', `refs/heads/${branch}`])).trim();
}

/** The commits of `commit` that `without` does not have. */
export async function commitsBeyond(history: History, commit: string, without: string): Promise<Commits> {
  const range = [commit, `^${without}`, '--'];
  const count = Number((await git(history, ['rev-list', '--count', ...range])).trim());
  const format = ['--no-show-signature', '--no-decorate', '--no-color', '-z', '--format=%H%x1f%an%x1f%s'];
  const text = count === 0 ? '' : await git(history, ['log', `--max-count=${MOST_LINES}`, ...format, ...range]);
  return { count, newest: text.split('\0').flatMap(readLine) };
}

/** True when `commit` is in the history of `of`; a commit that was not fetched is in nothing's. */
export async function isWithin(history: History, commit: string, of: string): Promise<boolean> {
  const { remote, world, folder } = history;
  try {
    await exchange(['merge-base', '--is-ancestor', commit, of], remote, { world, cwd: folder });
    return true;
  } catch (error) {
    if (isToolError(error, 'E_COMMAND')) return false;
    throw error;
  }
}

/** A file of a commit that the remote has, or undefined; at most `maxBytes` of it are read. `folder` is a new one. */
export async function readFileAt(history: History, { commit, path, maxBytes }: FileAt): Promise<string | undefined> {
  await init(history, commit, ['--bare']);
  const lazy = lazily(history.remote);
  await git(history, [...lazy, 'fetch', '-q', '--no-tags', '--depth=1', '--filter=blob:none', 'slipway', commit]);
  const entry = await git(history, [...lazy, 'ls-tree', commit, '--', path]);
  const [, id] = /^100[0-7]{3} blob ([0-9a-f]+)\t/.exec(entry) ?? [];
  if (id === undefined) return undefined;
  const size = Number((await git(history, [...lazy, 'cat-file', '-s', id])).trim());
  return size > maxBytes ? undefined : git(history, [...lazy, 'cat-file', 'blob', id]);
}

export interface FileAt {
  readonly commit: string;
  readonly path: string;
  readonly maxBytes: number;
}

/** A copy of one commit's files at `folder`. */
export async function checkOutCommit(history: History, commit: string): Promise<void> {
  await init(history, commit, []);
  await git(history, ['fetch', '-q', '--no-tags', '--depth=1', history.remote.url, commit]);
  await git(history, ['-c', 'advice.detachedHead=false', 'checkout', '-q', '--detach', commit]);
}

/** Moves the branch from `before` to `commit`; a branch that is elsewhere by now is refused by the remote (`--force-with-lease`). */
export async function pushBranch(history: History, { branch, before, commit }: BranchPush): Promise<void> {
  const name = `refs/heads/${branch}`;
  await git(history, ['push', '-q', '--no-verify', `--force-with-lease=${name}:${before}`, history.remote.url, `${commit}:${name}`]);
}

export interface BranchPush {
  readonly branch: string;
  readonly before: string;
  readonly commit: string;
}

/** A repository whose objects have names like this commit's. */
async function init(history: History, commit: string, options: readonly string[]): Promise<void> {
  await mkdir(history.folder, { recursive: true, mode: 0o700 });
  await git(history, ['init', '-q', ...options, '--template=', ...(commit.length === 64 ? ['--object-format=sha256'] : []), '.']);
}

function git({ folder, remote, world }: History, args: readonly string[]): Promise<string> {
  const place: Place = { world, cwd: folder };
  return exchange(args, remote, place);
}

/** A remote that may be asked for single files later. */
function lazily({ url }: RemoteAddress): string[] {
  const settings = [`url=${url}`, 'promisor=true', 'partialclonefilter=blob:none'];
  return settings.flatMap((setting) => ['-c', `remote.slipway.${setting}`]);
}

function readLine(text: string): CommitLine[] {
  const [id = '', author = '', subject = ''] = text.split('\x1f').map((part) => part.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim());
  return id === '' ? [] : [{ id, subject: subject.slice(0, 120), author: author.slice(0, 60) }];
}
