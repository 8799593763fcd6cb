// Blobs and manifests through a bad network to a real registry. Rule: the right bytes under their digest, or a clear error and nothing.
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { ImageRef } from '../../src/model/image.ts';
import type { Blob, Registry } from '../../src/model/registry.ts';
import { openHttp } from '../../src/world/http.ts';
import { openRegistry } from '../../src/world/registry.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { startFakeRegistry } from '../fakes/registry.ts';
import { type RegistryProxy, startRegistryProxy } from '../fakes/registry-proxy.ts';
import { NOTHING, STORED } from '../fakes/registry-reader.ts';

if (process.env.CI === 'true' && !hasDockerRegistry()) throw new Error('docker-registry is not installed');
const bytes = randomBytes(3_000_000);
const blob: Blob = { digest: digestOf(bytes), size: bytes.length };
const BLOB_GET = /^GET .*\/blobs\/sha256/;
const BLOB_PUT = /^PUT .*\/blobs\/uploads/;
let server: DockerRegistry;
let proxy: RegistryProxy;
let stages = 0;
let ref: ImageRef;

beforeAll(async () => {
  if (!hasDockerRegistry()) return;
  server = await startDockerRegistry();
  proxy = await startRegistryProxy(server.host);
});
beforeEach(() => {
  stages += 1;
  ref = { registry: proxy?.host ?? '', repository: `acme/blobs-${stages}` };
});
afterEach(() => proxy?.clear());
afterAll(async () => {
  await proxy?.close();
  await server?.close();
});

function open(credential: typeof NOTHING | typeof STORED = NOTHING): Registry {
  const world = testHttpWorld();
  return openRegistry({ http: openHttp(world), credentials: { find: async () => credential }, world });
}

async function* content(): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

const put = (target = ref, from?: string) => open().putBlob(target, { blob, content, ...(from === undefined ? {} : { from }) });

async function read(wanted: Blob = blob): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of open().readBlob(ref, wanted)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

const sentSince = (from: number) => proxy.requests.slice(from);

describe.skipIf(!hasDockerRegistry())('a blob on its way to a registry', () => {
  test('arrives, and is found there', async () => {
    expect(await open().hasBlob(ref, blob)).toBe(false);
    expect(await put()).toBe('sent');
    expect(await open().hasBlob(ref, blob)).toBe(true);
    expect(await read()).toBe(blob.digest);
  });

  test.each([
    ['the connection breaks in the middle', { kind: 'cut-request', bytes: 1_000_000 }],
    ['the registry answers 502 at the end', { kind: 'change', status: 502 }],
    ['the connection is refused', { kind: 'reset' }],
    ['the upload is forgotten meanwhile (404)', { kind: 'answer', status: 404 }],
    ['too many requests were made (429)', { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }],
  ] as const)('is sent again when %s', async (_, fault) => {
    proxy.spoil(BLOB_PUT, fault);
    expect(await put()).toBe('sent');
    expect(await read()).toBe(blob.digest);
  });

  test('is not sent again when it arrived and only the answer was lost', async () => {
    proxy.spoil(BLOB_PUT, { kind: 'lose-answer' });
    const before = proxy.requests.length;
    expect(await put()).toBe('sent');
    expect(sentSince(before).filter((line) => BLOB_PUT.test(line))).toHaveLength(1);
  });

  test.each([
    ['relative', (location: string) => new URL(location).pathname + new URL(location).search],
    ['without a scheme', (location: string) => location.replace('http:', '')],
  ])('goes to an upload whose Location is %s, with the query that it has', async (_, change) => {
    proxy.spoil(/^POST/, { kind: 'change', headers: { location: (value = '') => change(value) } });
    const before = proxy.requests.length;
    expect(await put()).toBe('sent');
    expect(sentSince(before).find((line) => BLOB_PUT.test(line))).toMatch(/\?_state=[^&]+&digest=sha256/);
  });

  test('that is larger than a proxy takes is said so (413)', async () => {
    proxy.spoil(BLOB_PUT, { kind: 'answer', status: 413 }, 9);
    await expect(put()).rejects.toMatchObject({ code: 'E_TOO_LARGE', hint: expect.stringContaining('limit') });
  });

  test('that changes on the way is refused by whoever made its content, and is not there', async () => {
    const refused = new Error('changed since it was packed');
    const spoiled = async function* (): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 100_000);
      throw refused;
    };
    await expect(open().putBlob(ref, { blob, content: spoiled })).rejects.toBe(refused);
    expect(await open().hasBlob(ref, blob)).toBe(false);
  });

  test('is checked by a registry that refuses other bytes under its digest, which leaves nothing there', async () => {
    expect(await open().checksDigests(ref)).toBe(true);
    expect(await open().isNew(ref)).toBe(true);
  });

  test('is not thought to be checked by a registry that takes anything', async () => {
    proxy.spoil(BLOB_PUT, { kind: 'answer', status: 201 });
    expect(await open().checksDigests(ref)).toBe(false);
  });

  test('is mounted from a repository of the same registry without being sent', async () => {
    await put({ ...ref, repository: `${ref.repository}/base` });
    const before = proxy.sent();
    expect(await put(ref, `${ref.repository}/base`)).toBe('mounted');
    expect(proxy.sent() - before).toBeLessThan(1000);
    expect(await read()).toBe(blob.digest);
  });

  test('is sent to the upload that a refused mount began (202)', async () => {
    const before = proxy.requests.length;
    expect(await put(ref, `${ref.repository}/nothing-there`)).toBe('sent');
    expect(sentSince(before).filter((line) => line.startsWith('POST'))).toHaveLength(1);
  });

  test('is sent without a mount when the registry forbids that (403)', async () => {
    proxy.spoil(/^POST .*mount=/, { kind: 'answer', status: 403, body: '{"errors":[{"code":"DENIED"}]}' });
    expect(await put(ref, `${ref.repository}/base`)).toBe('sent');
  });
});

describe.skipIf(!hasDockerRegistry())('a blob on its way from a registry', () => {
  beforeEach(async () => {
    await put();
  });

  test.each([
    ['breaks off in the middle', { kind: 'cut-answer', bytes: 1_500_000 }],
    ['breaks off before its last byte', { kind: 'cut-answer', bytes: bytes.length - 1 }],
  ] as const)('goes on where it stopped when it %s', async (_, fault) => {
    const before = proxy.requests.length;
    proxy.spoil(BLOB_GET, fault);
    expect(await read()).toBe(blob.digest);
    expect(sentSince(before)).toHaveLength(2);
  });

  test('that a registry begins again instead of going on is not doubled', async () => {
    proxy.spoil(BLOB_GET, { kind: 'cut-answer', bytes: 1_500_000 });
    proxy.spoil(BLOB_GET, { kind: 'without-range' });
    expect(await read()).toBe(blob.digest);
  });

  test('of other bytes is refused before its last chunk is handed on', async () => {
    proxy.spoil(BLOB_GET, { kind: 'flip' });
    let got = 0;
    const reading = async (): Promise<void> => {
      for await (const chunk of open().readBlob(ref, blob)) got += chunk.length;
    };
    await expect(reading()).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(got).toBeLessThan(bytes.length);
  });

  test('of another size is refused', async () => {
    await expect(read({ ...blob, size: blob.size + 1 })).rejects.toMatchObject({ code: 'E_DIGEST' });
    await expect(read({ ...blob, size: blob.size - 1 })).rejects.toMatchObject({ code: 'E_DIGEST' });
  });

  test('that is not there is named', async () => {
    const absent = { digest: digestOf('absent'), size: 6 };
    await expect(read(absent)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });

  test('is given up when the network stays dead, with the next step', async () => {
    proxy.killAt(1, 'before');
    await expect(read()).rejects.toMatchObject({ code: 'E_NETWORK', hint: expect.stringContaining('network') });
  });
});

describe('a login on its way to a registry', () => {
  const login = { kind: 'bearer', username: 'reader', password: 'right horse' } as const;

  test('that ends in the middle of an upload is asked for again', async () => {
    const registry = await startFakeRegistry({ login });
    registry.failNext(BLOB_PUT, (response) => {
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token?kept=yes",service="fake, registry"` })
        .end();
    });
    const target = { registry: registry.host, repository: 'acme/app' };
    const client = open(STORED);
    expect(await client.putBlob(target, { blob, content })).toBe('sent');
    expect(registry.requests.filter(({ line }) => line.includes('/token')).length).toBeGreaterThan(1);
    await registry.close();
  });

  test('with fewer rights than it takes is said before anything is sent', async () => {
    const registry = await startFakeRegistry({ login });
    registry.failNext(/POST/, (response) => response.writeHead(403).end('{"errors":[{"code":"DENIED"}]}'));
    const refused = open(STORED).checkPush({ registry: registry.host, repository: 'acme/app' });
    await expect(refused).rejects.toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('does not let us write to'),
      hint: expect.stringContaining('may push to acme/app'),
    });
    expect(registry.requests.filter(({ line }) => line.startsWith('PUT'))).toEqual([]);
    await registry.close();
  });
});
