// The branch `channels` of a repository on GitHub, through its contents API. Rule: a file is changed only by naming the blob that it replaces.

import { ToolError } from '../model/error.ts';
import { parseFields, parseText } from '../model/parse.ts';
import { type BranchFile, type BranchFiles, CHANNELS_BRANCH } from './branch-files.ts';
import { type Github, parseObjectId, readIfThere } from './github-api.ts';

const README = 'What installs follow. Written by `slipway publish`; each file is signed.\n';

/** docs.github.com/rest/repos/contents */
export function githubFiles(github: Github): BranchFiles {
  return {
    label: github.web,
    read: (path) => readFile(github, path),
    write: (path, bytes, before) => writeFile(github, path, { bytes, before }),
    sleep: github.world.sleep,
  };
}

async function readFile(github: Github, path: string): Promise<BranchFile | undefined> {
  const found = await readIfThere(github, `contents/${encoded(path)}?ref=${CHANNELS_BRANCH}`);
  if (found === undefined) return undefined;
  const where = `${github.name}: ${path}`;
  if (Array.isArray(found))
    throw new ToolError('E_FORMAT', `${where} is a folder`, { hint: `Remove it from the branch ${CHANNELS_BRANCH}.` });
  const fields = parseFields(found, where);
  const id = parseObjectId(fields.sha, where);
  // Above 1 MB the contents API leaves the content out; the blob has it.
  const { content, encoding } =
    fields.encoding === 'base64' ? fields : parseFields((await github.forge.call({ path: `${github.path}/git/blobs/${id}` })).body, where);
  if (encoding !== 'base64')
    throw new ToolError('E_FORMAT', `${where} comes in the encoding ${String(encoding)}`, { hint: 'Is this the API of GitHub?' });
  return { id, bytes: Buffer.from(parseContent(content, where), 'base64') };
}

/** An empty file is a text without characters. */
function parseContent(value: unknown, where: string): string {
  return value === '' ? '' : parseText(value, where);
}

async function writeFile(
  github: Github,
  path: string,
  { bytes, before }: { readonly bytes: Buffer; readonly before: string | undefined },
): Promise<'written' | 'lost'> {
  github.mayWrite();
  const body = {
    message: `Publish ${path}`,
    content: bytes.toString('base64'),
    branch: CHANNELS_BRANCH,
    ...(before === undefined ? {} : { sha: before }),
  };
  const { status, text } = await github.forge.call({
    method: 'PUT',
    path: `${github.path}/contents/${encoded(path)}`,
    body,
    answers: [404, 409, 422],
  });
  if (status < 300) return 'written';
  if (/rule violation|protected branch/i.test(text)) throw ruleRefusal(github);
  if (status === 404) await makeBranch(github);
  return 'lost';
}

function ruleRefusal(github: Github): ToolError {
  return new ToolError('E_AUTH', `${github.name}: a rule does not let this token write the branch ${CHANNELS_BRANCH}`, {
    hint: `Look at ${github.web}/settings/rules, and let whoever publishes write ${CHANNELS_BRANCH} without a pull request.`,
  });
}

/** An orphan branch: it shares nothing with the product's history. */
async function makeBranch(github: Github): Promise<void> {
  await github.repository();
  if ((await readIfThere(github, `git/ref/heads/${CHANNELS_BRANCH}`)) !== undefined) return;
  const tree = await make(github, 'git/trees', { tree: [{ path: 'README.md', mode: '100644', type: 'blob', content: README }] });
  const commit = await make(github, 'git/commits', { message: 'Begin the channels', tree, parents: [] });
  const body = { ref: `refs/heads/${CHANNELS_BRANCH}`, sha: commit };
  await github.forge.call({ method: 'POST', path: `${github.path}/git/refs`, body, answers: [409, 422] }); // somebody else's is as good
}

async function make(github: Github, path: string, body: unknown): Promise<string> {
  const answer = await github.forge.call({ method: 'POST', path: `${github.path}/${path}`, body });
  return parseObjectId(parseFields(answer.body, path).sha, `${github.name}: ${path}`);
}

function encoded(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
