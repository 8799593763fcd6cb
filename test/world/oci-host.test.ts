// A registry as a mirror, on a real one. Rule: what only a bad day shows is in oci-faults.test.ts.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { ReleaseHost } from '../../src/model/host.ts';
import { ociHost } from '../../src/world/oci-host.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { byWriter } from '../fakes/gitea-stage.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { startFakeRegistry } from '../fakes/registry.ts';
import { startRegistryProxy } from '../fakes/registry-proxy.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { hostContract } from './host-contract.ts';
import { draftOf, type Packed, pack, publicationOf, reservationOf, TAG } from './host-contract-parts.ts';

if (process.env.CI === 'true' && !hasDockerRegistry()) throw new Error('docker-registry is not installed');
const real = describe.skipIf(!hasDockerRegistry());
let registry: DockerRegistry;
let stages = 0;

real('on docker-registry:', () => {
  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry.close());

  hostContract('a registry', async () => {
    stages += 1;
    const repository = `${registry.host}/acme/bundle-${stages}`;
    const host = (): ReleaseHost => ociHost({ type: 'oci', name: 'oci', repository }, testHttpWorld());
    return { host, commit: '1'.repeat(40), other: '2'.repeat(40), canDecide: false, canPublish: true, close: async () => undefined };
  });

  test('another who overwrites the tag in between is noticed, and nobody is told that it is published', async () => {
    const proxy = await startRegistryProxy(registry.host);
    const [packed, others] = [await pack(), await pack({ 'bundle.json': 'of another' })];
    const direct = ociHost({ type: 'oci', name: 'oci', repository: `${registry.host}/acme/raced` }, testHttpWorld());
    const late = ociHost({ type: 'oci', name: 'oci', repository: `${proxy.host}/acme/raced` }, testHttpWorld());
    const draft = await upload(late, packed);
    const theirs = await upload(direct, others);
    await direct.publish(theirs, publicationOf(others));
    proxy.spoil(/^GET .*manifests\/v1/, { kind: 'answer', status: 404 }); // when we looked there was nothing yet
    proxy.spoil(/^HEAD .*manifests\/v1/, {
      kind: 'meanwhile',
      act: async () => {
        const replaces = digestOf('{"one":1}');
        await direct.publish(await upload(direct, others), { ...publicationOf(others), replaces });
      },
    });
    await expect(late.publish(draft, publicationOf(packed))).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    expect(await direct.listRelease(TAG)).toEqual(others.assets);
    expect(await direct.listDraft(draft)).toBeUndefined();
    await proxy.close();
  });
});

async function upload(host: ReleaseHost, packed: Packed) {
  const draft = draftOf(packed);
  await host.openDraft(draft);
  for (const asset of packed.assets) await host.upload(draft, asset, { from: join(packed.folder, asset.name) });
  return draft;
}

test('a channel whose files fill several pages of tags is followed to the newest', async () => {
  const fake = await startFakeRegistry({ pageSize: 2, link: 'relative' });
  const host = ociHost({ type: 'oci', name: 'oci', repository: `${fake.host}/acme/bundle` }, testHttpWorld());
  for (let sequence = 1; sequence <= 12; sequence += 1) await host.changeChannel('stable', byWriter(`1.${sequence}.0`));
  const text = (await host.read('channels/stable.json', 1 << 20))?.toString() ?? '';
  expect(JSON.parse(text)).toMatchObject({ sequence: 12, latest: '1.12.0' });
  expect(await host.tags('')).toEqual([]);
  await fake.close();
});

test('a repository that is used for something else is refused, with what to do', async () => {
  const fake = await startFakeRegistry();
  await pushImage({ host: fake.host }, 'acme/app', { architecture: 'amd64', layers: ['x'], tag: 'v1.0.0' });
  const host = ociHost({ type: 'oci', name: 'oci', repository: `${fake.host}/acme/app` }, testHttpWorld());
  await expect(host.listRelease('v1.0.0')).rejects.toMatchObject({ code: 'E_FORMAT', hint: expect.stringContaining('one of their own') });
  await fake.close();
});

test('a registry decides nothing, and says so', async () => {
  const host = ociHost({ type: 'oci', name: 'oci', repository: '127.0.0.1:1/acme/app' }, testHttpWorld());
  await expect(host.reserve(reservationOf({}))).rejects.toMatchObject({
    code: 'E_NOT_SUPPORTED',
    hint: expect.stringContaining('authority'),
  });
});
