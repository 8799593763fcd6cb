// What CI says on the forge's own pages. Rule: the same calls on GitHub and Gitea; the token stays in the environment, and what is there already is brought up to date.

const CALL = `
import { readFileSync } from 'node:fs';
const { GITHUB_API_URL, GITHUB_REPOSITORY, RUNNER_TEMP, TOKEN } = process.env;
async function call(method, path, content) {
  const headers = { authorization: 'Bearer ' + TOKEN, accept: 'application/json', 'content-type': 'application/json' };
  const body = content === undefined ? undefined : JSON.stringify(content);
  const answer = await fetch(GITHUB_API_URL + '/repos/' + GITHUB_REPOSITORY + '/' + path, { method, headers, body });
  if (answer.status === 404 && method === 'GET') return undefined;
  if (!answer.ok) throw new Error(method + ' ' + path + ': ' + answer.status + ' ' + (await answer.text()).slice(0, 300));
  return answer.json();
}
`;

/** A release page for `$TAG` with the notes of notes.md. */
export const ANNOUNCE: readonly string[] = script(`
const { TAG, PRERELEASE } = process.env;
if ((await call('GET', 'releases/tags/' + TAG)) === undefined) {
  const body = readFileSync(RUNNER_TEMP + '/notes.md', 'utf8').slice(0, 120000);
  await call('POST', 'releases', { tag_name: TAG, name: TAG, body, draft: false, prerelease: PRERELEASE === 'true' });
}
`);

const FIND = `
async function find(path) {
  for (let page = 1; page <= 20; page += 1) {
    const list = await call('GET', path + 'per_page=50&limit=50&page=' + page);
    const known = list.find((item) => item.body?.startsWith(MARK));
    if (known !== undefined || list.length < 30) return known;
  }
}
`;

/** One issue with the text of outdated.txt, closed when `$OUTDATED` is not 4. */
export const ISSUE: readonly string[] = script(`
const { OUTDATED, MARK, TITLE } = process.env;
const text = readFileSync(RUNNER_TEMP + '/outdated.txt', 'utf8').slice(0, 50000);
const body = [MARK, '\`\`\`', text.trimEnd(), '\`\`\`', ''].join('\\n');${FIND}const known = await find('issues?state=open&');
const state = OUTDATED === '4' ? 'open' : 'closed';
if (known !== undefined) await call('PATCH', 'issues/' + known.number, { body, state });
else if (state === 'open') await call('POST', 'issues', { title: TITLE, body });
`);

/** One comment on the pull request `$PULL` with the text that `$COMMENT` holds in base64. */
export const COMMENT: readonly string[] = script(`
const { COMMENT, MARK, PULL } = process.env;
const body = [MARK, Buffer.from(COMMENT, 'base64').toString('utf8')].join('\\n');${FIND}const known = await find('issues/' + PULL + '/comments?');
if (known === undefined) await call('POST', 'issues/' + PULL + '/comments', { body });
else await call('PATCH', 'issues/comments/' + known.id, { body });
`);

function script(text: string): readonly string[] {
  return ["node --input-type=module <<'EOF'", ...`${CALL.trim()}\n${text.trim()}`.split('\n'), 'EOF'];
}
