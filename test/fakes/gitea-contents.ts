// Branches and files as Gitea's contents API has them. Rule: a change names the blob it replaces; who comes second gets 422, or 500 in a closer race.
import { type Answer, type Call, formOf, NOT_FOUND, refuse, textOf, windowOf } from './gitea-call.ts';
import { type Branch, blobId, DEFAULT_BRANCH, type GiteaState, objectId } from './gitea-state.ts';

/** DEFAULT_MAX_BLOB_SIZE: the content of a larger file is null. */
const MOST_BLOB_BYTES = 10 * 1024 * 1024;

/** Answers `/contents…`. */
export async function answerContents(state: GiteaState, call: Call): Promise<Answer> {
  const path = call.path.split('/').slice(2).join('/');
  if (call.method === 'POST' && path === '') return changeFiles(state, call);
  if (call.method !== 'GET') return refuse(405, 'Method Not Allowed');
  const files = state.branches.get(call.query.get('ref') || DEFAULT_BRANCH)?.files;
  if (files === undefined || state.settings.empty) return NOT_FOUND;
  const bytes = files.get(path);
  if (bytes !== undefined) return { status: 200, body: fileJson(path, bytes, true) };
  const inside = path === '' ? '' : `${path}/`;
  const below = [...files].filter(([name]) => name.startsWith(inside));
  if (below.length === 0) return NOT_FOUND;
  const direct = below.filter(([name]) => !name.slice(inside.length).includes('/'));
  return { status: 200, body: direct.map(([name, content]) => fileJson(name, content, false)) };
}

/** Answers `/branches…`. */
export async function answerBranches(state: GiteaState, call: Call): Promise<Answer> {
  const name = call.path.split('/').slice(2).join('/');
  if (call.method === 'POST') return createBranch(state, call);
  const branch = state.branches.get(name);
  return branch === undefined ? NOT_FOUND : { status: 200, body: { name, commit: { id: branch.head } } };
}

async function createBranch(state: GiteaState, call: Call): Promise<Answer> {
  const form = formOf(call);
  const name = textOf(form, 'new_branch_name');
  if (state.settings.empty) return refuse(404, 'Git Repository is empty.');
  const old = state.branches.get(textOf(form, 'old_branch_name') || DEFAULT_BRANCH);
  if (old === undefined) return refuse(404, 'The old branch does not exist');
  await windowOf(state);
  if (state.branches.has(name)) return refuse(409, 'The branch already exists.');
  state.branches.set(name, { ...old });
  return { status: 201, body: { name, commit: { id: old.head } } };
}

interface Change {
  readonly operation: string;
  readonly path: string;
  readonly content?: string;
  readonly sha?: string;
}

/** services/repository/files/update.go: checks against the branch as it was, then a push that must be a fast-forward. One commit for all files. */
async function changeFiles(state: GiteaState, call: Call): Promise<Answer> {
  const form = formOf(call);
  const name = textOf(form, 'branch') || DEFAULT_BRANCH;
  const branch = state.branches.get(name);
  if (branch === undefined || state.settings.empty) return refuse(404, `branch does not exist [repo_id: 1 name: ${name}]`);
  const former = branch.head;
  const changes = form.files as readonly Change[];
  for (const change of changes) {
    const refused = check(branch, change);
    if (refused !== undefined) return refused;
  }
  await windowOf(state);
  if (branch.head !== former) return refuse(500, 'PushOutOfDate: ! [rejected] HEAD -> channels (fetch first)');
  const files = new Map(branch.files);
  for (const { operation, path, content = '' } of changes) {
    if (operation === 'delete') files.delete(path);
    else files.set(path, Buffer.from(content, 'base64'));
  }
  const head = objectId(`${former} ${textOf(form, 'message')} ${state.nextId++}`);
  state.commits.add(head);
  state.messages.push(textOf(form, 'message'));
  Object.assign(branch, { head, files });
  return { status: 201, body: { commit: { sha: head, message: textOf(form, 'message') } } };
}

function check({ files }: Branch, { operation, path, sha }: Change): Answer | undefined {
  const there = files.get(path);
  if (operation === 'create') {
    return there === undefined ? undefined : refuse(422, `repository file already exists [path: ${path}]`);
  }
  if (there === undefined) return refuse(404, `object does not exist [id: , rel_path: ${path}]`);
  if (sha === undefined || sha === '') return refuse(422, 'a SHA or commit ID must be proved when updating a file');
  return sha === blobId(there) ? undefined : refuse(422, `sha does not match [given: ${sha}, expected: ${blobId(there)}]`);
}

function fileJson(path: string, bytes: Buffer, whole: boolean): unknown {
  const shown = whole && bytes.length <= MOST_BLOB_BYTES;
  return {
    name: path.split('/').at(-1),
    path,
    sha: blobId(bytes),
    type: 'file',
    size: bytes.length,
    encoding: shown ? 'base64' : null,
    content: shown ? bytes.toString('base64') : null,
  };
}
