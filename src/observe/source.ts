// An install that is a git checkout, and the commit that it is to go to. Rule: nothing but git's store of objects is added to; what could lose a person's work is refused, with what to do.
import { dirname, join, resolve } from 'node:path';
import { isToolError, ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';
import { statIfThere } from '../world/disk.ts';
import { branchOf, type ChangedPath, type Checkout, changedPaths, editedPaths, gitIn, headOf } from '../world/git-checkout.ts';
import { exchange } from '../world/git-remote.ts';
import { inScratch } from '../world/scratch.ts';

export interface SourceFacts {
  /** `refs/heads/…`. */
  readonly branch: string;
  readonly head: string;
  /** The release's commit. */
  readonly commit: string;
  readonly changes: readonly ChangedPath[];
  /** Tracked files that the person edited or removed, and that stay so. */
  readonly edits: readonly string[];
  /** Those of them that are not there. */
  readonly removed: readonly string[];
  /** Every tracked path of the commit. */
  readonly tracked: ReadonlySet<string>;
}

/** What a name may be that git is given. */
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;

export interface SourceWish {
  readonly root: string;
  readonly version: string;
  readonly tag: string;
  /** What the release says it was made from. */
  readonly commit: string | null;
  /** Paths of the install that no commit may change: settings, and what is ours. */
  readonly own: readonly string[];
}

/** Fetches the commit and compares. Throws E_POLICY, E_CONFLICT or E_NOT_FOUND where the checkout cannot go forward to it. */
export async function observeSource(world: World, wish: SourceWish): Promise<SourceFacts> {
  return inCheckout(world, wish.root, async (checkout) => {
    const branch = await refuseUnready(checkout);
    const { commit, version } = wish;
    if (commit === null) throw policy(`${version} does not say which commit it was made from`, 'Choose another release with --to.');
    const head = await headOf(checkout);
    if (!COMMIT.test(commit) || !TAG.test(wish.tag))
      throw new ToolError('E_FORMAT', `${version} names no commit and tag that git could have`, {
        hint: 'Tell the maintainer of the release.',
      });
    await fetchCommit(checkout, branch, { ...wish, commit });
    await refuseDiverged(checkout, { head, commit, version });
    const [changes, edits] = [await changedPaths(checkout, head, commit), await editedPaths(checkout, head)];
    const tree = (await gitIn(checkout, ['ls-tree', '-r', '-z', commit])).stdout.split('\0').filter(Boolean);
    if (tree.some((line) => line.startsWith('160000 ')) || changes.some(({ isSubmodule }) => isSubmodule))
      throw new ToolError('E_NOT_SUPPORTED', `${wish.root} has submodules, which are not upgraded`, {
        hint: 'Go on with git by hand, or follow releases: move .git away and upgrade again.',
      });
    await refuseCollisions(checkout, wish, { changes, edits });
    const removed: string[] = [];
    for (const path of edits) if ((await statIfThere(join(wish.root, path))) === undefined) removed.push(path);
    return { branch, head, commit, changes, edits, removed, tracked: new Set(tree.map((line) => line.slice(line.indexOf('\t') + 1))) };
  });
}

/** What the checkout is now, as one text: its branch, its commit and the files that were edited. */
export async function observeStanding(world: World, root: string): Promise<string> {
  return inCheckout(world, root, async (checkout) => {
    const head = await headOf(checkout);
    return [await branchOf(checkout), head, ...(await editedPaths(checkout, head))].join('\n');
  });
}

/** The text of a file of a commit that has it. */
export async function readCommitted(world: World, { root, commit }: { root: string; commit: string }, path: string): Promise<string> {
  return inCheckout(world, root, async (checkout) => (await gitIn(checkout, ['cat-file', 'blob', `${commit}:${path}`])).stdout);
}

function inCheckout<T>(world: World, root: string, look: (checkout: Checkout) => Promise<T>): Promise<T> {
  return inScratch((work) => look({ root, world, work }));
}

const UNDER_WAY: Readonly<Record<string, string>> = {
  MERGE_HEAD: 'a merge',
  'rebase-merge': 'a rebase',
  'rebase-apply': 'a rebase',
  CHERRY_PICK_HEAD: 'a cherry-pick',
  REVERT_HEAD: 'a revert',
  'index.lock': 'another git',
};

/** Throws unless the checkout is on a branch with nothing half-done; gives the branch. */
async function refuseUnready(checkout: Checkout): Promise<string> {
  const { root } = checkout;
  const top = await gitIn(checkout, ['rev-parse', '--show-cdup'], { codes: [0, 128] });
  const said = top.stderr.trim().split('\n')[0] || 'its top is elsewhere';
  if (/dubious ownership/.test(said))
    throw policy(
      `${root} belongs to somebody else, and git does not work there for this account`,
      `Run this as the owner of ${root}, or with sudo from that account.`,
    );
  if (top.code !== 0 || top.stdout.trim() !== '')
    throw policy(
      `${join(root, '.git')} is no repository that git can read: ${said}`,
      `Mend it (git -C ${root} status says what is wrong), or move ${join(root, '.git')} away to follow releases from now on.`,
    );
  for (const [name, what] of Object.entries(UNDER_WAY)) {
    const path = (await gitIn(checkout, ['rev-parse', '--git-path', name])).stdout.trim();
    if ((await statIfThere(resolve(root, path))) !== undefined)
      throw policy(`${what} is under way in ${root}`, `Finish or abort it (git -C ${root} status), then upgrade again.`);
  }
  const branch = await branchOf(checkout);
  if (branch === undefined)
    throw policy(`${root} is on no branch (a detached HEAD)`, `Go back to the branch that it follows: git -C ${root} switch main.`);
  const staged = await gitIn(checkout, ['diff-index', '--cached', '-z', '--name-only', 'HEAD']);
  const names = staged.stdout.split('\0').filter(Boolean);
  if (names.length > 0)
    throw policy(
      `changes are staged in ${root}: ${listed(names)}`,
      `Unstage them (git -C ${root} restore --staged .); as plain edits they are kept.`,
    );
  return branch;
}

interface FetchWish {
  readonly version: string;
  readonly tag: string;
  readonly commit: string;
}

/** From the branch's own upstream: the branch, then the release's tag, then the commit by name, until it is here. No ref is written. */
async function fetchCommit(checkout: Checkout, branch: string, { version, tag, commit }: FetchWish): Promise<void> {
  const { root, world } = checkout;
  const short = branch.replace('refs/heads/', '');
  const setting = async (key: string): Promise<string> =>
    (await gitIn(checkout, ['config', '--get', key], { codes: [0, 1] })).stdout.trim();
  const [remote, merge] = [await setting(`branch.${short}.remote`), await setting(`branch.${short}.merge`)];
  if (remote === '' || merge === '')
    throw policy(`${short} follows no branch of a remote`, `Name it: git -C ${root} branch --set-upstream-to=origin/${short}.`);
  const url = remote === '.' ? root : (await setting(`remote.${remote}.url`)) || remote;
  const isHere = async (): Promise<boolean> =>
    (await gitIn(checkout, ['cat-file', '-e', `${commit}^{commit}`], { codes: [0, 1, 128] })).code === 0;
  for (const [index, ref] of [merge, `refs/tags/${tag}`, commit].entries()) {
    if (await isHere()) return;
    try {
      const options = ['-q', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--no-auto-maintenance', '--refmap='];
      await exchange(['-c', 'fetch.unpackLimit=1', 'fetch', ...options, '--', remote, ref], { url }, { world, cwd: root });
    } catch (error) {
      const refused = isToolError(error, 'E_COMMAND') || isToolError(error, 'E_NOT_FOUND');
      if (index === 0 || !refused) throw error; // the tag may be missing, and a server may refuse single commits
    }
  }
  if (await isHere()) return;
  throw new ToolError(
    'E_NOT_FOUND',
    `the commit of ${version} (${commit.slice(0, 10)}) is neither on ${short} nor anywhere else at ${remote}`,
    {
      hint: 'Ask the maintainer to push it; when it is on another branch, switch to that one first.',
    },
  );
}

async function refuseDiverged(
  checkout: Checkout,
  { head, commit, version }: { head: string; commit: string; version: string },
): Promise<void> {
  const isWithin = async (old: string, young: string): Promise<boolean> =>
    (await gitIn(checkout, ['merge-base', '--is-ancestor', old, young], { codes: [0, 1] })).code === 0;
  if (await isWithin(head, commit)) return;
  const at = `${head.slice(0, 10)}, ${version} is ${commit.slice(0, 10)}`;
  if (await isWithin(commit, head))
    throw policy(
      `the checkout is already past ${version}: it is at ${at}`,
      `Wait for the next release, or go back to this one: git -C ${checkout.root} reset --keep ${commit.slice(0, 10)}, then upgrade again.`,
    );
  throw policy(
    `the checkout and ${version} went different ways: it is at ${at}`,
    `Keep your commits on a branch of their own and go back to where the ways part: in ${checkout.root}, git branch mine && git reset --keep $(git merge-base HEAD ${commit.slice(0, 10)}). Then upgrade again.`,
  );
}

/** What a person has made in the place of what the commit brings. */
async function refuseCollisions(
  checkout: Checkout,
  { root, own, version }: SourceWish,
  { changes, edits }: Pick<SourceFacts, 'changes' | 'edits'>,
): Promise<void> {
  const edited = new Set(edits);
  const removed = new Set(changes.flatMap(({ path, change }) => (change === 'removed' ? [path] : [])));
  const isOwn = (path: string): boolean => own.some((each) => path === each || path.startsWith(`${each}/`));
  const found: string[] = [];
  for (const { path, change } of changes)
    if (edited.has(path) || isOwn(path) || (change === 'added' && (await isTaken(checkout, path, removed)))) found.push(path);
  if (found.length === 0) return;
  throw new ToolError('E_CONFLICT', `you and ${version} both changed: ${listed(found)}`, {
    hint: `Nothing was changed. Commit or stash your edits, or move your files away (git -C ${root} diff shows them), then upgrade again.`,
    details: { files: found.map((path) => ({ path, change: 'both', conflict: true })) },
  });
}

/** Something lies there, ignored by git or not, or a file lies in the place of a folder above it. */
async function isTaken(checkout: Checkout, path: string, removed: ReadonlySet<string>): Promise<boolean> {
  const { root } = checkout;
  const there = await statIfThere(join(root, path));
  if (there?.isDirectory() === true) return holdsMore(checkout, path, removed);
  if (there !== undefined) return true;
  for (let folder = dirname(path); folder !== '.'; folder = dirname(folder))
    if (!removed.has(folder) && (await statIfThere(join(root, folder)))?.isDirectory() === false) return true;
  return false;
}

/** True for a folder with anything in it that the commit does not take away. */
async function holdsMore(checkout: Checkout, path: string, removed: ReadonlySet<string>): Promise<boolean> {
  const { stdout } = await gitIn(checkout, ['--literal-pathspecs', 'ls-files', '-z', '--cached', '--others', '--', path]);
  return stdout.split('\0').some((each) => each !== '' && !removed.has(each));
}

function policy(message: string, hint: string): ToolError {
  return new ToolError('E_POLICY', message, { hint });
}

const MOST_NAMED = 20;

function listed(names: readonly string[]): string {
  return names.length <= MOST_NAMED ? names.join(', ') : `${names.slice(0, MOST_NAMED).join(', ')} and ${names.length - MOST_NAMED} more`;
}
