// Publishing to a registry whose network dies at each request in turn. Rule: run again, it ends as an undisturbed run, with no draft left.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { contentsOf, type Draft, type ReleaseHost } from '../../src/model/host.ts';
import { ociHost } from '../../src/world/oci-host.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { byWriter, publicationOf } from '../fakes/gitea-stage.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { startFakeRegistry } from '../fakes/registry.ts';
import { type RegistryProxy, startRegistryProxy } from '../fakes/registry-proxy.ts';

const FILES = { 'acme-1.0.0.tar.gz': 'bundle bytes', 'bundle.json': '{"one":1}', 'install.sh': '#!/bin/sh\n' };
const ASSETS = Object.entries(FILES).map(([name, text]) => ({ name, size: text.length, sha256: digestOf(text) }));
const DRAFT: Draft = { tag: 'v1.0.0', name: 'd', contents: contentsOf(ASSETS) };
let registry: DockerRegistry;
let proxy: RegistryProxy;
let packed: string;

beforeAll(async () => {
  packed = await mkdtemp(join(tmpdir(), 'slipway-'));
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(packed, name), text);
  if (!hasDockerRegistry()) return;
  registry = await startDockerRegistry();
  proxy = await startRegistryProxy(registry.host);
});
afterAll(async () => {
  await proxy?.close();
  await registry?.close();
});

let at: { readonly host: string; readonly count: () => number };
const requestCount = (): number => at.count();

/** A client that gives up at once when the network is dead, as a killed process does. */
function client(repository: string): ReleaseHost {
  const world = testHttpWorld();
  return ociHost({ type: 'oci', name: 'oci', repository: `${at.host}/${repository}` }, world);
}

async function publish(host: ReleaseHost): Promise<void> {
  await host.openDraft(DRAFT);
  for (const asset of ASSETS) await host.upload(DRAFT, asset, { from: join(packed, asset.name) });
  await host.publish(DRAFT, publicationOf(ASSETS));
  await host.changeChannel('stable', (current) => (current === undefined ? byWriter('1.0.0')(current) : undefined));
  const installer = ASSETS[2];
  if (installer !== undefined) await host.putAsset('v1.0.0', installer, 'install.sh');
  await host.putText('keys/aa.json', 'statement\n');
}

async function endOf(host: ReleaseHost): Promise<unknown> {
  const read = async (path: string): Promise<string | undefined> => (await host.read(path, 1 << 20))?.toString();
  const files = await Promise.all(['channels/stable.signed.json', 'channels/stable.json', 'install.sh', 'keys/aa.json'].map(read));
  return { release: await host.listRelease('v1.0.0'), draft: await host.listDraft(DRAFT), tags: await host.tags(''), files };
}

/** One undisturbed run, then one for each request before and after which the network dies, each run again. Gives the requests of a run. */
async function killEach(kill: (n: number, when: 'before' | 'after') => void, clear: () => void, every: number): Promise<number> {
  const before = requestCount();
  await publish(client('undisturbed'));
  const requests = requestCount() - before;
  const wanted = await endOf(client('undisturbed'));
  for (const when of ['before', 'after'] as const) {
    for (let n = 1; n <= requests; n += every) {
      const repository = `killed-${when}-${n}`;
      kill(n, when);
      await publish(client(repository)).catch(() => undefined);
      clear();
      await publish(client(repository));
      expect(await endOf(client(repository)), `killed ${when} request ${n}`).toEqual(wanted);
    }
  }
  return requests;
}

test('a registry killed at each request and run again ends as an undisturbed run', { timeout: 120_000 }, async () => {
  const fake = await startFakeRegistry();
  at = { host: fake.host, count: () => fake.requests.length };
  const requests = await killEach(
    (n, when) => fake.faults.killAt(n, when),
    () => fake.faults.clear(),
    1,
  );
  console.info(`  a registry: ${requests} requests, killed before and after each: ${2 * requests} runs, all ended alike`);
  expect(requests).toBeGreaterThan(30);
  await fake.close();
});

test.skipIf(!hasDockerRegistry())('so does a real one, at every seventh request', { timeout: 120_000 }, async () => {
  at = { host: proxy.host, count: () => proxy.requests.length };
  expect(await killEach(proxy.killAt, proxy.clear, 7)).toBeGreaterThan(30);
});
