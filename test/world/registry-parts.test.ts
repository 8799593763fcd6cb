// Uploads to registries behind a proxy with a limit for one request. Rule: the right bytes under their digest, in as few refused requests as it takes.
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { Registry } from '../../src/model/registry.ts';
import { openHttp } from '../../src/world/http.ts';
import { openRegistry } from '../../src/world/registry.ts';
import { hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { hasNginx, startNginx } from '../fakes/nginx.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import { startRegistryProxy } from '../fakes/registry-proxy.ts';
import { NOTHING } from '../fakes/registry-reader.ts';

const KIBIBYTE = 1024;
const repository = 'acme/app';
const bytes = randomBytes(3_000_000);
const blob = { digest: digestOf(bytes), size: bytes.length };

async function* content(): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}

function open(): Registry {
  const world = testHttpWorld();
  return openRegistry({ http: openHttp(world), credentials: { find: async () => NOTHING }, world });
}

async function start(options: FakeRegistryOptions): Promise<FakeRegistry> {
  const registry = await startFakeRegistry(options);
  onTestFinished(registry.close);
  return registry;
}

const statuses = ({ requests }: FakeRegistry, method: string): number[] =>
  requests.filter((request) => request.method === method).map(({ status }) => status);
/** The digest of what the registry keeps as this blob. */
const stored = ({ repositories }: FakeRegistry): string | undefined => {
  const kept = repositories.get(repository)?.blobs.get(blob.digest);
  return kept === undefined ? undefined : digestOf(kept);
};

describe('a registry behind a proxy that takes no large requests (413)', () => {
  test.each([{ location: 'absolute' }, { location: 'relative' }] as const)('gets the blob in parts, addresses $location', async (rules) => {
    const registry = await start({ mostRequestBytes: 800 * KIBIBYTE, ...rules });
    expect(await open().putBlob({ registry: registry.host, repository }, { blob, content })).toBe('sent');
    expect(stored(registry)).toBe(blob.digest);
    expect(statuses(registry, 'PUT')).toEqual([413, 201]);
    expect(statuses(registry, 'PATCH')).toEqual([202, 202, 202, 202]);
  });

  test('makes its parts smaller until they are taken', async () => {
    const registry = await start({ mostRequestBytes: 200 * KIBIBYTE });
    await open().putBlob({ registry: registry.host, repository }, { blob, content });
    expect(stored(registry)).toBe(blob.digest);
    expect(statuses(registry, 'PATCH').slice(0, 2)).toEqual([413, 202]);
  });

  test('is remembered for the run: the next blob goes in parts at once, and small ones whole', async () => {
    const registry = await start({ mostRequestBytes: 800 * KIBIBYTE });
    const client = open();
    const place = { registry: registry.host, repository };
    await client.putBlob(place, { blob, content });
    const before = statuses(registry, 'PUT').length;
    const other = randomBytes(2_000_000);
    const small = randomBytes(1000);
    for (const each of [other, small]) {
      await client.putBlob(place, {
        blob: { digest: digestOf(each), size: each.length },
        content: async function* () {
          yield each;
        },
      });
    }
    expect(statuses(registry, 'PUT').slice(before)).toEqual([201, 201]);
    expect(statuses(registry, 'PATCH').filter((status) => status !== 202)).toEqual([]);
  });

  test('is told of by name when even small parts are too large for it', async () => {
    const registry = await start({ mostRequestBytes: 1000 });
    const refused = open().putBlob({ registry: registry.host, repository }, { blob, content });
    await expect(refused).rejects.toMatchObject({ code: 'E_TOO_LARGE', hint: expect.stringContaining(registry.host) });
    expect(stored(registry)).toBeUndefined();
  });

  test('is told of when the registry wants larger parts than the proxy takes (OCI-Chunk-Min-Length)', async () => {
    const fits = await start({ mostRequestBytes: 800 * KIBIBYTE, leastPart: 500 * KIBIBYTE });
    expect(await open().putBlob({ registry: fits.host, repository }, { blob, content })).toBe('sent');
    const registry = await start({ mostRequestBytes: 800 * KIBIBYTE, leastPart: 5000 * KIBIBYTE });
    const refused = open().putBlob({ registry: registry.host, repository }, { blob, content });
    await expect(refused).rejects.toMatchObject({ code: 'E_TOO_LARGE', message: expect.stringContaining(String(5000 * KIBIBYTE)) });
  });

  test('is not believed when it answers 202 and keeps nothing', async () => {
    const registry = await start({ mostRequestBytes: 800 * KIBIBYTE, losesParts: true });
    const refused = open().putBlob({ registry: registry.host, repository }, { blob, content });
    await expect(refused).rejects.toMatchObject({
      code: 'E_NETWORK',
      message: expect.stringContaining('was sent'),
      hint: expect.any(String),
    });
    expect(stored(registry)).toBeUndefined();
    expect(statuses(registry, 'PUT').filter((status) => status === 201)).toEqual([]);
  });

  test('gets the blob again from its beginning when a part is lost on the way', async () => {
    const registry = await start({ mostRequestBytes: 800 * KIBIBYTE });
    registry.faults.add({ on: /^PATCH/, after: 1, answer: { cutAtByte: 100_000 } });
    registry.faults.add({ on: /^PATCH/, after: 3, answer: { status: 502 } });
    registry.faults.add({ on: /^PUT .*digest/, after: 0, answer: { status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}' } });
    expect(await open().putBlob({ registry: registry.host, repository }, { blob, content })).toBe('sent');
    expect(stored(registry)).toBe(blob.digest);
  });

  test('keeps nothing of content that turns out wrong in its last part', async () => {
    const registry = await start({ mostRequestBytes: 800 * KIBIBYTE });
    const spoiled = async function* (): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 2_900_000);
      throw new Error('another digest');
    };
    await expect(open().putBlob({ registry: registry.host, repository }, { blob, content: spoiled })).rejects.toThrow('another digest');
    expect(stored(registry)).toBeUndefined();
  });
});

describe.skipIf(!hasDockerRegistry())('docker-registry', () => {
  async function expectThrough(host: string): Promise<void> {
    const client = open();
    const place = { registry: host, repository };
    expect(await client.putBlob(place, { blob, content })).toBe('sent');
    const hash = createHash('sha256');
    for await (const chunk of client.readBlob(place, blob)) hash.update(chunk);
    expect(`sha256:${hash.digest('hex')}`).toBe(blob.digest);
  }

  async function server(): Promise<string> {
    const { host, close } = await startDockerRegistry();
    onTestFinished(close);
    return host;
  }

  test.each([1_000_000, 200_000])('behind a proxy with a limit of %i bytes gets a blob of 3 MB, and gives it back', async (limit) => {
    const proxy = await startRegistryProxy(await server());
    onTestFinished(proxy.close);
    proxy.mostRequestBytes = limit;
    await expectThrough(proxy.host);
    expect(proxy.requests.filter((line) => line.startsWith('PATCH')).length).toBeGreaterThan(3);
  });

  test.skipIf(!hasNginx()).each(['1m', '200k'])('behind nginx with client_max_body_size %s does, too', async (limit) => {
    const nginx = await startNginx(await server(), limit);
    onTestFinished(nginx.close);
    await expectThrough(nginx.host);
  });
});
