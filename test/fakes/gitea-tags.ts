// Tags and their protections as Gitea's API has them. Rule: the check and the making are two steps; the loser of a race gets 500, not 409.
import { type Answer, type Call, formOf, NOT_FOUND, pageOf, refuse, textOf, windowOf } from './gitea-call.ts';
import { DEFAULT_BRANCH, type GiteaState, type GitTag, insertRow, isProtected, pushTag, rowOf } from './gitea-state.ts';

/** Answers `/tags…`. */
export async function answerTags(state: GiteaState, call: Call): Promise<Answer> {
  const name = call.path.split('/').slice(2).join('/');
  if (name === '') return call.method === 'POST' ? createTag(state, call) : listTags(state, call);
  if (call.method === 'DELETE') return deleteTag(state, call, name);
  const tag = state.tags.get(name);
  return tag === undefined ? refuse(404, `tag doesn't exist: ${name}`) : { status: 200, body: tagJson(name, tag) };
}

/** Answers `/tag_protections`: for administrators of the repository only. */
export function answerProtections(state: GiteaState, { token }: Call): Answer {
  return token?.access === 'admin'
    ? { status: 200, body: state.settings.protections }
    : refuse(403, 'user should be an owner or a collaborator with admin write of a repository');
}

/** `X-Total-Count` tells how many there are; no `Link` comes with it. */
function listTags(state: GiteaState, call: Call): Answer {
  const all = [...state.tags].map(([name, tag]) => tagJson(name, tag)).reverse();
  return { status: 200, headers: { 'x-total-count': String(all.length) }, body: pageOf(state, call, all) };
}

async function createTag(state: GiteaState, call: Call): Promise<Answer> {
  const form = formOf(call);
  const name = textOf(form, 'tag_name');
  const target = textOf(form, 'target') || DEFAULT_BRANCH;
  const commit = state.branches.get(target)?.head ?? (state.commits.has(target) ? target : undefined);
  if (state.settings.empty || commit === undefined) return refuse(404, `target not found: object does not exist [id: ${target}]`);
  if (rowOf(state, name) !== undefined) return refuse(409, `tag already exists [name: ${name}]`);
  if (isProtected(state, name, call.token?.user ?? '')) return refuse(422, 'user not allowed to create protected tag');
  await windowOf(state);
  if (!state.tags.has(name)) pushTag(state, name, commit, textOf(form, 'message') || undefined);
  if (insertRow(state, { tag: name, isTag: true, target: commit }) === undefined) {
    return refuse(500, 'UNIQUE constraint failed: release.repo_id, release.tag_name');
  }
  return { status: 201, body: tagJson(name, state.tags.get(name) as GitTag) };
}

/** Only a bare tag with a row can be deleted; a draft or a release holds it. */
function deleteTag(state: GiteaState, call: Call, name: string): Answer {
  const row = rowOf(state, name);
  if (row === undefined) return NOT_FOUND;
  if (!row.isTag) return refuse(409, 'a tag attached to a release cannot be deleted directly');
  if (isProtected(state, name, call.token?.user ?? '')) return refuse(422, 'user not allowed to delete protected tag');
  state.rows.splice(state.rows.indexOf(row), 1);
  state.tags.delete(name);
  return { status: 204 };
}

/** The message without white space around it; that of the commit for a lightweight tag. */
function tagJson(name: string, tag: GitTag): unknown {
  const message = tag.message?.trim() ?? 'Release the thing';
  return { name, message, id: tag.id, commit: { sha: tag.commit, created: tag.created, url: '' }, zipball_url: '', tarball_url: '' };
}
