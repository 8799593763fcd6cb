// images mirror and what belongs to images: cosign's tags, and manifests that refer to others, from and to registries that list those and registries that do not.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { images } from '../../src/commands/slipway/images.ts';
import type { Event } from '../../src/model/event.ts';
import { failure } from '../failure.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../fakes/docker-registry.ts';
import { answers } from '../fakes/http-faults.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import { type RegistryProxy, startRegistryProxy } from '../fakes/registry-proxy.ts';
import { pushBlob } from '../fakes/registry-push.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { ANNOTATIONS, digestAt, listReferrers, pushSignedImage, refer, type SignedImage, sign } from '../fakes/signed-image.ts';

/** A registry to copy from or to. */
interface Stand {
  readonly host: string;
  readonly api: boolean;
  /** `METHOD path` of all requests until now. */
  readonly lines: () => readonly string[];
}

let root: string;
let events: Event[];
let docker: DockerRegistry;
let proxies: RegistryProxy[];
let fakes: FakeRegistry[];
let stages = 0;

beforeAll(async () => {
  if (hasDockerRegistry()) docker = await startDockerRegistry();
});
afterAll(() => docker?.close());
beforeEach(async () => {
  [proxies, fakes] = [[], []];
  stages += 1;
  root = await mkdtemp(join(tmpdir(), 'slipway-signatures-'));
});
afterEach(async () => {
  await Promise.all([...proxies, ...fakes].map(({ close }) => close()));
  await rm(root, { recursive: true, force: true });
});

async function fake(options: FakeRegistryOptions = {}): Promise<Stand & { readonly fake: FakeRegistry }> {
  const registry = await startFakeRegistry(options);
  fakes.push(registry);
  const api = (options.referrers ?? 'none') !== 'none';
  return { host: registry.host, api, lines: () => registry.requests.map(({ line }) => line), fake: registry };
}

async function real(): Promise<Stand & { readonly proxy: RegistryProxy }> {
  const proxy = await startRegistryProxy(docker.host);
  proxies.push(proxy);
  return { host: proxy.host, api: false, lines: () => [...proxy.requests], proxy };
}

/** Debian's registry keeps what earlier tests left: each has names of its own. */
const upstream = (): string => `upstream-${stages}/app`;
const home = (): string => `home-${stages}`;
const push = (from: Stand, tag = '1.0'): Promise<SignedImage> => pushSignedImage({ ...from, repository: upstream(), tag });

async function mirror(from: Stand, to: Stand | string, flags: Record<string, unknown> = {}, entry: object = {}): Promise<CommandResult> {
  const registry = typeof to === 'string' ? to : `${to.host}/${home()}`;
  const thirdParty = { core: [{ source: `${from.host}/${upstream()}:1.0`, ...entry }] };
  await writeFile(
    join(root, 'slipway.yaml'),
    JSON.stringify({ schema: 1, product: 'acme', release: { tag: 'v{version}' }, images: { registry, thirdParty } }),
  );
  events = [];
  const world = quietWorld({ env: { PATH: process.env.PATH }, report: (event) => events.push(event) });
  const all = { config: join(root, 'slipway.yaml'), yes: true, ...flags } as never;
  return images.run({ world, flags: all, positionals: ['mirror'], program: 'slipway', file: import.meta.filename });
}

const rowOf = ({ fields }: CommandResult): Record<string, unknown> => (fields.images as Record<string, unknown>[])[0] ?? {};
const app = (): string => `${home()}/app`;
const writes = (lines: readonly string[]): readonly string[] => lines.filter((line) => /^(PUT|POST|PATCH|DELETE)/.test(line));

/** Everything that belongs to the image is at the destination, byte for byte, and where clients look for it. */
async function expectSigned(image: SignedImage, to: Stand, repository = app()): Promise<void> {
  expect(await digestAt(to.host, repository, image.tag)).toBe(image.index.digest);
  for (const [tag, digest] of Object.entries(image.tags)) expect(await digestAt(to.host, repository, tag), tag).toBe(digest);
  for (const { subject, digest, artifactType } of image.referrers) {
    expect(await digestAt(to.host, repository, digest), artifactType).toBe(digest);
    const listed = await listReferrers(to.host, repository, subject);
    expect(listed.filter((entry) => entry.digest === digest)).toEqual([
      expect.objectContaining({ digest, artifactType, annotations: ANNOTATIONS }),
    ]);
  }
}

const API = (): Promise<Stand> => fake({ referrers: 'api' });
const QUIET = (): Promise<Stand> => fake({ referrers: 'quiet' });
const NONE = (): Promise<Stand> => fake();
const ways: readonly (readonly [string, () => Promise<Stand>, () => Promise<Stand>])[] = [
  ['from a registry that lists referrers to one that does', API, API],
  ['from a registry that lists referrers to one that does not', API, NONE],
  ['from a registry that does not list referrers to one that does', NONE, API],
  ['to a registry that lists referrers, and does not say so', API, QUIET],
  ...(hasDockerRegistry()
    ? ([
        ['from docker-registry to docker-registry', real, real],
        ['from a registry that lists referrers to docker-registry', API, real],
        ['from docker-registry to a registry that lists referrers', real, API],
      ] as const)
    : []),
];

describe('what belongs to an image', () => {
  test.each(ways)('comes along %s; a second run sends nothing', async (_, startFrom, startTo) => {
    const [from, to] = [await startFrom(), await startTo()];
    const image = await push(from);
    const first = await mirror(from, to);
    expect(rowOf(first)).toMatchObject({ outcome: 'copied', attached: 7, digest: image.index.digest });
    await expectSigned(image, to);
    const before = to.lines().length;
    const again = await mirror(from, to);
    expect([rowOf(again).outcome, again.fields.bytesCopied, again.fields.notes]).toEqual(['present', 0, []]);
    expect(writes(to.lines().slice(before))).toEqual([]);
  });

  test('is copied alone when it was made after the image was mirrored: no layer is sent, and the tag is not written again', async () => {
    const [from, to] = [await API(), await fake({ immutableTags: /^1\./ })];
    const image = await push(from);
    await mirror(from, to);
    const [tag, digest] = await sign({ ...from, repository: upstream(), subject: image.arm64.digest });
    const added = await refer({ ...from, repository: upstream(), subject: image.index, artifactType: 'application/vnd.example.review' });
    const before = to.lines().length;
    expect(rowOf(await mirror(from, to))).toMatchObject({ outcome: 'copied', attached: 8 }); // lists of platforms are asked for when an image is copied, or with --deep
    expect(await digestAt(to.host, app(), tag)).toBe(digest);
    await expectSigned({ ...image, referrers: [...image.referrers, added] }, to);
    expect(writes(to.lines().slice(before)).filter((line) => line.includes('manifests/1.0'))).toEqual([]);
    expect(rowOf(await mirror(from, to)).outcome).toBe('present');
  });

  test('of an index that was made smaller only what belongs to its platforms comes along, and a note says what does not fit any more', async () => {
    const [from, to] = [await API(), await NONE()];
    const image = await push(from);
    const entry = { platforms: ['linux/amd64'] };
    const result = await mirror(from, to, {}, entry);
    const sbom = Object.entries(image.tags).filter(([tag]) => tag.startsWith(image.amd64.digest.replace(':', '-')));
    expect(rowOf(result)).toMatchObject({ outcome: 'copied', attached: 1 });
    expect(result.fields.notes).toEqual([expect.stringMatching(/signed as a whole.*does not fit/)]);
    expect(result.text).toContain('does not fit');
    for (const [tag, digest] of sbom) expect(await digestAt(to.host, app(), tag)).toBe(digest);
    expect(await digestAt(to.host, app(), `${image.index.digest.replace(':', '-')}.sig`)).toBeUndefined();
    expect((await mirror(from, to, {}, entry)).fields).toMatchObject({ bytesCopied: 0, images: [{ outcome: 'present' }] });
  });

  test('signatures that the destination got from somebody else are not overwritten; those that the source has too are', async () => {
    const [from, to] = [await NONE(), await NONE()];
    const image = await push(from);
    await mirror(from, to);
    const subject = image.index.digest;
    const [tag, both] = await sign({ ...to, repository: app(), subject, signers: ['maintainer', 'our site'] });
    const kept = await mirror(from, to);
    expect(kept.fields.notes).toEqual([expect.stringContaining('signatures of its own')]);
    expect(await digestAt(to.host, app(), tag)).toBe(both);
    const [, all] = await sign({ ...from, repository: upstream(), subject, signers: ['maintainer', 'our site', 'auditor'] });
    expect((await mirror(from, to)).fields.notes).toEqual([]);
    expect(await digestAt(to.host, app(), tag)).toBe(all);
  });

  test('what many refer to is listed whole, though all of them are put at once', async () => {
    const [from, to] = [await API(), await NONE()];
    const image = await push(from);
    const types = Array.from({ length: 30 }, (_, index) => `application/vnd.example.n${index}`);
    const more = await Promise.all(
      types.map((artifactType) => refer({ ...from, repository: upstream(), subject: image.index, artifactType })),
    );
    await mirror(from, to);
    await expectSigned({ ...image, referrers: [...image.referrers, ...more] }, to);
  });

  test('an entry of another program in the list at the destination stays', async () => {
    const [from, to] = [await API(), await NONE()];
    const image = await push(from);
    await mirror(from, to);
    const theirs = await refer({ ...to, repository: app(), subject: image.index, artifactType: 'application/vnd.example.theirs' });
    const ours = await refer({ ...from, repository: upstream(), subject: image.index, artifactType: 'application/vnd.example.ours' });
    await mirror(from, to);
    const listed = await listReferrers(to.host, app(), image.index.digest);
    expect(listed.map(({ digest }) => digest)).toEqual(expect.arrayContaining([theirs.digest, ours.digest]));
  });

  test('is found by name where a registry does not list its tags', async () => {
    const [from, to] = [await fake(), await NONE()];
    const image = await push(from);
    from.fake.failNext(/tags\/list/, answers(403, {}, '{"errors":[{"code":"DENIED"}]}'), 99);
    expect(rowOf(await mirror(from, to))).toMatchObject({ outcome: 'copied', attached: 7 });
    await expectSigned(image, to);
  });

  test('what a list names and the source has not is passed over', async () => {
    const [from, to] = [await fake(), await NONE()];
    const image = await push(from);
    from.fake.repositories.get(upstream())?.manifests.delete(image.referrers[1]?.digest ?? '');
    expect(rowOf(await mirror(from, to)).outcome).toBe('copied');
    await expectSigned({ ...image, referrers: image.referrers.filter((_, index) => index !== 1) }, to);
  });

  test('a list without end is refused with a way out, and the image comes without it', async () => {
    const [from, to] = [await fake({ referrers: 'api' }), await fake()];
    const image = await push(from);
    const known = from.fake.repositories.get(upstream());
    const subject = { digest: image.index.digest };
    for (let index = 0; index < 250; index += 1) {
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, subject, annotations: { index: String(index) } }));
      known?.manifests.set(`sha256:${index.toString(16).padStart(64, '0')}`, { bytes, type: 'application/vnd.oci.image.manifest.v1+json' });
    }
    const error = await failure(mirror(from, to));
    expect(error).toMatchObject({ code: 'E_TOO_LARGE', message: expect.stringContaining('--without-signatures') });
    expect(rowOf(await mirror(from, to, { 'without-signatures': true }))).toMatchObject({ outcome: 'copied', attached: 0 });
    expect(await digestAt(to.host, app(), '1.0')).toBe(image.index.digest);
    expect([...(to.fake.repositories.get(app())?.tags.keys() ?? [])]).toEqual(['1.0']);
  });

  test('signatures are no versions: a pattern for all tags takes none of them', async () => {
    const [from, to] = [await NONE(), await NONE()];
    const image = await push(from);
    const source = `${from.host}/${upstream()}`;
    const result = await mirror(from, to, {}, { source, tags: ['*'] });
    expect((result.fields.images as { source: string }[]).map((row) => row.source)).toEqual([`${source}:1.0`]);
    await expectSigned(image, to);
  });

  test('goes with an own image into another repository, by images alias', async () => {
    const to = await fake();
    const image = await pushSignedImage({ ...to, repository: `${home()}/own`, tag: '1.0' });
    const own = { app: { repository: 'own' } };
    const product = { schema: 1, product: 'acme', release: { tag: 'v{version}' }, images: { registry: `${to.host}/${home()}`, own } };
    await writeFile(join(root, 'slipway.yaml'), JSON.stringify(product));
    const world = quietWorld({ env: { PATH: process.env.PATH } });
    const flags = { config: join(root, 'slipway.yaml'), yes: true };
    await images.run({ world, flags, positionals: ['alias', 'app:1.0', 'tools:1.0'], program: 'slipway', file: import.meta.filename });
    await expectSigned(image, to, `${home()}/tools`);
  });

  test('goes into a folder with the image and from there into a registry', async () => {
    const [from, to] = [await API(), await API()];
    const image = await push(from);
    expect(rowOf(await mirror(from, to, { to: `oci:${root}/images` })).attached).toBe(7);
    const blobs = (await readdir(join(root, 'images/blobs/sha256'))).length;
    await mirror(from, to, { from: `oci:${root}/images` });
    await expectSigned(image, to);
    expect((await mirror(from, to, { to: `oci:${root}/images` })).fields.bytesCopied).toBe(0);
    expect((await readdir(join(root, 'images/blobs/sha256'))).length).toBe(blobs);
  });

  test.skipIf(!hasDockerRegistry())(
    'cut off after any request, the next run completes it, and no tag is there before its signature',
    async () => {
      const from = await API();
      const image = await push(from);
      for (let dead = 3; dead < 90; dead += 11) {
        stages += 1;
        const to = await real();
        const source = { source: `${from.host}/${image.repository}:1.0` };
        to.proxy.killAt(dead, dead % 4 === 0 ? 'after' : 'before');
        await mirror(from, to, {}, source).catch(() => undefined);
        to.proxy.clear();
        const tagged = await digestAt(to.host, app(), '1.0');
        if (tagged !== undefined) await expectSigned(image, to);
        await mirror(from, to, {}, source);
        await expectSigned(image, to);
      }
    },
  );
});

describe('what a warm run asks', () => {
  test.skipIf(!hasDockerRegistry())(
    'docker-registry: the list of tags once a repository, and whether it lists referrers once a run',
    async () => {
      const [from, to] = [await real(), await real()];
      const image = await pushSignedImage({ ...from, repository: `${upstream()}`, tag: '1.0' });
      const tags = ['1.1', '1.2', '1.3'];
      for (const tag of tags) await pushSignedImage({ ...from, repository: upstream(), tag });
      const entry = { source: `${from.host}/${upstream()}`, tags: ['1.0', ...tags], as: 'app' };
      await mirror(from, to, {}, entry);
      await expectSigned(image, to);
      const [asked, there] = [from.lines().length, to.lines().length];
      await mirror(from, to, {}, entry);
      const [ours, theirs] = [from.lines().slice(asked), to.lines().slice(there)];
      expect(ours.filter((line) => line.includes('/tags/list'))).toHaveLength(1);
      expect(theirs.filter((line) => line.includes('/tags/list'))).toHaveLength(1);
      expect([...ours, ...theirs].filter((line) => line.includes('/referrers/')).length).toBeLessThanOrEqual(2);
      expect(writes([...ours, ...theirs])).toEqual([]);
    },
  );

  test('a registry where nothing is signed: a list of tags and no more for each repository, and one question for the registry', async () => {
    const [from, to] = [await fake(), await NONE()];
    await push(from);
    const known = from.fake.repositories.get(upstream());
    for (const tag of [...(known?.tags.keys() ?? [])]) if (tag.startsWith('sha256-')) known?.tags.delete(tag);
    await mirror(from, to);
    const [asked, there] = [from.lines().length, to.lines().length];
    await mirror(from, to);
    const lines = from
      .lines()
      .slice(asked)
      .map((line) => line.replace(/sha256:.*/, '…'));
    expect(lines.sort()).toEqual([
      `GET /v2/${upstream()}/referrers/…`,
      `GET /v2/${upstream()}/tags/list?n=1000`,
      `HEAD /v2/${upstream()}/manifests/1.0`,
    ]);
    expect(
      to
        .lines()
        .slice(there)
        .filter((line) => !line.includes(`/${app()}/manifests/`)),
    ).toEqual([]);
  });
});

describe('--deep', () => {
  const lose = (to: FakeRegistry, digest: string): void => void to.repositories.get(app())?.blobs.delete(digest);

  test('finds a layer that the destination lost under an image that is there, and sends it again, also where tags are written once', async () => {
    const [from, to] = [await fake(), await fake({ immutableTags: /^1\./ })];
    const image = await push(from);
    await mirror(from, to);
    const manifest = JSON.parse(String(to.fake.repositories.get(app())?.manifests.get(image.arm64.digest)?.bytes)) as {
      layers: { digest: string }[];
    };
    lose(to.fake, manifest.layers[1]?.digest ?? '');
    expect(rowOf(await mirror(from, to)).outcome).toBe('present'); // a manifest stands for its layers
    expect(await digestAt(to.host, app(), image.arm64.digest)).toBeUndefined();
    const healed = await mirror(from, to, { deep: true });
    expect(rowOf(healed)).toMatchObject({ outcome: 'copied', bytes: `${upstream()} 1.0 arm64`.length });
    expect(await digestAt(to.host, app(), image.arm64.digest)).toBe(image.arm64.digest);
    expect(rowOf(await mirror(from, to, { deep: true })).outcome).toBe('present');
  });

  test.skipIf(!hasDockerRegistry())('docker-registry: a layer whose file is gone is found and sent again, and nothing else', async () => {
    const [from, to] = [await API(), await real()];
    const image = await push(from);
    await mirror(from, to);
    const manifest = await fetch(`http://${to.host}/v2/${app()}/manifests/${image.amd64.digest}`, {
      headers: { accept: '*/*, application/vnd.oci.image.manifest.v1+json' },
    });
    const { layers } = (await manifest.json()) as { layers: { digest: string; size: number }[] };
    const lost = layers[1];
    await rm(docker.blobFile(lost?.digest ?? ''));
    expect(rowOf(await mirror(from, to)).outcome).toBe('present');
    expect(rowOf(await mirror(from, to, { deep: true }))).toMatchObject({ outcome: 'copied', bytes: lost?.size });
    await expectSigned(image, to);
    expect(await digestAt(to.host, app(), image.amd64.digest)).toBe(image.amd64.digest);
  });

  test('finds a signature that lost its content, and one of a platform that is listed by the registry alone', async () => {
    const [from, to] = [await fake({ referrers: 'api' }), await fake({ referrers: 'api' })];
    const image = await push(from);
    await mirror(from, to);
    const late = await refer({ ...from, repository: upstream(), subject: image.amd64, artifactType: 'application/vnd.example.late' });
    const content = Buffer.from(`application/spdx+json of ${image.index.digest}`);
    await pushBlob(from, upstream(), content);
    for (const [digest, bytes] of to.fake.repositories.get(app())?.blobs ?? []) if (bytes.equals(content)) lose(to.fake, digest);
    expect(rowOf(await mirror(from, to)).outcome).toBe('present');
    expect(rowOf(await mirror(from, to, { deep: true })).outcome).toBe('copied');
    await expectSigned({ ...image, referrers: [...image.referrers, late] }, to);
  });
});
