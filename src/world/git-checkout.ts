// A git checkout that something runs from. Rule: no hook, no lock of the person's, nobody's index but a copy of it; only the paths between two commits are ever written.
import { copyFile, lchown, mkdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isToolError, systemCode, ToolError } from '../model/error.ts';
import type { RunResult, World } from '../model/seams.ts';
import { statIfThere } from './disk.ts';
import { RUN_MARK } from './docker.ts';

/** A checkout, and a folder for what is needed meanwhile. */
export interface Checkout {
  /** Its top. Absolute. */
  readonly root: string;
  readonly world: Pick<World, 'run' | 'env'>;
  /** Absolute; made when it is needed. */
  readonly work: string;
}

/** A path that two commits have differently. */
export interface ChangedPath {
  readonly path: string;
  readonly change: 'added' | 'changed' | 'removed';
  /** Another repository in its place, on either side. */
  readonly isSubmodule: boolean;
}

interface GitCall {
  /** Another index than the checkout's own. */
  readonly index?: string;
  readonly input?: string;
  /** Exit codes that are answers; [0] by default. */
  readonly codes?: readonly number[];
}

/** Two seconds for a lock on a ref. */
const FIXED = [
  'core.filesRefLockTimeout=2000',
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'gc.auto=0',
  'advice.detachedHead=false',
];
const ELSEWHERE = { GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined, GIT_OBJECT_DIRECTORY: undefined };

/** Runs git in the checkout; throws E_COMMAND with git's own words for any other exit code. */
export async function gitIn(checkout: Checkout, args: readonly string[], call: GitCall = {}): Promise<RunResult> {
  const { root, world } = checkout;
  const { index, input, codes = [0] } = call;
  const argv = ['git', ...FIXED.flatMap((setting) => ['-c', setting]), ...args];
  const mark = { [RUN_MARK]: join(root, '.slipway', 'lock') };
  const env = { ...world.env, ...ELSEWHERE, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', ...mark, ...(index && { GIT_INDEX_FILE: index }) };
  const result = await world.run(argv, { cwd: root, env, ...(input === undefined ? {} : { input }) });
  if (codes.includes(result.code)) return result;
  throw new ToolError(
    'E_COMMAND',
    `git ${args.find((word) => !word.startsWith('-'))} failed: ${result.stderr.trim().split('\n')[0] || `exit code ${result.code}`}`,
    {
      hint: `Run git status in ${root}; what is wrong there must be mended first.`,
    },
  );
}

/** The commit of HEAD. */
export async function headOf(checkout: Checkout): Promise<string> {
  return (await gitIn(checkout, ['rev-parse', '--verify', 'HEAD^{commit}'])).stdout.trim();
}

/** `refs/heads/…`, or undefined for a detached HEAD. */
export async function branchOf(checkout: Checkout): Promise<string | undefined> {
  return (await gitIn(checkout, ['symbolic-ref', '-q', 'HEAD'], { codes: [0, 1] })).stdout.trim() || undefined;
}

/** What two commits have differently. */
export async function changedPaths(checkout: Checkout, from: string, to: string): Promise<ChangedPath[]> {
  const { stdout } = await gitIn(checkout, ['diff-tree', '-r', '-z', '--no-renames', '--no-commit-id', '--raw', from, to]);
  const parts = stdout.split('\0');
  return parts.flatMap((part, index) => {
    const [, before, after, status] = /^:(\d+) (\d+) \S+ \S+ (\w)/.exec(part) ?? [];
    const path = parts[index + 1];
    if (status === undefined || path === undefined) return [];
    const change = status === 'A' ? 'added' : status === 'D' ? 'removed' : 'changed';
    return [{ path, change, isSubmodule: before === '160000' || after === '160000' }];
  });
}

/** The tracked paths of a commit that lie here otherwise, or not at all. */
export async function editedPaths(checkout: Checkout, commit: string): Promise<string[]> {
  const index = await indexOf(checkout, commit);
  await gitIn(checkout, ['update-index', '-q', '--refresh'], { index, codes: [0, 1] });
  const { stdout } = await gitIn(checkout, ['diff-files', '-z', '--name-only', '--no-renames', '--ignore-submodules'], { index });
  await rm(index, { force: true });
  return stdout.split('\0').filter(Boolean);
}

/** Writes the tree of a commit into a folder that is not there yet. */
export async function exportTree(checkout: Checkout, commit: string, to: string): Promise<void> {
  const index = await indexOf(checkout, commit);
  await mkdir(to, { recursive: true });
  await gitIn(checkout, ['checkout-index', '-a', '-f', '-q', `--prefix=${to}/`], { index });
  await rm(index, { force: true });
}

/** Where the checkout stands, and where it goes. */
export interface CheckoutMove {
  readonly branch: string;
  readonly from: string;
  readonly to: string;
}

/** Files, then the index, then the branch go to `to`; safe to repeat after being cut off. A branch that is at neither commit is left alone. */
export async function moveCheckout(checkout: Checkout, { branch, from, to }: CheckoutMove): Promise<void> {
  const head = await headOf(checkout);
  if ((await branchOf(checkout)) !== branch || (head !== from && head !== to)) throw movedOn(checkout, head);
  const changes = await changedPaths(checkout, from, to);
  for (const { path, change } of changes) if (change === 'removed') await removeFile(checkout.root, path);
  const present = changes.filter(({ change }) => change !== 'removed').map(({ path }) => `${path}\0`);
  const index = await indexOf(checkout, to);
  await gitIn(checkout, ['checkout-index', '-f', '-q', '-z', '--stdin'], { index, input: present.join('') });
  await rm(index, { force: true });
  for (const { path, change } of changes) if (change !== 'removed') await giveToOwner(checkout.root, path);
  await moveIndex(checkout, to);
  await moveBranch(checkout, branch, { from: head, to });
}

/** A lock that outlives the wait is that of a git which was killed: nobody holds one of a ref for so long. */
async function moveBranch(checkout: Checkout, branch: string, { from, to }: Pick<CheckoutMove, 'from' | 'to'>): Promise<void> {
  const note = `slipway: ${from.slice(0, 10)} to ${to.slice(0, 10)}`;
  const move = ['update-ref', '-m', note, branch, to, from];
  try {
    await gitIn(checkout, move);
  } catch (error) {
    if (!isToolError(error, 'E_COMMAND') || !/\.lock': File exists/.test(error.message)) throw error;
    for (const name of ['HEAD', branch]) {
      const path = (await gitIn(checkout, ['rev-parse', '--git-path', name])).stdout.trim();
      await rm(`${resolve(checkout.root, path)}.lock`, { force: true });
    }
    await gitIn(checkout, move);
  }
}

/** The commit's tree as an index of our own. */
async function indexOf(checkout: Checkout, commit: string): Promise<string> {
  await mkdir(checkout.work, { recursive: true, mode: 0o700 });
  const index = join(checkout.work, `index-${commit.slice(0, 12)}`);
  await dropIndex(index);
  await gitIn(checkout, ['read-tree', commit], { index });
  return index;
}

/** One rename puts a changed copy in the place of the checkout's index. */
async function moveIndex(checkout: Checkout, commit: string): Promise<void> {
  const own = resolve(checkout.root, (await gitIn(checkout, ['rev-parse', '--git-path', 'index'])).stdout.trim());
  const copy = `${own}.slipway-new`;
  await dropIndex(copy);
  if ((await statIfThere(own)) !== undefined) await copyFile(own, copy);
  await gitIn(checkout, ['read-tree', '-m', '-i', commit], { index: copy });
  await gitIn(checkout, ['update-index', '-q', '--refresh'], { index: copy, codes: [0, 1] });
  if (process.getuid?.() === 0) {
    const { uid, gid } = await stat(checkout.root);
    await lchown(copy, uid, gid);
  }
  await rename(copy, own);
}

/** What root writes in somebody's checkout is that person's: the file, and the folders that are new with it. */
async function giveToOwner(root: string, path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(root);
  for (let each = path; each !== '.'; each = dirname(each)) {
    const found = await statIfThere(join(root, each));
    if (found === undefined || (each !== path && found.uid !== 0)) return;
    await lchown(join(root, each), uid, gid);
  }
}

async function dropIndex(path: string): Promise<void> {
  for (const each of [path, `${path}.lock`]) await rm(each, { force: true });
}

/** The file, and the folders that it leaves empty. */
async function removeFile(root: string, path: string): Promise<void> {
  await rm(join(root, path), { force: true });
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder)) {
    try {
      await rmdir(join(root, folder));
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') continue;
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR' || code === 'EBUSY') return;
      throw error;
    }
  }
}

function movedOn({ root }: Checkout, head: string): ToolError {
  return new ToolError('E_CONFLICT', `${root} is at ${head.slice(0, 10)} by now: somebody else works in this checkout`, {
    hint: 'Take back what was done there meanwhile, then run the same command again (`recover` where an upgrade was begun).',
  });
}
