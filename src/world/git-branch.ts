// The branch `channels` of a git remote. Rule: a commit follows the one that was read; a push that does not is refused by the remote, and looked at again.
import { isToolError, ToolError } from '../model/error.ts';
import { parseRelativePath } from '../model/parse.ts';
import { CHANNELS_BRANCH } from './branch-files.ts';
import type { GitWorld } from './git.ts';
import { exchange, listRemote, type RemoteAddress, withoutPassword } from './git-remote.ts';
import { inScratch } from './scratch.ts';

const BRANCH = `refs/heads/${CHANNELS_BRANCH}`;
const MOST_TRIES = 50;
const NAME = ['-c', 'user.name=slipway', '-c', 'user.email=slipway@localhost', '-c', 'commit.gpgSign=false'];

export interface GitRemote {
  readonly remote: RemoteAddress;
  readonly world: GitWorld;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

/** The branch as it was when it was looked at. */
export interface BranchView {
  /** The text at the path, or undefined. Throws E_TOO_LARGE. */
  readonly read: (path: string, maxBytes: number) => Promise<string | undefined>;
}

/** Looks at the branch; a remote without it shows nothing. */
export async function viewBranch<T>(git: GitRemote, look: (view: BranchView) => Promise<T>): Promise<T> {
  return withBranch(git, async (place) => look(viewOf(git, place)));
}

/** Changes files to what `decide` makes of the branch, in one commit; asked again when another came first. No files = nothing to change. */
export async function changeBranch(
  git: GitRemote,
  decide: (view: BranchView) => Promise<ReadonlyMap<string, string>>,
  message: string,
): Promise<void> {
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const done = await withBranch(git, async (place) => {
      const files = await decide(viewOf(git, place));
      return files.size === 0 || push(git, place, { files, message });
    });
    if (done) return;
    await git.sleep(Math.min(2000, 50 * tries));
  }
  throw new ToolError('E_NETWORK', `${withoutPassword(git.remote.url)}: others change ${CHANNELS_BRANCH} all the time`, {
    hint: 'Run the same command again.',
  });
}

interface Place {
  readonly cwd: string;
  /** The branch's commit; undefined when there is none. */
  readonly head: string | undefined;
}

/** A bare repository with the branch in it, gone afterwards. */
function withBranch<T>({ remote, world }: GitRemote, work: (place: Place) => Promise<T>): Promise<T> {
  return inScratch(async (cwd) => {
    const listed = (await listRemote(remote, [BRANCH], world)).get(BRANCH);
    const format = listed?.length === 64 ? ['--object-format=sha256'] : [];
    await exchange(['init', '-q', '--bare', '--template=', ...format, '.'], remote, { world, cwd });
    if (listed === undefined) return await work({ cwd, head: undefined });
    await exchange(['fetch', '-q', '--no-tags', '--depth=1', remote.url, BRANCH], remote, { world, cwd });
    const head = (await exchange(['rev-parse', 'FETCH_HEAD'], remote, { world, cwd })).trim(); // somebody may have pushed since it was listed
    return await work({ cwd, head });
  });
}

function viewOf({ remote, world }: GitRemote, { cwd, head }: Place): BranchView {
  return {
    read: async (path, maxBytes) => {
      const clean = parseRelativePath(path, 'path');
      if (head === undefined) return undefined;
      const entry = await exchange(['ls-tree', '--long', 'FETCH_HEAD', '--', clean], remote, { world, cwd });
      const [, type, id, size] = /^\d+ (\w+) ([0-9a-f]+) +(\d+|-)\t/.exec(entry) ?? [];
      if (type !== 'blob' || id === undefined) return undefined;
      if (Number(size) > maxBytes)
        throw new ToolError('E_TOO_LARGE', `${clean} has more than ${maxBytes} bytes`, { hint: 'Nothing was kept.' });
      return exchange(['cat-file', 'blob', id], remote, { world, cwd });
    },
  };
}

/** True when the remote took the commit; false when another came first, or nobody knows. */
async function push(
  { remote, world }: GitRemote,
  { cwd, head }: Place,
  { files, message }: { readonly files: ReadonlyMap<string, string>; readonly message: string },
): Promise<boolean> {
  const git = (args: readonly string[], input?: string): Promise<string> =>
    exchange(args, remote, { world, cwd, ...(input === undefined ? {} : { input }) });
  if (head !== undefined) await git(['read-tree', 'FETCH_HEAD']);
  for (const [path, text] of files) {
    const id = (await git(['hash-object', '-w', '--stdin'], text)).trim();
    await git(['update-index', '--add', '--cacheinfo', `100644,${id},${parseRelativePath(path, 'path')}`]);
  }
  const tree = (await git(['write-tree'])).trim();
  const parent = head === undefined ? [] : ['-p', head];
  const commit = (await git([...NAME, 'commit-tree', tree, ...parent, '-m', message])).trim();
  try {
    await git(['push', '-q', '--no-verify', remote.url, `${commit}:${BRANCH}`]);
    return true;
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return false; // it may have arrived: looking tells
    if (
      isToolError(error, 'E_COMMAND') &&
      /rejected|fetch first|non-fast-forward|failed to update ref|cannot lock ref/i.test(error.message)
    )
      return false;
    throw error;
  }
}
