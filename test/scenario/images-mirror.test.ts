// images mirror as maintainers run it: 36 images of four groups between two real registries, and what is left after it was killed.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { type PushedImageSet, type PushedSetImage, pushImageSet, thirdPartyOf } from '../fakes/image-set.ts';
import { type RegistryProxy, startRegistryProxy } from '../fakes/registry-proxy.ts';
import { buildSlipway, runSlipway, type SlipwayEnd, startSlipway } from '../fakes/slipway-program.ts';

if (process.env.CI === 'true' && !hasDockerRegistry()) throw new Error('docker-registry is not installed');
const MEBIBYTE = 1024 ** 2;
let folder: string;
let program: string;
let upstream: DockerRegistry;
let set: PushedImageSet;
let destination: DockerRegistry;
let proxy: RegistryProxy;
let root: string;

beforeAll(async () => {
  if (!hasDockerRegistry()) return;
  folder = await mkdtemp(join(tmpdir(), 'slipway-mirror-'));
  program = await buildSlipway(join(folder, 'program'));
  upstream = await startDockerRegistry();
  set = await pushImageSet({ registry: upstream.host, scale: 12 * MEBIBYTE });
});
afterAll(async () => {
  await upstream?.close();
  await proxy?.close();
  await destination?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  await proxy?.close();
  await destination?.close();
  destination = await startDockerRegistry();
  proxy = await startRegistryProxy(destination.host);
  root = await mkdtemp(join(folder, 'product-'));
  await writeProduct(thirdPartyOf(set));
});

async function writeProduct(thirdParty: object): Promise<void> {
  const product = { schema: 1, product: 'acme', release: { tag: 'v{version}' }, images: { registry: `${proxy.host}/acme`, thirdParty } };
  await writeFile(join(root, 'slipway.yaml'), JSON.stringify(product));
}

const mirror = (...words: string[]): Promise<SlipwayEnd> => runSlipway(program, ['images', 'mirror', '--yes', ...words], { cwd: root });

type Rows = readonly { readonly outcome: string; readonly source: string; readonly digest: string; readonly bytes: number }[];
const rowsOf = ({ result }: SlipwayEnd): Rows => result.images as Rows;
const outcomes = (end: SlipwayEnd): readonly string[] => [...new Set(rowsOf(end).map(({ outcome }) => outcome))];

/** Where the naming rules put an image. */
function placeOf({ source, as }: PushedSetImage): { readonly repository: string; readonly tag: string } {
  const [, name = '', tag = ''] = /([^/]+):([^:]+)$/.exec(source) ?? [];
  return { repository: `acme/${as ?? name}`, tag };
}

async function get(path: string): Promise<Response> {
  const accept = ['oci.image.index.v1', 'oci.image.manifest.v1', 'docker.distribution.manifest.list.v2', 'docker.distribution.manifest.v2'];
  return fetch(`http://${destination.host}/v2/${path}`, {
    headers: { accept: accept.map((type) => `application/vnd.${type}+json`).join(', ') },
  });
}

/** Every image with all that it names, hashed by hand. */
async function expectComplete(images: readonly PushedSetImage[] = set.images): Promise<void> {
  const hashed = new Set<string>();
  for (const image of images) {
    const { repository, tag } = placeOf(image);
    const bytes = Buffer.from(await (await get(`${repository}/manifests/${tag}`)).arrayBuffer());
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, image.source).toBe(image.digest);
    for (const digest of image.manifests)
      expect((await get(`${repository}/manifests/${digest}`)).status, `${image.source} ${digest}`).toBe(200);
    for (const { digest } of image.blobs) {
      const answer = await get(`${repository}/blobs/${digest}`);
      expect(answer.status, `${image.source} ${digest}`).toBe(200);
      const content = Buffer.from(await answer.arrayBuffer());
      if (!hashed.has(digest)) expect(`sha256:${createHash('sha256').update(content).digest('hex')}`).toBe(digest);
      hashed.add(digest);
    }
  }
}

describe.skipIf(!hasDockerRegistry())('images mirror', () => {
  test('C-1: 36 images in four groups arrive by the naming rules, every digest the same, each layer sent once', {
    timeout: 180_000,
  }, async () => {
    const end = await mirror();
    expect(end.code, end.stderr).toBe(0);
    expect(rowsOf(end)).toHaveLength(36);
    expect(outcomes(end)).toEqual(['copied']);
    expect(Object.values(thirdPartyOf(set)).map(({ length }) => length)).toEqual([5, 16, 8, 7]);
    await expectComplete();
    const sent = proxy.sent();
    const beside = Number(end.result.bytesCopied) - set.uniqueBytes; // a signature and a list of contents
    expect([beside > 0, beside < 1024]).toEqual([true, true]);
    expect(sent / set.uniqueBytes).toBeLessThan(1.1); // manifests are small beside it
  });

  test('C-1: a second run finds all 36 there, and copies nothing', { timeout: 180_000 }, async () => {
    await mirror();
    const before = proxy.sent();
    const again = await mirror();
    expect([rowsOf(again).length, outcomes(again)]).toEqual([36, ['present']]);
    expect(again.result.bytesCopied).toBe(0);
    expect(proxy.sent()).toBe(before);
    expect(proxy.requests.filter((line) => line.startsWith('PUT')).length).toBeGreaterThan(0);
  });

  test('killed at random moments and run again, it is complete and nothing is corrupt', { timeout: 120_000 }, async () => {
    let seed = 20_261_121;
    for (let round = 0; round < 6; round += 1) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      const child = startSlipway(program, ['images', 'mirror', '--yes'], { cwd: root });
      await new Promise((resolve) => setTimeout(resolve, 250 + (seed % 1200)));
      process.kill(child.pid, 'SIGKILL');
      await child.ended;
    }
    const end = await mirror();
    expect(end.code, end.stderr).toBe(0);
    await expectComplete();
  });

  test('a present index whose child is gone is mended, and nothing else is sent', async () => {
    await mirror('--only', 'core');
    const [image] = set.images.filter(({ group, manifests }) => group === 'core' && manifests.length > 2);
    if (image === undefined) throw new Error('no index in core');
    const { repository } = placeOf(image);
    const [child = ''] = image.manifests;
    proxy.spoil(new RegExp(`HEAD .*${repository}/manifests/${child}`), { kind: 'answer', status: 404 }); // as after a clean-up
    const end = await mirror('--only', 'core');
    expect(rowsOf(end).filter(({ outcome }) => outcome === 'copied')).toMatchObject([{ digest: image.digest, bytes: 0 }]);
    await expectComplete(set.images.filter(({ group }) => group === 'core'));
  });

  test('C-1: --dry-run shows what would be copied and how much, and writes nothing', async () => {
    const end = await mirror('--dry-run');
    expect(end.code).toBe(0);
    expect(end.result.plan).toMatchObject({ command: 'images mirror', steps: [{ kind: 'copy-images' }] });
    expect(proxy.requests.filter((line) => /^(PUT|POST|PATCH|DELETE)/.test(line))).toEqual([]);
  });

  test('C-1: --only core takes the 5 of the core; other groups and names too, and those that are not there are named', async () => {
    expect(rowsOf(await mirror('--only', 'core'))).toHaveLength(5);
    const end = await mirror('--only', 'monitoring');
    expect(rowsOf(end)).toHaveLength(7);
    const wrong = await mirror('--only', 'monitorin');
    expect([wrong.code, wrong.result.code]).toEqual([2, 'E_USAGE']);
    expect(String(wrong.result.hint)).toContain('monitoring');
  });

  test('L-5: an image that fails stops no other; the report names it, and the exit code tells', async () => {
    proxy.spoil(/PUT .*acme\/alpine\/manifests/, { kind: 'answer', status: 400, body: '{"errors":[{"code":"MANIFEST_INVALID"}]}' }, 99);
    const end = await mirror();
    expect(end.code).toBe(5);
    const rows = rowsOf(end);
    expect(rows.filter(({ outcome }) => outcome === 'failed').map(({ source }) => source)).toEqual([expect.stringContaining('alpine')]);
    expect(rows.filter(({ outcome }) => outcome === 'copied')).toHaveLength(35);
    proxy.clear();
    const again = await mirror();
    expect(rowsOf(again).filter(({ outcome }) => outcome === 'copied')).toHaveLength(1);
    await expectComplete();
  });

  test('L-5: a flaky registry is waited for: 429, resets, 502 in the middle, lost answers, forgotten uploads', async () => {
    proxy.spoil(/^PUT .*uploads/, { kind: 'cut-request', bytes: 20_000 }, 3);
    proxy.spoil(/^PUT .*uploads/, { kind: 'lose-answer' }, 3);
    proxy.spoil(/^PUT .*uploads/, { kind: 'change', status: 502 }, 3);
    proxy.spoil(/^PUT .*uploads/, { kind: 'answer', status: 404 }, 2);
    proxy.spoil(/^POST/, { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }, 3);
    proxy.spoil(/^PUT .*manifests/, { kind: 'answer', status: 502 }, 3);
    proxy.spoil(/^HEAD/, { kind: 'reset' }, 3);
    const end = await mirror();
    expect(end.code, end.stderr).toBe(0);
    await expectComplete();
  });

  test('L-3: tags by list and by pattern go to two destinations under their names', async () => {
    const image = set.images.find(({ kind }) => kind === 'single');
    if (image === undefined) throw new Error('no single image');
    const source = image.reference.replace(/:[^:]+$/, '');
    await writeProduct({ core: [{ source, as: 'renamed', tags: [image.tag], asTags: ['stable'], to: [`${proxy.host}/elsewhere`] }] });
    const end = await mirror();
    expect(end.code, end.stderr).toBe(0);
    for (const place of ['acme/renamed', 'elsewhere/renamed']) {
      expect((await get(`${place}/manifests/stable`)).headers.get('docker-content-digest')).toBe(image.digest);
    }
    await writeProduct({ core: [{ source, as: 'renamed', tags: ['/^no-such-/'] }] });
    const none = await mirror();
    expect([none.code, none.result.code]).toEqual([5, 'E_NOT_FOUND']);
  });

  test('L-6: of an index only the wanted platforms are copied, into an index of their own', async () => {
    const image = set.images.find(({ platforms, kind }) => platforms.includes('linux/arm64') && kind === 'oci');
    if (image === undefined) throw new Error('no index');
    await writeProduct({ core: [{ source: image.reference, as: 'small', platforms: ['linux/arm64'] }] });
    const end = await mirror();
    expect(end.code, end.stderr).toBe(0);
    const index = (await (await get(`acme/small/manifests/${image.tag}`)).json()) as {
      manifests: { platform?: { architecture: string } }[];
    };
    expect(index.manifests.map(({ platform }) => platform?.architecture)).toContain('arm64');
    expect(index.manifests.map(({ platform }) => platform?.architecture)).not.toContain('amd64');
    expect((await mirror()).result.bytesCopied).toBe(0);
    await writeProduct({ core: [{ source: image.reference, as: 'small', platforms: ['linux/s390x'] }] });
    expect((await mirror()).result).toMatchObject({ ok: false, code: 'E_NOT_FOUND', message: expect.stringContaining('linux/s390x') });
  });
});
