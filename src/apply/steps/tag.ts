// One tag on several repositories. Rule: a tag that is there is never moved, and only the very objects that this plan pushed are ever removed.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { RepositoryToTag } from '../../model/git-work.ts';
import { fetchCommit, listRemote, pushTag, removeTag, tagObjectId } from '../../world/git-remote.ts';
import { makeFolder } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { workFolder } from '../site.ts';

const tagRepositories: Handler<'tag-repositories'> = {
  done: async ({ tag, repositories }, site) => {
    for (const repository of repositories) if ((await commitUnder(tag, repository, site)) !== repository.commit) return false;
    return true;
  },
  run: async ({ tag, repositories }, site) => {
    for (const repository of repositories) {
      if (site.interrupted()) throw new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Run the same command again.' });
      await tagRepository(tag, repository, site);
    }
  },
  undo: async ({ tag, repositories }, _saved, site) => {
    const left: string[] = [];
    for (const repository of repositories.filter((each) => existsSync(pushedMark(each, site)))) {
      const { name, object } = repository;
      const folder = join(workOf(repository, site), 'remove');
      await removeTag(folder, repository, { tag, object }, site.world).catch((error: unknown) => left.push(`${name}: ${reasonOf(error)}`));
    }
    if (left.length === 0) return;
    throw new ToolError('E_NETWORK', `${tag} may still be on ${left.join('; ')}`, {
      hint: 'Run the same command again: it removes what is left.',
    });
  },
};

/** The handler of tags on other repositories. */
export const tagSteps = { 'tag-repositories': tagRepositories } satisfies Pick<Handlers, 'tag-repositories'>;

async function tagRepository(tag: string, repository: RepositoryToTag, site: Site): Promise<void> {
  const { name, commit, object } = repository;
  if ((await commitUnder(tag, repository, site)) === commit) return;
  await makeFolder(workOf(repository, site), 0o700);
  const folder = join(workOf(repository, site), 'push');
  if (!(await fetchCommit(folder, repository, commit, site.world))) throw noCommit(repository);
  await writeFile(pushedMark(repository, site), '', { flush: true });
  const failed = await pushTag(folder, repository, { tag, object }, site.world).then(() => undefined, asToolError);
  const found = await commitUnder(tag, repository, site);
  if (found === commit) return; // whatever the push said: the answer may have been lost on the way
  if (failed !== undefined && found === undefined) throw failed;
  const now =
    found === undefined ? `${name} took ${tag}, and does not show it` : `${name} has ${tag} on ${found} by now, and not on ${commit}`;
  throw new ToolError('E_RESERVED_ELSEWHERE', now, { hint: 'Somebody else tagged at the same time; take the next version.' });
}

/** The commit that has the tag there, peeled. */
async function commitUnder(tag: string, repository: RepositoryToTag, site: Site): Promise<string | undefined> {
  const name = `refs/tags/${tag}`;
  const refs = await listRemote(repository, [name, `${name}^{}`], site.world);
  return refs.get(`${name}^{}`) ?? refs.get(name);
}

function workOf({ name, object }: RepositoryToTag, { root, planId }: Site): string {
  return join(workFolder(root, planId), `tag-${tagObjectId(`${object}${name}`).slice(0, 16)}`);
}

/** There from right before the push on: without it there is nothing of ours to take back. */
function pushedMark(repository: RepositoryToTag, site: Site): string {
  return join(workOf(repository, site), 'pushed');
}

function asToolError(error: unknown): ToolError {
  if (error instanceof ToolError) return error;
  throw error;
}

function reasonOf(error: unknown): string {
  return asToolError(error).message;
}

function noCommit({ name, commit }: RepositoryToTag): ToolError {
  return new ToolError('E_NOT_FOUND', `${name} does not have the commit ${commit} any more`, {
    hint: 'Look at its branches, and run the command again.',
  });
}
