// images mirror to a folder and from it: a whole set carried to a site without internet, as one OCI image layout that other tools read too.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { type PushedImageSet, type PushedSetImage, pushImageSet, thirdPartyOf } from '../fakes/image-set.ts';
import { type RegistryProxy, startRegistryProxy } from '../fakes/registry-proxy.ts';
import { buildSlipway, runSlipway, type SlipwayEnd, startSlipway } from '../fakes/slipway-program.ts';

const MEBIBYTE = 1024 ** 2;
const run = promisify(execFile);
let stage: string;
let program: string;
let upstream: DockerRegistry;
let proxy: RegistryProxy;
let set: PushedImageSet;
let root: string;
let folder: string;

beforeAll(async () => {
  if (!hasDockerRegistry()) return;
  stage = await mkdtemp(join(tmpdir(), 'slipway-layout-'));
  program = await buildSlipway(join(stage, 'program'));
  upstream = await startDockerRegistry();
  proxy = await startRegistryProxy(upstream.host);
  set = await pushImageSet({ registry: proxy.host, scale: 12 * MEBIBYTE });
});
afterAll(async () => {
  await proxy?.close();
  await upstream?.close();
  if (stage !== undefined) await rm(stage, { recursive: true, force: true });
});
beforeEach(async () => {
  proxy?.clear();
  root = await mkdtemp(join(stage, 'product-'));
  folder = join(root, 'images');
  await writeProduct(thirdPartyOf(set), 'registry.site.example/acme');
});

async function writeProduct(thirdParty: object, registry: string): Promise<void> {
  const product = { schema: 1, product: 'acme', release: { tag: 'v{version}' }, images: { registry, thirdParty } };
  await writeFile(join(root, 'slipway.yaml'), JSON.stringify(product));
}

const mirror = (...words: string[]): Promise<SlipwayEnd> => runSlipway(program, ['images', 'mirror', '--yes', ...words], { cwd: root });
const exported = (): Promise<SlipwayEnd> => mirror('--to', 'oci:images');
type Rows = readonly { readonly outcome: string; readonly source: string; readonly digest: string; readonly destinations: string[] }[];
const rowsOf = ({ result }: SlipwayEnd): Rows => result.images as Rows;
const outcomes = (end: SlipwayEnd): readonly string[] => [...new Set(rowsOf(end).map(({ outcome }) => outcome))];
const blobFile = (digest: string): string => join(folder, 'blobs/sha256', digest.slice('sha256:'.length));

/** Everything that the set consists of is there under its digest, hashed by hand, and the index names every image. */
async function expectWhole(images: readonly PushedSetImage[] = set.images): Promise<void> {
  const { manifests } = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  const names = new Map(manifests.map(({ digest, annotations }) => [annotations['org.opencontainers.image.ref.name'], digest]));
  for (const { reference, digest } of images) expect(names.get(reference), reference).toBe(digest);
  const parts = new Set(images.flatMap((image) => [...image.manifests, ...image.blobs.map((blob) => blob.digest)]));
  for (const digest of parts) {
    const found = createHash('sha256')
      .update(await readFile(blobFile(digest)))
      .digest('hex');
    expect(`sha256:${found}`).toBe(digest);
  }
}

/** Names of files are digests of their contents, whatever was killed when. */
async function expectValid(): Promise<void> {
  if (!existsSync(join(folder, 'oci-layout'))) return;
  JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
  for (const name of await readdir(join(folder, 'blobs/sha256'))) {
    const bytes = await readFile(join(folder, 'blobs/sha256', name));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(name);
  }
}

describe.skipIf(!hasDockerRegistry())('images mirror with a folder', () => {
  test('the whole set is in one folder, each layer once, and a second run reads nothing but heads', async () => {
    const end = await exported();
    expect(end.code, end.stderr).toBe(0);
    expect(outcomes(end)).toEqual(['copied']);
    await expectWhole();
    const names = await readdir(join(folder, 'blobs/sha256'));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, 'blobs/sha256', name))).size));
    const manifests = 2 * MEBIBYTE;
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(set.uniqueBytes + manifests);
    expect((await readdir(folder)).sort()).toEqual(['.slipway-parts', 'blobs', 'index.json', 'oci-layout']);
    expect(await readdir(join(folder, '.slipway-parts'))).toEqual([]);
    proxy.requests.length = 0;
    const again = await exported();
    expect([outcomes(again), again.result.bytesCopied]).toEqual([['present'], 0]);
    expect(proxy.requests.filter((line) => line.includes('/blobs/'))).toEqual([]);
  });

  test('a site without internet imports it into its registry by the naming rules, every digest the same; a second import copies nothing', async () => {
    await exported();
    const site = await startDockerRegistry();
    try {
      proxy.killAt(1, 'before'); // no upstream from here on
      const end = await mirror('--from', 'oci:images', '--to', `${site.host}/acme`);
      expect(end.code, end.stderr).toBe(0);
      expect(outcomes(end)).toEqual(['copied']);
      expect(end.result.bytesCopied).toBeGreaterThanOrEqual(set.uniqueBytes);
      for (const { source, as, tag, digest } of set.images) {
        const name = as ?? source.replace(/:[^:/]+$/, '').replace(/^.*\//, '');
        const answer = await fetch(`http://${site.host}/v2/acme/${name}/manifests/${tag}`, { method: 'HEAD', headers: { accept: TYPES } });
        expect(answer.headers.get('docker-content-digest'), source).toBe(digest);
      }
      await writeProduct(thirdPartyOf(set), `${site.host}/acme`); // its registry, written down
      const again = await mirror('--from', 'oci:images');
      expect([outcomes(again), again.result.bytesCopied]).toEqual([['present'], 0]);
    } finally {
      await site.close();
    }
  });

  test('killed at random moments the folder is valid, and run again it is whole', { timeout: 120_000 }, async () => {
    let seed = 20_261_121;
    for (let round = 0; round < 8; round += 1) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      const child = startSlipway(program, ['images', 'mirror', '--yes', '--to', 'oci:images'], { cwd: root });
      await new Promise((resolve) => setTimeout(resolve, 200 + (seed % 1000)));
      process.kill(child.pid, 'SIGKILL');
      await child.ended;
      await expectValid();
    }
    const end = await exported();
    expect(end.code, end.stderr).toBe(0);
    await expectWhole();
  });

  test('a layer that was lost from the folder is named when it is needed', async () => {
    await exported();
    const [image] = set.images.filter(({ kind }) => kind === 'single');
    const lost = image?.blobs[0]?.digest ?? '';
    await rm(blobFile(lost));
    const site = await startDockerRegistry();
    try {
      const end = await mirror('--from', 'oci:images', '--to', `${site.host}/acme`);
      expect(end.code).toBe(5);
      const failed = rowsOf(end).filter(({ outcome }) => outcome === 'failed') as readonly { source: string; error?: string }[];
      expect(failed.map(({ source }) => source)).toContainEqual(expect.stringContaining(image?.reference ?? '?'));
      expect(JSON.stringify(failed)).toContain(lost);
    } finally {
      await site.close();
    }
  });

  test('tags that are renamed, patterns and digests go by their upstream names there, and by the rules from there', async () => {
    const image = set.images.find(({ kind }) => kind === 'single');
    if (image === undefined) throw new Error('no single image');
    const source = image.reference.replace(/:[^:]+$/, '');
    const entry = { source, as: 'renamed', tags: [image.tag, image.digest], asTags: ['stable', 'pinned'] };
    const site = await startDockerRegistry();
    try {
      await writeProduct({ core: [entry] }, `${site.host}/acme`);
      const out = await exported();
      expect(out.code, out.stderr + out.stdout).toBe(0);
      const names = await readFile(join(folder, 'index.json'), 'utf8');
      expect(names).toContain(`"${image.reference}"`);
      expect(names).toContain(`"${source}@${image.digest}"`);
      const end = await mirror('--from', 'oci:images');
      expect(end.code, end.stderr).toBe(0);
      await writeProduct({ core: [{ source, as: 'all', tags: ['/./'] }] }, `${site.host}/acme`);
      const all = await mirror('--from', 'oci:images');
      expect(all.code, all.stderr).toBe(0);
      for (const name of ['renamed:stable', 'renamed:pinned', `all:${image.tag}`]) {
        const answer = await fetch(`http://${site.host}/v2/acme/${name.replace(':', '/manifests/')}`, { headers: { accept: TYPES } });
        expect(answer.headers.get('docker-content-digest'), name).toBe(image.digest);
      }
    } finally {
      await site.close();
    }
  });

  test('of one image different platforms cannot be in one folder under one name', async () => {
    const image = set.images.find(({ platforms, kind }) => platforms.length > 1 && kind === 'oci');
    const [one, two] = image?.platforms ?? [];
    const entry = (as: string, platform = ''): object => ({ source: image?.reference, as, platforms: [platform] });
    await writeProduct({ core: [entry('a', one), entry('b', two)] }, 'registry.site.example/acme');
    const end = await exported();
    expect([end.code, JSON.stringify(end.result)]).toEqual([2, expect.stringContaining('E_MIRROR_COLLISION')]);
    expect(existsSync(folder)).toBe(false);
  });

  test('a folder that holds no images, or somebody’s files, is refused with what to do', async () => {
    const nothing = await mirror('--from', 'oci:images');
    expect([nothing.code, nothing.result.code, nothing.result.hint]).toEqual([5, 'E_NOT_FOUND', expect.stringContaining('--to')]);
    const other = await mirror('--to', 'oci:.');
    expect([other.code, JSON.stringify(other.result)]).toEqual([5, expect.stringContaining('slipway.yaml')]);
    const upstreams = await mirror('--from', 'quay.io/acme');
    expect([upstreams.code, upstreams.result.code]).toEqual([2, 'E_USAGE']);
    const odd = await mirror('--to', 'oci://Nowhere');
    expect([odd.code, odd.result.code]).toEqual([2, 'E_USAGE']);
  });

  test('--dry-run makes no folder', async () => {
    const end = await mirror('--to', 'oci:images', '--dry-run');
    expect([end.code, rowsOf(end)[0]?.destinations]).toEqual([0, [`oci:${folder}/${set.images[0]?.reference}`]]);
    expect(existsSync(folder)).toBe(false);
  });

  test.skipIf(!existsSync('/usr/bin/skopeo'))('skopeo reads every image of it in an OCI format, and copies one out whole', async () => {
    expect((await exported()).code).toBe(0);
    const readable = set.images.filter(({ mediaType }) => mediaType.includes('.oci.')); // it passes over Docker's formats, which keep their bytes here
    expect(readable.length).toBeGreaterThan(20);
    for (const { reference, digest } of readable) {
      const { stdout } = await run('skopeo', ['inspect', '--raw', `oci:${folder}:${reference}`], { encoding: 'buffer' });
      expect(`sha256:${createHash('sha256').update(stdout).digest('hex')}`, reference).toBe(digest);
    }
    const image = set.images.find(({ kind }) => kind === 'oci');
    const words = ['copy', '--all', '--preserve-digests', `oci:${folder}:${image?.reference}`, `dir:${join(root, 'out')}`];
    await run('skopeo', words);
    const manifest = await readFile(join(root, 'out/manifest.json'));
    expect(`sha256:${createHash('sha256').update(manifest).digest('hex')}`).toBe(image?.digest);
  });

  test.skipIf(!existsSync('/usr/bin/skopeo'))('a folder that skopeo wrote is imported', async () => {
    const image = set.images.find(({ kind }) => kind === 'oci');
    if (image === undefined) throw new Error('no index');
    const words = ['copy', '--all', '--src-tls-verify=false', `docker://${image.reference}`, `oci:${folder}:${image.reference}`];
    await run('skopeo', words);
    const site = await startDockerRegistry();
    try {
      await writeProduct({ core: [{ source: image.reference, as: 'one' }] }, `${site.host}/acme`);
      const end = await mirror('--from', 'oci:images');
      expect(end.code, end.stderr).toBe(0);
      expect(rowsOf(end)).toMatchObject([{ outcome: 'copied', digest: image.digest }]);
    } finally {
      await site.close();
    }
  });
});

const TYPES = ['oci.image.index.v1', 'oci.image.manifest.v1', 'docker.distribution.manifest.list.v2', 'docker.distribution.manifest.v2']
  .map((type) => `application/vnd.${type}+json`)
  .join(', ');
