// Two branches of the train, on their remotes and in the checkout. Rule: looks only, in a folder of its own that goes again; what cannot be looked at is a fact, too.
import { join, resolve } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { GitAddress } from '../model/git-work.ts';
import type { Commits, TrainHeads, TrainLook, TrainPair } from '../model/train.ts';
import { type GitWorld, runGit } from '../world/git.ts';
import { commitsBeyond, type FileAt, fetchHistory, type History, headOf, isWithin, readFileAt } from '../world/git-history.ts';
import { listRemote } from '../world/git-remote.ts';
import { inScratch } from '../world/scratch.ts';

/** What the checkout has that no commit has, and where its branches are. */
export interface CheckoutLook {
  /** The folder below the repository's top, with `/` at its end; empty at the top. */
  readonly prefix: string;
  readonly changed: readonly string[];
  readonly untracked: readonly string[];
  /** Commits of the two branches, by name, as far as they are there. */
  readonly branches: ReadonlyMap<string, string>;
}

const NONE: Commits = { count: 0, newest: [] };
const MOST_BYTES = 4 * 1024 * 1024;

/** What the checkout around `root` says; nothing where there is no git repository. */
export async function observeCheckoutBranches(root: string, { from, to }: TrainPair, world: GitWorld): Promise<CheckoutLook> {
  const cwd = root;
  const inside = await runGit(['rev-parse', '--is-inside-work-tree'], world, { cwd, codes: [0, 128] });
  if (inside.trim() !== 'true') return { prefix: '', changed: [], untracked: [], branches: new Map() };
  const prefix = (await runGit(['rev-parse', '--show-prefix'], world, { cwd })).trim();
  const status = await runGit(['status', '--porcelain=v1', '-z', '--no-renames', '--untracked-files=normal'], world, { cwd });
  const lines = status.split('\0').filter((line) => line !== '');
  const refs = await runGit(['for-each-ref', '--format=%(refname)%00%(objectname)', `refs/heads/${from}`, `refs/heads/${to}`], world, {
    cwd,
  });
  const branches = refs.split('\n').flatMap((line): [string, string][] => {
    const [name = '', commit = ''] = line.split('\0');
    const branch = name.replace('refs/heads/', '');
    return branch === from || branch === to ? [[branch, commit]] : [];
  });
  return {
    prefix,
    changed: lines.filter((line) => !line.startsWith('?? ')).map((line) => line.slice(3)),
    untracked: lines.filter((line) => line.startsWith('?? ') && line !== '?? .slipway/').map((line) => line.slice(3)),
    branches: new Map(branches),
  };
}

/** The address of a remote of the checkout. Throws E_CONFIG when it has none of that name. */
export async function observeRemoteUrl(root: string, name: string, world: GitWorld): Promise<string> {
  const said = await runGit(['remote', 'get-url', name], world, { cwd: root, codes: [0, 2, 128] });
  const url = said.trim();
  if (/^\.{1,2}(?:\/|$)/.test(url)) return resolve((await runGit(['rev-parse', '--show-toplevel'], world, { cwd: root })).trim(), url);
  if (url !== '') return url;
  throw new ToolError('E_CONFIG', `there is no remote ${name} in the checkout at ${root}`, {
    hint: `git remote add ${name} ADDRESS, or name another one in \`sync.remotes\`.`,
  });
}

/** Where both branches are on the remote now. */
export async function observeHeads(remote: GitAddress, { from, to }: TrainPair, world: GitWorld): Promise<TrainHeads> {
  const refs = await listRemote(remote, [`refs/heads/${from}`, `refs/heads/${to}`], world);
  return { from: refs.get(`refs/heads/${from}`), to: refs.get(`refs/heads/${to}`) };
}

export interface TrainRequest {
  readonly remote: GitAddress;
  readonly pair: TrainPair;
  /** Of the checkout, by name. */
  readonly branches: ReadonlyMap<string, string>;
  /** A file to read as `from` has it, from the repository's top. */
  readonly file: string | undefined;
}

/** Looks at one remote; failures are facts. */
export async function observeTrain(request: TrainRequest, world: GitWorld): Promise<TrainLook> {
  const { remote } = request;
  const nothing = { remote, from: undefined, to: undefined, going: NONE, foreign: NONE, unpushed: [], tags: new Map(), file: undefined };
  try {
    return { ...nothing, ...(await inScratch((folder) => lookAt(request, { folder, remote, world }))), problem: undefined };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return { ...nothing, problem: error };
  }
}

async function lookAt({ remote, pair, branches, file }: TrainRequest, place: History): Promise<Partial<TrainLook>> {
  const listed = await observeHeads(remote, pair, place.world);
  if (listed.from === undefined || listed.to === undefined) return listed;
  const history = { ...place, folder: join(place.folder, 'history') };
  await fetchHistory(history, [pair.from, pair.to]);
  const [from, to] = [await headOf(history, pair.from), await headOf(history, pair.to)]; // somebody may have pushed since they were listed
  const unpushed: string[] = [];
  for (const [name, commit] of branches) {
    if (!(await isWithin(history, commit, from)) && !(await isWithin(history, commit, to))) unpushed.push(name);
  }
  return {
    from,
    to,
    going: await commitsBeyond(history, from, to),
    foreign: await commitsBeyond(history, to, from),
    unpushed,
    tags: await tagsOf(remote, place.world),
    file: file === undefined ? undefined : await readFileAt({ ...place, folder: join(place.folder, 'file') }, fileAt(from, file)),
  };
}

function fileAt(commit: string, path: string): FileAt {
  return { commit, path, maxBytes: MOST_BYTES };
}

/** Annotated tags by the commit that they name. */
async function tagsOf(remote: GitAddress, world: GitWorld): Promise<ReadonlyMap<string, string>> {
  const refs = await listRemote(remote, ['refs/tags/*'], world);
  const plain = [...refs.keys()].filter((name) => !name.endsWith('^{}'));
  return new Map(plain.map((name) => [name.replace('refs/tags/', ''), refs.get(`${name}^{}`) ?? refs.get(name) ?? '']));
}
