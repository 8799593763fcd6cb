import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type HttpRequest, openHttp } from '../../src/world/http.ts';
import { failure } from '../failure.ts';
import { type Fault, neverEnds, truncates } from '../fakes/http-faults.ts';
import { serve } from '../fakes/http-server.ts';
import { testHttpWorld } from '../fakes/http-world.ts';

/** A server that gives each request the next of these answers, the last one for ever. */
async function serveInTurn(...faults: Fault[]): Promise<{ readonly host: string; readonly count: () => number }> {
  let count = 0;
  const host = await serve((request, response) => {
    faults[Math.min(count, faults.length - 1)]?.(response, request);
    count += 1;
  });
  return { host, count: () => count };
}

const status =
  (code: number, headers: Record<string, string> = {}, body = ''): Fault =>
  (response) =>
    response.writeHead(code, headers).end(body);
/** An address where nothing listens. */
async function unusedHost(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

const ok = status(200, {}, 'fine');
const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({ url, maxBytes: 10_000, ...more });

describe('redirects', () => {
  it('lead to another host without any header that could hold a credential', async () => {
    const seen: Record<string, unknown>[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers);
      response.end('from the other host');
    });
    const first = await serve((_, response) => response.writeHead(302, { location: `http://${other}/file` }).end());
    const headers = { authorization: 'Bearer x', cookie: 'a=b', 'PRIVATE-TOKEN': 'x', 'x-api-key': 'x', accept: 'text/plain' };
    const { body, url } = await openHttp(testHttpWorld()).request(get(`http://${first}/`, { headers }));
    expect(body.toString()).toBe('from the other host');
    expect(url).toBe(`http://${other}/file`);
    expect(Object.keys(seen[0] ?? {}).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']);
  });

  it('on the same host keep the credential', async () => {
    const host = await serve((request, response) => {
      if (request.url === '/') response.writeHead(307, { location: '/next' }).end();
      else response.end(request.headers.authorization);
    });
    const { body } = await openHttp(testHttpWorld()).request(get(`http://${host}/`, { headers: { authorization: 'Bearer x' } }));
    expect(body.toString()).toBe('Bearer x');
  });

  it('that never arrive are given up', async () => {
    const host = await serve((_, response) => response.writeHead(302, { location: '/again' }).end());
    const error = await failure(openHttp(testHttpWorld()).request(get(`http://${host}/`)));
    expect(error).toMatchObject({ code: 'E_NETWORK', message: expect.stringContaining('redirected more than 5 times') });
  });

  it('of a POST are returned, for its body must not go elsewhere unasked', async () => {
    const host = await serve((_, response) => response.writeHead(307, { location: 'https://elsewhere.example/' }).end());
    const answer = await openHttp(testHttpWorld()).request(get(`http://${host}/`, { method: 'POST', body: 'secret' }));
    expect(answer.status).toBe(307);
  });

  it('from this machine to an unencrypted host elsewhere are refused', async () => {
    const host = await serve((_, response) => response.writeHead(302, { location: 'http://elsewhere.example/' }).end());
    const error = await failure(openHttp(testHttpWorld()).request(get(`http://${host}/`)));
    expect(error).toMatchObject({ code: 'E_NETWORK', message: expect.stringContaining('elsewhere.example: it is not encrypted') });
  });
});

describe('plain HTTP', () => {
  it('to another host is refused before anything is sent', async () => {
    const error = await failure(openHttp(testHttpWorld()).request(get('http://registry.example/?token=hidden')));
    expect(error.code).toBe('E_NETWORK');
    expect(error.message).toContain('registry.example: it is not encrypted');
    expect(error.hint).toContain('https://registry.example');
    expect(`${error.message}${error.hint}`).not.toContain('hidden');
  });
});

describe('the maximum size', () => {
  it('ends an answer without end', async () => {
    const { host } = await serveInTurn(neverEnds);
    const error = await failure(openHttp(testHttpWorld()).request(get(`http://${host}/manifest`)));
    expect(error).toMatchObject({ code: 'E_TOO_LARGE', message: expect.stringMatching(/more than the 10000 bytes.*endless data/) });
  });

  it('refuses an announced length before reading', async () => {
    const { host, count } = await serveInTurn((response) => void response.writeHead(200, { 'content-length': '99999999' }).write('x'));
    expect(await failure(openHttp(testHttpWorld()).request(get(`http://${host}/`)))).toMatchObject({ code: 'E_TOO_LARGE' });
    expect(count()).toBe(1);
  });

  it('does not count what a HEAD only announces', async () => {
    const { host } = await serveInTurn(status(200, { 'content-length': '99999999' }));
    const answer = await openHttp(testHttpWorld()).request(get(`http://${host}/`, { method: 'HEAD' }));
    expect(answer.headers['content-length']).toBe('99999999');
  });
});

describe('retries', () => {
  it('outlast a host that is busy for a moment', async () => {
    const world = testHttpWorld();
    const { host, count } = await serveInTurn(status(503), status(502), truncates, ok);
    expect((await openHttp(world).request(get(`http://${host}/`))).body.toString()).toBe('fine');
    expect(count()).toBe(4);
    expect(world.waits).toHaveLength(3);
    expect(world.waits[2]).toBeGreaterThanOrEqual(500);
  });

  it('wait as long as the host asks, in seconds or until a date', async () => {
    const world = testHttpWorld({ now: () => new Date('2026-03-15T10:00:00Z') });
    const busy = [status(429, { 'retry-after': '7' }), status(429, { 'retry-after': 'Sun, 15 Mar 2026 10:00:30 GMT' })];
    const { host } = await serveInTurn(...busy, ok);
    await openHttp(world).request(get(`http://${host}/`));
    expect(world.waits).toEqual([7000, 30_000]);
  });

  it('a host that asks for patience is left alone by every request, not by the one alone that was told', async () => {
    const { host } = await serveInTurn(status(429, { 'retry-after': '7' }), ok);
    const held: (() => void)[] = [];
    const waits: number[] = [];
    const sleep = (milliseconds: number): Promise<void> => {
      waits.push(milliseconds);
      return new Promise((resolve) => held.push(resolve));
    };
    const http = openHttp({ ...testHttpWorld({ now: () => new Date('2026-03-15T10:00:00Z') }), sleep });
    const first = http.request(get(`http://${host}/`));
    await expect.poll(() => waits).toEqual([7000]);
    const second = http.request(get(`http://${host}/`));
    await expect.poll(() => waits).toEqual([7000, 7000]);
    for (const go of held) go();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    await http.close();
  });

  it('do not wait for hours: the error says when to come back', async () => {
    const world = testHttpWorld();
    const { host, count } = await serveInTurn(status(429, { 'retry-after': '21600' }));
    const error = await failure(openHttp(world).request(get(`http://${host}/`)));
    expect(error).toMatchObject({ code: 'E_NETWORK', hint: expect.stringContaining('in 21600 seconds') });
    expect(count()).toBe(1);
    expect(world.waits).toEqual([]);
  });

  it('end after five tries with an error that names host and status', async () => {
    const { host, count } = await serveInTurn(status(503));
    const error = await failure(openHttp(testHttpWorld()).request(get(`http://${host}/`)));
    expect(error).toMatchObject({ code: 'E_NETWORK', message: `${host} cannot answer now (HTTP 503)` });
    expect(count()).toBe(5);
  });

  it('never repeat a POST that may have been carried out, only one that was turned away', async () => {
    const unsure = await serveInTurn(status(503));
    expect((await openHttp(testHttpWorld()).request(get(`http://${unsure.host}/`, { method: 'POST', body: 'x' }))).status).toBe(503);
    expect(unsure.count()).toBe(1);
    const turnedAway = await serveInTurn(status(429), ok);
    await openHttp(testHttpWorld()).request(get(`http://${turnedAway.host}/`, { method: 'POST', body: 'x' }));
    expect(turnedAway.count()).toBe(2);
  });

  it('leave every other status to the caller', async () => {
    const { host, count } = await serveInTurn(status(500, { 'X-Why': 'broken' }, 'text'));
    const answer = await openHttp(testHttpWorld()).request(get(`http://${host}/`));
    expect(answer).toMatchObject({ status: 500, headers: { 'x-why': 'broken' } });
    expect(count()).toBe(1);
  });
});

describe('errors', () => {
  it('name the host that refuses connections, what to check, and no secret', async () => {
    const host = await unusedHost();
    const headers = { authorization: 'Bearer hidden' };
    const error = await failure(openHttp(testHttpWorld()).request(get(`http://${host}/?key=hidden`, { headers })));
    expect(error).toMatchObject({ code: 'E_NETWORK', message: `${host}: the connection was refused` });
    expect(error.hint).toContain(`something listens on ${host}`);
    expect(JSON.stringify([error.message, error.hint, error.details, String(error.cause)])).not.toContain('hidden');
  });

  it('say that a host does not answer in time', async () => {
    const { host } = await serveInTurn(() => undefined);
    const error = await failure(openHttp(testHttpWorld()).request(get(`http://${host}/`, { timeout: 0.05 })));
    expect(error).toMatchObject({ code: 'E_NETWORK', message: `${host}: no answer in time` });
  });

  it('say that the person stopped it, without another try', async () => {
    const stop = new AbortController();
    const { host, count } = await serveInTurn(() => stop.abort());
    const error = await failure(openHttp(testHttpWorld({ stop: stop.signal })).request(get(`http://${host}/`)));
    expect(error.code).toBe('E_INTERRUPTED');
    expect(count()).toBe(1);
  });

  it('say what an address should look like, without a password in it', async () => {
    const error = await failure(openHttp(testHttpWorld()).request(get('https://user:hidden@bad host/')));
    expect(error.code).toBe('E_CONFIG');
    expect(error.message).not.toContain('hidden');
  });
});
