// The issues of a forge and the comments of its pull requests. Rule: what both forges have in common, page by page, and nothing without the job's token.
import { serve } from '../../fakes/http-server.ts';
import { TOKEN } from './stage.ts';

export interface Item {
  readonly number: number;
  readonly id: number;
  title?: string;
  body: string;
  state: string;
}

/** Starts one with 60 issues of other people. */
export async function forgeIssues(): Promise<{ url: string; issues: Item[]; comments: Item[] }> {
  const [issues, comments]: [Item[], Item[]] = [[], []];
  for (let n = 1; n <= 60; n += 1) issues.push({ number: n, id: n, title: 'another', body: 'x', state: 'open' });
  const host = await serve(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '', 'http://x');
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, {});
    const sent = (chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())) as Partial<Item>;
    const path = url.pathname.replace('/repos/acme/acme/', '');
    const list = path.includes('comments') ? comments : issues;
    const from = (Number(url.searchParams.get('page')) - 1) * 50;
    if (request.method === 'GET') return answer(200, list.filter(({ state }) => state === 'open').slice(from, from + 50));
    if (request.method === 'POST') {
      list.push({ number: list.length + 1, id: list.length + 1, body: '', state: 'open', ...sent });
      return answer(201, list.at(-1));
    }
    const item = list.find(({ id }) => id === Number(path.split('/').at(-1)));
    if (item === undefined) return answer(404, {});
    return answer(200, Object.assign(item, sent));
  });
  return { url: `http://${host}`, issues, comments };
}
