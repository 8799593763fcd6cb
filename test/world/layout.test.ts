// Image layouts that others made, or that were cut off: what is refused, and what stays valid.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../src/model/digest.ts';
import { type ImageRef, pinImage } from '../../src/model/image.ts';
import { inLayout } from '../../src/model/image-layout.ts';
import type { Blob, Registry, StoredManifest } from '../../src/model/registry.ts';
import { openLayouts } from '../../src/world/layout.ts';
import { failure } from '../failure.ts';
import { testHttpWorld } from '../fakes/http-world.ts';

const UPSTREAM: ImageRef = { registry: 'docker.io', repository: 'library/alpine', tag: '3.19' };
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
let root: string;
let folder: string;
let ref: ImageRef;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-layout-'));
  folder = join(root, 'images');
  ref = inLayout(UPSTREAM, folder);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const open = (): Registry => openLayouts(testHttpWorld());
const blobFile = (digest: string): string => join(folder, 'blobs/sha256', digest.slice('sha256:'.length));
const readJson = async (name: string): Promise<Record<string, unknown>> => JSON.parse(await readFile(join(folder, name), 'utf8')) as never;

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function empty(text = '{}'): StoredManifest {
  const bytes = Buffer.from(`{"schemaVersion":2,"mediaType":"${INDEX_TYPE}","manifests":[],"annotations":${text}}`);
  return { bytes, digest: digestOf(bytes), size: bytes.length, mediaType: INDEX_TYPE };
}

async function writeIndex(manifests: readonly object[]): Promise<void> {
  await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}

const named = ({ mediaType, digest, size }: StoredManifest, name: string, key = 'org.opencontainers.image.ref.name'): object => ({
  mediaType,
  digest,
  size,
  annotations: { [key]: name },
});

describe('an image layout', () => {
  test('has the files and names of the specification, and nothing else that is large', async () => {
    const manifest = empty();
    await open().putManifest(ref, manifest);
    expect(await readJson('oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' });
    expect(await readJson('index.json')).toEqual({
      schemaVersion: 2,
      mediaType: INDEX_TYPE,
      manifests: [named(manifest, 'docker.io/library/alpine:3.19')],
    });
    expect(await readdir(join(folder, 'blobs/sha256'))).toEqual([hexOf(manifest.digest)]);
    expect((await stat(blobFile(manifest.digest))).mode & 0o777).toBe(0o644);
  });

  test('keeps what others wrote into its index, and reads the names that Docker writes', async () => {
    const [first, second] = [empty(), empty('{"a":"b"}')];
    await open().putManifest(ref, first);
    const foreign = {
      ...named(second, 'docker.io/library/redis:7', 'io.containerd.image.name'),
      platform: { os: 'linux', architecture: 'x' },
    };
    await writeFile(blobFile(second.digest), second.bytes);
    await writeIndex([named(first, 'alpine:3.19'), foreign, { ...named(first, '!?'), odd: true }]);
    const registry = open();
    expect((await registry.headManifest(ref))?.digest).toBe(first.digest);
    const redis = inLayout({ registry: 'docker.io', repository: 'library/redis', tag: '7' }, folder);
    expect((await registry.headManifest(redis))?.digest).toBe(second.digest);
    await registry.putManifest({ ...ref, tag: 'new' }, first);
    const { manifests } = await readJson('index.json');
    expect(manifests).toEqual([named(first, 'alpine:3.19'), foreign, { ...named(first, '!?'), odd: true }, expect.anything()]);
  });

  test('takes many images at once without losing the name of one', async () => {
    const registry = open();
    const tags = Array.from({ length: 40 }, (_, index) => `t${index}`);
    await Promise.all(tags.map((tag) => registry.putManifest({ ...ref, tag }, empty(`{"tag":"${tag}"}`))));
    expect([...(await open().listTags(ref))].sort()).toEqual([...tags].sort());
  });

  test('an image without a tag has its digest for a name', async () => {
    const manifest = empty();
    const { tag: _, ...untagged } = ref;
    await open().putManifest(pinImage(untagged, manifest.digest), manifest);
    expect(JSON.stringify(await readJson('index.json'))).toContain(`docker.io/library/alpine@${manifest.digest}`);
    await open().deleteManifest(ref, manifest.digest);
    expect((await readJson('index.json')).manifests).toEqual([]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['an index that is larger than any', () => writeFile(join(folder, 'index.json'), Buffer.alloc(9 * 1024 * 1024, 32))],
    ['an index with too many names', () => writeIndex(Array.from({ length: 10_001 }, () => named(empty(), 'x')))],
    ['an index that is none', () => writeFile(join(folder, 'index.json'), '{"manifests":7}')],
    ['an index that is a link', () => replaceByLink('index.json', '/etc/passwd')],
    ['an index that is a pipe', () => replaceByPipe('index.json')],
    ['no index', () => rm(join(folder, 'index.json'))],
    ['another version', () => writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')],
    ['a digest that is a path', () => writeIndex([{ ...named(empty(), 'alpine:3.19'), digest: 'sha256:../../../../etc/passwd' }])],
    ['one name for two images', () => writeIndex([named(empty(), 'alpine:3.19'), named(empty('{"b":"c"}'), 'alpine:3.19')])],
    ['blobs behind a link', () => moveAndLink('blobs')],
    ['blobs/sha256 behind a link', () => moveAndLink('blobs/sha256')],
  ])('with %s is refused, for reading and for writing', async (_, spoil) => {
    await open().putManifest(ref, empty());
    await spoil();
    const before = await readdir(join(folder, '..'), { recursive: true });
    expect((await failure(open().readManifest(ref))).code).toMatch(/^E_(FORMAT|TOO_LARGE)$/);
    const tag = { ...ref, tag: 'other' };
    const written = open().putManifest(tag, empty('{"new":"1"}'));
    const reread = written.then(() => open().readManifest(ref));
    expect((await failure(reread)).code).toMatch(/^E_(FORMAT|TOO_LARGE)$/);
    expect((await readdir(join(folder, '..'), { recursive: true })).length).toBeLessThanOrEqual(before.length + 1); // nothing outside, nothing half
  });

  test('a blob that is a link, or of another size, or damaged, is refused and named', async () => {
    const bytes = randomBytes(10_000);
    const blob: Blob = { digest: digestOf(bytes), size: bytes.length };
    const registry = open();
    await registry.putBlob(ref, { blob, content: () => once(bytes) });
    const read = async (): Promise<void> => {
      for await (const _ of open().readBlob(ref, blob));
    };
    await writeFile(blobFile(blob.digest), Buffer.alloc(10_000));
    expect(await failure(read())).toMatchObject({ code: 'E_DIGEST', hint: expect.stringContaining(hexOf(blob.digest)) });
    await writeFile(blobFile(blob.digest), bytes.subarray(1));
    expect(await failure(read())).toMatchObject({ code: 'E_DIGEST' });
    expect(await open().hasBlob(ref, blob)).toBe(false);
    await writeFile(join(root, 'elsewhere'), bytes);
    await rm(blobFile(blob.digest));
    await symlink(join(root, 'elsewhere'), blobFile(blob.digest));
    expect(await failure(read())).toMatchObject({ code: 'E_FORMAT' });
    expect(await open().hasBlob(ref, blob)).toBe(false);
  });

  test('a manifest that was changed on the disk is E_DIGEST, and written again it is right', async () => {
    const manifest = empty();
    await open().putManifest(ref, manifest);
    await writeFile(blobFile(manifest.digest), manifest.bytes.toString('utf8').replace('2', '3'));
    expect(await failure(open().readManifest(ref))).toMatchObject({ code: 'E_DIGEST' });
    await open().putManifest(ref, manifest);
    expect((await open().readManifest(ref)).bytes.equals(manifest.bytes)).toBe(true);
  });

  test('a folder with something else in it is left alone', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'thesis.tex'), 'mine');
    expect(await failure(open().putManifest(ref, empty()))).toMatchObject({
      code: 'E_FORMAT',
      message: expect.stringContaining('thesis.tex'),
    });
    expect(await readdir(folder)).toEqual(['thesis.tex']);
  });

  test('a folder whose making was cut off is completed, and forgotten parts are removed', async () => {
    await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
    await mkdir(join(folder, '.slipway-parts'));
    const [old, young] = ['old', 'young'].map((name) => join(folder, '.slipway-parts', name)) as [string, string];
    for (const path of [old, young]) await writeFile(path, 'half');
    await utimes(old, new Date(0), new Date(0));
    await open().putManifest(ref, empty());
    expect((await open().headManifest(ref))?.digest).toBe(empty().digest);
    expect(await readdir(join(folder, '.slipway-parts'))).toEqual(['young']);
  });
});

async function replaceByLink(name: string, target: string): Promise<void> {
  await rm(join(folder, name));
  await symlink(target, join(folder, name));
}

async function replaceByPipe(name: string): Promise<void> {
  await rm(join(folder, name));
  await promisify(execFile)('mkfifo', [join(folder, name)]);
}

async function moveAndLink(name: string): Promise<void> {
  await rename(join(folder, name), join(root, 'moved'));
  await symlink(join(root, 'moved'), join(folder, name));
}
