// What other repositories have under a tag, and whether they would take it. Rule: looks only; what stands in the way of each is told for all of them at once.
import { ToolError } from '../model/error.ts';
import type { GitWorld } from '../world/git.ts';
import { fetchCommit, listRemote, type RemoteAddress, tryPush } from '../world/git-remote.ts';
import { inScratch } from '../world/scratch.ts';

export interface RepositoryLook {
  /** The commit that is to be tagged: the one asked for, else that of the default branch. */
  readonly commit: string | undefined;
  /** The commit that has the tag already. */
  readonly tagged: string | undefined;
  readonly problem: ToolError | undefined;
}

export interface RepositoryRequest {
  readonly remote: RemoteAddress;
  readonly tag: string;
  /** A branch, or a whole commit id; undefined = the default branch. */
  readonly at: string | undefined;
}

/** Looks at one repository; failures are facts. */
export async function observeRepository(request: RepositoryRequest, world: GitWorld): Promise<RepositoryLook> {
  try {
    return await look(request, world);
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return { commit: undefined, tagged: undefined, problem: error };
  }
}

/** The commit that has the tag there, peeled; undefined when none has. */
export async function observeRemoteTag(remote: RemoteAddress, tag: string, world: GitWorld): Promise<string | undefined> {
  const name = `refs/tags/${tag}`;
  const refs = await listRemote(remote, [name, `${name}^{}`], world);
  return refs.get(`${name}^{}`) ?? refs.get(name);
}

async function look({ remote, tag, at }: RepositoryRequest, world: GitWorld): Promise<RepositoryLook> {
  const refs = await listRemote(remote, ['HEAD', 'refs/heads/*'], world);
  const isCommit = at !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(at);
  const commit = isCommit ? at : refs.get(at === undefined ? 'HEAD' : `refs/heads/${at}`);
  const tagged = await observeRemoteTag(remote, tag, world);
  if (commit === undefined) return { commit, tagged, problem: nothingThere(at) };
  const problem = tagged === undefined ? await refusalOfPush(remote, { tag, commit }, world) : undefined;
  return { commit, tagged, problem };
}

/** What a push would meet, tried from a folder that goes again. */
function refusalOfPush(
  remote: RemoteAddress,
  { tag, commit }: { readonly tag: string; readonly commit: string },
  world: GitWorld,
): Promise<ToolError | undefined> {
  return inScratch(async (folder) => {
    if (!(await fetchCommit(folder, remote, commit, world))) return noCommit(commit);
    await tryPush(folder, remote, { tag, commit }, world);
    return undefined;
  });
}

function nothingThere(at: string | undefined): ToolError {
  const message = at === undefined ? 'it has no default branch with a commit' : `it has no branch ${at}`;
  return new ToolError('E_PREFLIGHT', message, { hint: 'Name a branch or a whole commit id with --at REPOSITORY=COMMIT.' });
}

function noCommit(commit: string): ToolError {
  return new ToolError('E_PREFLIGHT', `no branch there has the commit ${commit}`, {
    hint: 'Push it first, or name another one with --at.',
  });
}
