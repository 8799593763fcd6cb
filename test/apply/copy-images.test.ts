// Copies between real registries of which one lies. Rule: the bytes are large enough that hashing is left to the destination.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyImages } from '../../src/apply/copy-images.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { CopiedImage, ImageToCopy } from '../../src/model/image-copy.ts';
import type { Registry, StoredManifest } from '../../src/model/registry.ts';
import { openHttp } from '../../src/world/http.ts';
import { openRegistry } from '../../src/world/registry.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { type RegistryProxy, startRegistryProxy } from '../fakes/registry-proxy.ts';
import { NOTHING } from '../fakes/registry-reader.ts';

if (process.env.CI === 'true' && !hasDockerRegistry()) throw new Error('docker-registry is not installed');
const layer = randomBytes(66 * 1024 * 1024);
const config = Buffer.from('{"architecture":"amd64","os":"linux"}');
const type = 'application/vnd.oci.image.manifest.v1+json';
const LAYER_GET = new RegExp(`^GET .*/blobs/${digestOf(layer)}`);
let from: DockerRegistry;
let to: DockerRegistry;
let source: RegistryProxy;
let destination: RegistryProxy;
let image: ImageToCopy;

beforeAll(async () => {
  if (!hasDockerRegistry()) return;
  [from, to] = [await startDockerRegistry(), await startDockerRegistry()];
  [source, destination] = [await startRegistryProxy(from.host), await startRegistryProxy(to.host)];
  image = await pushImage();
});
afterAll(async () => {
  for (const each of [source, destination, from, to]) await each?.close();
});

function open(): Registry {
  const world = testHttpWorld();
  return openRegistry({ http: openHttp(world), credentials: { find: async () => NOTHING }, world });
}

async function pushImage(): Promise<ImageToCopy> {
  const ref = { registry: source.host, repository: 'upstream/large', tag: '1.0.0' };
  const blobs = [config, layer].map((bytes) => ({ digest: digestOf(bytes), size: bytes.length }));
  for (const bytes of [config, layer]) {
    const content = async function* (): AsyncGenerator<Buffer> {
      yield bytes;
    };
    await open().putBlob(ref, { blob: { digest: digestOf(bytes), size: bytes.length }, content });
  }
  const [of, ...layers] = blobs.map((blob) => ({ mediaType: 'application/octet-stream', ...blob }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, config: of, layers }));
  const manifest: StoredManifest = { digest: digestOf(bytes), mediaType: type, size: bytes.length, bytes };
  await open().putManifest(ref, manifest);
  return { name: 'large', source: ref, destinations: [], manifests: [{ ...manifest, blobs }] };
}

async function copyTo(repository: string): Promise<CopiedImage | undefined> {
  const destinations = [{ registry: destination.host, repository, tag: '1.0.0' }];
  const [copied] = await copyImages([{ ...image, destinations }], { registry: open(), onBytes: () => undefined, onImage: () => undefined });
  return copied;
}

describe.skipIf(!hasDockerRegistry())('a large layer', () => {
  test('arrives as it is at a registry that checks digests', async () => {
    expect(await copyTo('acme/whole')).toMatchObject({ outcome: 'copied', error: null });
    expect(await open().hasBlob({ registry: to.host, repository: 'acme/whole' }, { digest: digestOf(layer), size: layer.length })).toBe(
      true,
    );
  });

  test('that its source changed is refused by the destination, and the source is named', async () => {
    source.spoil(LAYER_GET, { kind: 'flip' }, 99);
    const copied = await copyTo('acme/wrong');
    source.clear();
    expect(copied).toMatchObject({
      outcome: 'failed',
      error: expect.stringMatching(new RegExp(`${source.host} sent sha256:\\w+ for sha256`)),
    });
    expect(await open().isNew({ registry: to.host, repository: 'acme/wrong' })).toBe(true);
  });

  test('is checked on its way to a destination that takes anything', async () => {
    destination.spoil(/^PUT .*\/blobs\/uploads/, { kind: 'answer', status: 201 }, 1);
    source.spoil(LAYER_GET, { kind: 'flip' }, 99);
    const copied = await copyTo('acme/lax');
    source.clear();
    expect(copied).toMatchObject({ outcome: 'failed', error: expect.stringContaining(`${source.host} sent`) });
  });
});
