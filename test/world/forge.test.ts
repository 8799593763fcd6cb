// The client of a forge's API: what it sends where, when it waits, and what its errors say.
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { ToolError } from '../../src/model/error.ts';
import type { Event } from '../../src/model/event.ts';
import { type Forge, type ForgeAnswer, type ForgeOptions, openForge } from '../../src/world/forge.ts';
import { limitOf } from '../../src/world/forge-limit.ts';
import { failure } from '../failure.ts';
import { serve } from '../fakes/http-server.ts';
import { type TestHttpWorld, testHttpWorld } from '../fakes/http-world.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

const ADVICE = {
  repository: 'acme/acme',
  variable: 'FORGE_TOKEN',
  isSet: true,
  scope: 'write',
  makeAt: 'https://forge/tokens',
  alsoTo: [],
};
let world: TestHttpWorld;
let events: Event[];

beforeEach(() => {
  world = testHttpWorld();
  events = [];
});

async function open(handle: Handle, parts: Partial<ForgeOptions> = {}): Promise<{ readonly forge: Forge; readonly base: string }> {
  const base = `http://${await serve(handle)}/api`;
  const told = { ...world, report: (event: Event) => void events.push(event) };
  return { base, forge: openForge({ base, name: 'forge', authorization: 'token s3cret', advice: ADVICE, world: told, ...parts }) };
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

describe('a call', () => {
  test('sends JSON and the token, and gives what came back', async () => {
    const seen: unknown[] = [];
    const { forge } = await open(async (request, response) => {
      seen.push([request.method, request.url, request.headers.authorization, request.headers['content-type'], await textOf(request)]);
      json(response, 201, { id: 7 });
    });
    const answer = await forge.call({ method: 'POST', path: 'repos/a/b', body: { tag: 'v1' } });
    expect(answer).toMatchObject({ status: 201, body: { id: 7 } });
    expect(seen).toEqual([['POST', '/api/repos/a/b', 'token s3cret', 'application/json', '{"tag":"v1"}']]);
  });

  test('gives nothing for an empty answer, and returns the statuses that it was asked to return', async () => {
    const { forge } = await open((request, response) => response.writeHead(request.url === '/api/gone' ? 404 : 204).end());
    expect(await forge.call({ method: 'DELETE', path: 'x' })).toMatchObject({ status: 204, body: undefined });
    expect((await forge.call({ path: 'gone', answers: [404] })).status).toBe(404);
    await expect(forge.call({ path: 'gone' })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });

  test('is not led to another origin', async () => {
    const { forge } = await open((_, response) => json(response, 200, {}));
    await expect(forge.call({ path: 'http://127.0.0.1:1/elsewhere' })).rejects.toMatchObject({ code: 'E_NETWORK' });
  });

  test('that changes something is sent once, even when the connection breaks', async () => {
    let asked = 0;
    const { forge } = await open((request) => {
      asked += 1;
      request.socket.destroy();
    });
    await expect(forge.call({ method: 'POST', path: 'x', body: {} })).rejects.toMatchObject({ code: 'E_NETWORK' });
    expect(asked).toBe(1);
  });

  test.each([
    [401, 'E_AUTH', /write of acme\/acme.*\$FORGE_TOKEN.*https:\/\/forge\/tokens/],
    [403, 'E_AUTH', /\$FORGE_TOKEN/],
    [404, 'E_NOT_FOUND', /acme\/acme spelled right.*\$FORGE_TOKEN/],
    [413, 'E_TOO_LARGE', /size/],
    [422, 'E_CONFIG', /Mend/],
    [500, 'E_NETWORK', /again/],
  ] as const)('that is answered %i throws %s with what to do, and the forge’s words', async (status, code, hint) => {
    const { forge } = await open((_, response) => json(response, status, { message: 'It says no', errors: [{ message: 'and why' }] }));
    await expect(forge.call({ method: 'POST', path: 'x' })).rejects.toMatchObject({
      code,
      message: expect.stringContaining('It says no; and why'),
      hint: expect.stringMatching(hint),
    });
  });

  test('never shows the token, nor a page of HTML, nor more than a line', async () => {
    const { forge } = await open((_, response) => json(response, 400, { message: `s3cret\n\u001b[2J${'x'.repeat(9999)}` }));
    const error = (await forge.call({ path: 'x' }).catch((reason: unknown) => reason)) as Error;
    expect(error.message).not.toMatch(/s3cret|\p{Cc}/u);
    expect(error.message.length).toBeLessThan(500);
    const { forge: proxy } = await open((_, response) =>
      response.writeHead(400, { 'content-type': 'text/html' }).end('<html>Welcome</html>'),
    );
    await expect(proxy.call({ path: 'x' })).rejects.toMatchObject({ message: expect.not.stringContaining('html') });
  });
});

describe('a listing', () => {
  const pages = (total: number): Handle => {
    return (request, response) => {
      const url = new URL(request.url ?? '', 'http://forge.example');
      const page = Number(url.searchParams.get('page') ?? 1);
      url.searchParams.set('page', String(page + 1));
      json(response, 200, [page], page < total ? { link: `<${url}>; rel="next", <${url}>; rel="last"` } : {});
    };
  };

  test('follows every page, also when the forge behind a proxy names itself otherwise', async () => {
    const { forge } = await open(pages(12));
    expect(await forge.list('things')).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
  });

  test('that never ends is refused', async () => {
    const { forge } = await open(pages(Number.POSITIVE_INFINITY));
    await expect(forge.list('things')).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
  });

  test('that fails on any page, or is no list, is no empty one', async () => {
    const { forge } = await open((request, response) =>
      request.url?.includes('page=3') ? json(response, 500, {}) : pages(5)(request, response),
    );
    await expect(forge.list('things')).rejects.toMatchObject({ code: 'E_NETWORK' });
    const { forge: other } = await open((_, response) => json(response, 200, { message: 'no list' }));
    await expect(other.list('things')).rejects.toMatchObject({ code: 'E_FORMAT' });
  });
});

describe('an upload', () => {
  const CONTENT = 'x'.repeat(200_000);

  async function file(): Promise<string> {
    const path = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'a.tar.gz');
    await writeFile(path, CONTENT);
    return path;
  }

  const asset = { name: 'a.tar.gz', size: CONTENT.length, sha256: digestOf(CONTENT) };

  test('is streamed with its length and what surrounds it, and tells its progress', async () => {
    const seen: unknown[] = [];
    const { forge, base } = await open(async (request, response) => {
      const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
      seen.push([length, encoding, digestOf(await textOf(request))]);
      json(response, 201, {});
    });
    const done: number[] = [];
    const around = { prefix: Buffer.from('<'), suffix: Buffer.from('>'), onBytes: (bytes: number) => done.push(bytes) };
    await forge.send({ url: `${base}/assets`, file: await file(), asset, headers: {}, ...around });
    expect(seen).toEqual([['200002', undefined, digestOf(`<${CONTENT}>`)]]);
    expect(done.at(-1)).toBe(asset.size);
  });

  test.each(['x', `${'x'.repeat(199_999)}y`, `${CONTENT}x`])('of a file that changed never arrives whole', async (text) => {
    const whole: string[] = [];
    const { forge, base } = await open((request, response) => {
      void textOf(request).then(
        (body) => whole.push(body),
        () => undefined,
      );
      request.on('end', () => json(response, 201, {}));
    });
    const path = await file();
    await writeFile(path, text);
    await expect(forge.send({ url: `${base}/assets`, file: path, asset, headers: {} })).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(whole).toEqual([]);
  });

  test('that is refused before it ends says why, and is not sent again', async () => {
    let asked = 0;
    const { forge, base } = await open((request, response) => {
      asked += 1;
      request.resume();
      json(response, 413, { message: 'too large' });
    });
    await expect(forge.send({ url: `${base}/assets`, file: await file(), asset, headers: {} })).rejects.toMatchObject({
      code: 'E_TOO_LARGE',
    });
    expect(asked).toBe(1);
  });
});

describe('an upload whose connection is closed in the middle', () => {
  const CONTENT = Buffer.alloc(30_000_000, 'x');

  /** Answers a moment after it has read the header, and closes while the rest is on its way, as proxies with a limit do. */
  async function sendTo(answer: string): Promise<{ readonly error: ToolError; readonly asked: number }> {
    let asked = 0;
    const server = createNetServer((socket) => {
      asked += 1;
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.resume();
        setTimeout(() => {
          socket.write(answer);
          socket.destroy(); // with bytes unread: the other side is reset, and may lose the answer
        }, 30);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const file = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'a.tar.gz');
    await writeFile(file, CONTENT);
    const asset = { name: 'a.tar.gz', size: CONTENT.length, sha256: digestOf(CONTENT) };
    const forge = openForge({ base: url, name: 'forge', authorization: 'token secret', advice: ADVICE, world });
    return { error: await failure(forge.send({ url: `${url}/assets`, file, asset, headers: {} })), asked };
  }

  test('because it is too large (413) says that, and nothing of the network', async () => {
    const { error, asked } = await sendTo('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    expect(error).toMatchObject({ code: 'E_TOO_LARGE', hint: expect.stringContaining('size') });
    expect(asked).toBeLessThanOrEqual(2);
  });

  test('because the token ended (401) says which token', async () => {
    const { error } = await sendTo('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    expect(error).toMatchObject({ code: 'E_AUTH', hint: expect.stringContaining('$') });
  });

  test('without a word is a broken connection', async () => {
    const { error } = await sendTo('');
    expect(error).toMatchObject({ code: 'E_NETWORK' });
  });
});

describe('an asset that lies on another host', () => {
  test('is measured and downloaded there without the token', async () => {
    const tokens: (string | undefined)[] = [];
    const store = await serve((request, response) => {
      tokens.push(request.headers.authorization);
      response.end('bytes');
    });
    const { forge, base } = await open((_, response) => response.writeHead(302, { location: `http://${store}/blob` }).end());
    expect(await forge.measure(`${base}/assets/1`, 10)).toEqual({ size: 5, sha256: digestOf('bytes') });
    const to = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'a');
    await forge.download(`${base}/assets/1`, { to, maxBytes: 5, sha256: digestOf('bytes') });
    expect(await readFile(to, 'utf8')).toBe('bytes');
    expect(tokens).toEqual([undefined, undefined]);
  });

  test('is refused when it is longer than it may be, or other bytes, and leaves no file', async () => {
    const { forge, base } = await open((_, response) => response.end('bytes'));
    const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
    const download = (options: object) => forge.download(`${base}/a`, { to: join(folder, 'a'), maxBytes: 10, ...options });
    await expect(download({ maxBytes: 3 })).rejects.toMatchObject({ code: 'E_TOO_LARGE' });
    await expect(download({ sha256: digestOf('other') })).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a forge that asks for fewer requests', () => {
  const now = new Date('2026-03-15T10:00:00Z');
  const answer = (status: number, headers: Record<string, string> = {}, text = ''): ForgeAnswer => ({
    status,
    headers,
    body: undefined,
    text,
  });
  const soon = String(now.getTime() / 1000 + 90);

  test.each([
    ['429 with retry-after', answer(429, { 'retry-after': '7' }), 7000],
    ['403 with retry-after', answer(403, { 'retry-after': '7', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': soon }), 7000],
    ['403 with nothing left until a moment', answer(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': soon }), 90_000],
    ['403 of a secondary limit', answer(403, {}, 'You have exceeded a secondary rate limit'), 60_000],
    ['429 without a word', answer(429), 60_000],
    ['403 for want of permission', answer(403, { 'x-ratelimit-remaining': '50' }, 'Resource not accessible'), undefined],
    ['200 with nothing left', answer(200, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': soon }), undefined],
  ])('%s', (_, given, wait) => {
    expect(limitOf(given, now, 1)?.wait).toBe(wait);
  });

  test('is left alone longer each time, and told about', async () => {
    let asked = 0;
    const { forge } = await open((_, response) => {
      asked += 1;
      json(response, asked < 4 ? 429 : 200, {});
    });
    await forge.call({ method: 'POST', path: 'x' });
    expect(world.waits).toEqual([60_000, 120_000, 240_000]);
    expect(events.map((event) => event.type)).toEqual(['note', 'note', 'note']);
  });

  test('for longer than a quarter of an hour is given up at once', async () => {
    const { forge } = await open((_, response) => json(response, 429, {}, { 'retry-after': '3600' }));
    await expect(forge.call({ path: 'x' })).rejects.toMatchObject({ code: 'E_NETWORK', hint: expect.stringContaining('later') });
    expect(world.waits).toEqual([]);
  });
});

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
