// The synthetic set: what a mirror is measured and tested with must itself be right.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseImageRef } from '../../src/model/image.ts';
import { hasDockerRegistry, startDockerRegistry } from './docker-registry.ts';
import { type PushedImageSet, pushImageSet } from './image-set.ts';
import { layerBytes, layerSize } from './image-set-layer.ts';
import { IMAGE_SET } from './image-set-list.ts';
import { type FakeRegistry, startFakeRegistry } from './registry.ts';
import { sha256 } from './registry-content.ts';
import { reader } from './registry-reader.ts';

describe('a synthetic layer', () => {
  it.each([0, 1, 512, 65_023, 65_535 * 2 - 1536, 300_001])('of %d bytes is a gzipped tar of the size that was announced', async (bytes) => {
    let diffId = '';
    const plan = { key: 'a layer', bytes };
    const blob = Buffer.concat([
      ...layerBytes(plan, (digest) => {
        diffId = digest;
      }),
    ]);
    const tar = gunzipSync(blob);
    expect([blob.length, sha256(tar)]).toEqual([layerSize(plan), diffId]);
    const folder = await mkdtemp(join(tmpdir(), 'slipway-layer-'));
    await writeFile(join(folder, 'layer.tar.gz'), blob);
    expect(execFileSync('tar', ['-tvzf', join(folder, 'layer.tar.gz')], { encoding: 'utf8' })).toMatch(
      new RegExp(` ${bytes} .* srv/[0-9a-f]{16}`),
    );
    await rm(folder, { recursive: true });
  });
});

describe.runIf(hasDockerRegistry() || process.env.CI === 'true')('the synthetic set', () => {
  let registry: { readonly host: string; readonly close: () => Promise<void> };
  let fake: FakeRegistry;
  let set: PushedImageSet;
  beforeAll(async () => {
    [registry, fake] = [await startDockerRegistry(), await startFakeRegistry()];
    set = await pushImageSet({ registry: registry.host, scale: 20_000_000 });
  });
  afterAll(() => Promise.all([registry.close(), fake.close()]));

  it('has 36 images in four groups, as big as was said, and shares about half', () => {
    const sizes = ['core', 'platform', 'communication', 'monitoring'].map(
      (group) => set.images.filter((image) => image.group === group).length,
    );
    expect(sizes).toEqual([5, 16, 8, 7]);
    expect(set.uniqueBytes / 20_000_000).toBeCloseTo(1, 1);
    expect(set.uniqueBytes / set.repositoryBytes).toBeCloseTo(0.5, 1);
  });

  it('is what the registry says it is', async () => {
    for (const { reference, digest, platforms, mediaType } of set.images) {
      const found = await reader().resolveManifest(parseImageRef(reference, 'test'));
      expect(found).toMatchObject({ digest, mediaType, platforms: [...platforms].sort() });
    }
  });

  it('is the same set each time, wherever it is pushed, and another one with another seed', async () => {
    const repository = ({ source }: { source: string }): string => `mirror/${source.replace(/:[^:]*$/, '').replaceAll('.', '-')}`;
    const again = await pushImageSet({ registry: fake.host, scale: 20_000_000, repository });
    expect(again.images.map(({ digest }) => digest)).toEqual(set.images.map(({ digest }) => digest));
    expect(again.images[0]?.reference).toBe(`${fake.host}/mirror/docker-io/library/postgres:16-alpine`);
    const other = await pushImageSet({ registry: fake.host, scale: 100_000, seed: 'other' });
    expect(other.images[0]?.digest).not.toBe(set.images[0]?.digest);
  });

  it('has what makes mirrors stumble: a signature, a referrer, an index in an index, both formats', async () => {
    const at = (reference: string, rest: string): Promise<string> =>
      reader()
        .readManifest(parseImageRef(reference.replace(/:[^:/]*$/, rest), 'test'))
        .then(({ bytes }) => bytes.toString('utf8'));
    expect(await at(set.signed.reference, `:${set.signed.tag}`)).toContain('simplesigning');
    expect(await at(set.referred.reference, `:${set.referred.fallbackTag}`)).toContain(set.referred.referrer);
    expect(await at(set.referred.reference, `@${set.referred.referrer}`)).toContain('"subject"');
    const nested = set.images.find(({ kind }) => kind === 'nested');
    expect(await at(nested?.reference ?? '', `:${nested?.tag}`)).toContain('image.index.v1+json",\n         "size"');
    expect(new Set(set.images.map(({ mediaType }) => mediaType)).size).toBe(3);
    expect(IMAGE_SET.filter(({ kind }) => kind === 'attested').length).toBeGreaterThan(5);
  });
});
