import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { openHttp } from '../../src/world/http.ts';
import type { Download } from '../../src/world/http-download.ts';
import { failure } from '../failure.ts';
import { neverEnds } from '../fakes/http-faults.ts';
import { serve as serveHost } from '../fakes/http-server.ts';
import { testHttpWorld } from '../fakes/http-world.ts';

const CONTENT = Buffer.from(Array.from({ length: 3 * 1024 * 1024 }, (_, index) => index % 251));
const EXPECTED = { size: CONTENT.length, sha256: digestOf(CONTENT) };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-download-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function serve(handle: RequestListener): Promise<string> {
  return `http://${await serveHost(handle)}/bundle.tar.gz`;
}

interface Behaviour {
  /** The connection breaks after so many bytes of each answer. */
  readonly breaksAfter?: number;
  readonly ranges?: boolean;
  readonly etag?: () => string;
  readonly content?: () => Buffer;
}

/** A file server as nginx is one: ranges, If-Range, ETag. */
function fileServer(
  { breaksAfter = Number.POSITIVE_INFINITY, ranges = true, etag, content = () => CONTENT }: Behaviour,
  log: string[] = [],
) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    log.push(request.headers.range ?? 'whole');
    const bytes = content();
    const tag = etag?.();
    const unchanged = request.headers['if-range'] === undefined || request.headers['if-range'] === tag;
    const start = ranges && unchanged ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const rest = bytes.subarray(start);
    const part = start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length, ...(tag === undefined ? {} : { etag: tag }), ...part });
    if (rest.length <= breaksAfter) response.end(rest);
    else response.write(rest.subarray(0, breaksAfter), () => setTimeout(() => response.destroy(), 20));
  };
}

function download(url: string, more: Partial<Download> = {}) {
  return openHttp(testHttpWorld()).download({ url, to: join(folder, 'bundle.tar.gz'), maxBytes: 10_000_000, ...more });
}

describe('download', () => {
  it('makes a private file with the content, its size and its digest', async () => {
    const umask = process.umask(0);
    const amounts: (number | undefined)[] = [];
    const result = await download(await serve(fileServer({})), { expected: EXPECTED, onBytes: (done, total) => amounts.push(done, total) });
    process.umask(umask);
    expect(result).toEqual(EXPECTED);
    expect(readFileSync(join(folder, 'bundle.tar.gz')).equals(CONTENT)).toBe(true);
    expect(statSync(join(folder, 'bundle.tar.gz')).mode & 0o777).toBe(0o600);
    expect(amounts.slice(-2)).toEqual([CONTENT.length, CONTENT.length]);
  });

  it('gives the file the mode that was asked for, under any umask', async () => {
    const umask = process.umask(0o077);
    await download(await serve(fileServer({})), { mode: 0o755 });
    process.umask(umask);
    expect(statSync(join(folder, 'bundle.tar.gz')).mode & 0o777).toBe(0o755);
  });

  it('continues a broken transfer where it broke', async () => {
    const log: string[] = [];
    const url = await serve(fileServer({ breaksAfter: 1_400_000 }, log));
    expect(await download(url, { expected: EXPECTED })).toEqual(EXPECTED);
    const [first, second, third, ...more] = log.map((range) => Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0));
    expect([first, more]).toEqual([0, []]); // what was still on its way when the connection broke is asked for again
    expect(second).toBeGreaterThan(1_000_000);
    expect(third).toBeGreaterThan(2_000_000);
    expect(readFileSync(join(folder, 'bundle.tar.gz')).equals(CONTENT)).toBe(true);
  });

  it('starts over where the host knows no ranges, and gives up when that leads nowhere', async () => {
    const log: string[] = [];
    const url = await serve(fileServer({ breaksAfter: 1_400_000, ranges: false }, log));
    expect(await failure(download(url, { expected: EXPECTED }))).toMatchObject({ code: 'E_NETWORK' });
    expect(log.length).toBeLessThanOrEqual(7);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not glue two versions of a file together', async () => {
    let version = 1;
    const other = Buffer.from(CONTENT).reverse();
    const content = (): Buffer => (version === 1 ? CONTENT : other);
    const handle = fileServer({ breaksAfter: 1_400_000, etag: () => `"v${version}"`, content });
    const rest = fileServer({ etag: () => `"v${version}"`, content });
    const url = await serve((request, response) => {
      if (request.headers.range === undefined) return handle(request, response);
      version = 2;
      return rest(request, response);
    });
    expect((await download(url)).sha256).toBe(digestOf(other));
  });

  it('without digest and strong ETag starts over instead of continuing', async () => {
    const log: string[] = [];
    let first = true;
    const broken = fileServer({ breaksAfter: 1_400_000, etag: () => 'W/"weak"' }, log);
    const url = await serve((request, response) => {
      (first ? broken : fileServer({}, log))(request, response);
      first = false;
    });
    expect((await download(url)).sha256).toBe(EXPECTED.sha256);
    expect(log).toEqual(['whole', 'whole']);
  });

  it('refuses other content by digest, keeps nothing of it, and leaves the file that was there', async () => {
    writeFileSync(join(folder, 'bundle.tar.gz'), 'the previous one');
    const sha256 = digestOf('something else');
    const error = await failure(download(await serve(fileServer({})), { expected: { sha256 } }));
    expect(error).toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining(EXPECTED.sha256) });
    expect(readdirSync(folder)).toEqual(['bundle.tar.gz']);
    expect(readFileSync(join(folder, 'bundle.tar.gz'), 'utf8')).toBe('the previous one');
  });

  it('refuses another size before reading', async () => {
    const error = await failure(download(await serve(fileServer({})), { expected: { size: 10 } }));
    expect(error).toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining(`found ${CONTENT.length} bytes, expected 10 bytes`) });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('ends a file without end and keeps nothing', async () => {
    const error = await failure(download(await serve((request, response) => neverEnds(response, request)), { maxBytes: 1_000_000 }));
    expect(error.code).toBe('E_TOO_LARGE');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('notices a file cut short without a sign', async () => {
    const handle: RequestListener = (_, response) => {
      response.writeHead(200);
      response.end(CONTENT.subarray(0, 1000)); // chunked, ended properly
    };
    const error = await failure(download(await serve(handle), { expected: EXPECTED }));
    expect(error).toMatchObject({ code: 'E_DIGEST', message: expect.stringContaining('found 1000 bytes') });
  });

  it('says that a file does not exist', async () => {
    const url = await serve((_, response) => response.writeHead(404).end('x'.repeat(100_000)));
    const error = await failure(download(`${url}?token=hidden`));
    expect(error).toMatchObject({ code: 'E_NOT_FOUND', message: `${url} does not exist (HTTP 404)` });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says that the folder cannot be written', async () => {
    const error = await failure(download('http://127.0.0.1:1/', { to: join(folder, 'absent', 'bundle.tar.gz') }));
    expect(error).toMatchObject({ code: 'E_CONFIG', message: expect.stringContaining('absent/bundle.tar.gz (ENOENT)') });
  });

  it('is not fooled by a range that was not asked for', async () => {
    const url = await serve((_, response) => response.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end('56789'));
    expect((await failure(download(url))).code).toBe('E_NETWORK');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('stops at once when the person stops, and leaves nothing', async () => {
    const stop = new AbortController();
    const url = await serve((_, response) => void response.writeHead(200).write('begun'));
    const http = openHttp(testHttpWorld({ stop: stop.signal }));
    const attempt = http.download({ url, to: join(folder, 'x'), maxBytes: 100, onBytes: () => stop.abort() });
    expect((await failure(attempt)).code).toBe('E_INTERRUPTED');
    expect(readdirSync(folder)).toEqual([]);
  });
});
