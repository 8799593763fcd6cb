// The read suite, on the fake and on Debian's docker-registry.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImageRef, parseImageRef } from '../../src/model/image.ts';
import type { RegistrySource } from '../../src/model/registry.ts';
import type { Credential } from '../../src/world/docker-config.ts';
import { failure } from '../failure.ts';
import { hasDockerRegistry, REGISTRY_LOGIN, startDockerRegistry } from '../fakes/docker-registry.ts';
import { type FakeLogin, type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import { entryOf, type Pushed, type PushTarget, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { BASIC, NOTHING, pushToken, reader, STORED } from '../fakes/registry-reader.ts';

const LOGIN = REGISTRY_LOGIN;
interface Started {
  readonly target: PushTarget;
  readonly credential: Credential;
  readonly close: () => Promise<void>;
}

const fake =
  (login?: Pick<FakeLogin, 'kind' | 'tokenUses'>, options: FakeRegistryOptions = {}) =>
  async (): Promise<Started> => {
    const registry = await startFakeRegistry({ ...options, ...(login === undefined ? {} : { login: { ...LOGIN, ...login } }) });
    const authorization = login?.kind === 'bearer' ? await pushToken(registry.host, 'acme/app') : BASIC;
    return { target: { host: registry.host, authorization }, credential: login === undefined ? NOTHING : STORED, close: registry.close };
  };

const real = (login: boolean) => async (): Promise<Started> => {
  const registry = await startDockerRegistry({ login });
  return { target: { host: registry.host, authorization: BASIC }, credential: login ? STORED : NOTHING, close: registry.close };
};

const REAL = hasDockerRegistry();
const registries: readonly (readonly [string, () => Promise<Started>])[] = [
  ['the fake, open', fake()],
  ['the fake with Basic', fake({ kind: 'basic' })],
  ['the fake with Bearer', fake({ kind: 'bearer' })],
  ['the fake with blobs on another host', fake({ kind: 'bearer' }, { blobsElsewhere: true })],
  ...(REAL
    ? ([
        ['docker-registry, open', real(false)],
        ['docker-registry with Basic', real(true)],
      ] as const)
    : []),
];

it(REAL ? 'docker-registry is there and runs the suite too' : 'docker-registry is not installed: its half of the suite is left out', () => {
  expect(REAL || process.env.CI !== 'true', 'install the Debian package docker-registry').toBe(true);
});

describe.each(registries)('reading %s', (_, start) => {
  let started: Started;
  let amd64: Pushed;
  let arm64: Pushed;
  let index: Pushed;
  const at = (rest: string): ImageRef => parseImageRef(`${started.target.host}/acme/app${rest}`, 'test');
  const open = (): RegistrySource => reader(started.credential);

  beforeAll(async () => {
    started = await start();
    const { target } = started;
    amd64 = await pushImage(target, 'acme/app', { architecture: 'amd64', layers: ['base', 'amd64 layer', 'base'], tag: '1.0.0' });
    arm64 = await pushImage(target, 'acme/app', {
      architecture: 'arm64',
      variant: 'v8',
      layers: ['base', 'a longer arm64 layer'],
      tag: 'arm',
    });
    await pushImage(target, 'acme/app', { architecture: 'arm', variant: 'v7', layers: ['x'], format: 'docker', tag: 'docker' });
    const entries = [
      entryOf(amd64, { os: 'linux', architecture: 'amd64' }),
      entryOf(arm64, { os: 'linux', architecture: 'arm64', variant: 'v8' }),
      {
        ...entryOf(amd64, { os: 'unknown', architecture: 'unknown' }),
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
    ];
    index = await pushIndex(target, 'acme/app', { tag: 'multi', entries });
  });
  afterAll(() => started.close());

  it('resolves one image with its platform, and counts a layer that comes twice once', async () => {
    const { digest, size, mediaType, compressed } = amd64;
    const resolved = await open().resolveManifest(at(':1.0.0'));
    expect(resolved).toMatchObject({ digest, size, mediaType, platforms: ['linux/amd64'], compressedSize: compressed });
    expect(resolved.parts).toMatchObject([{ platform: 'linux/amd64', blobs: [{}, {}, {}] }]); // configuration, two layers
  });

  it('resolves an index with the platforms of its images and the size of the largest, without attestations', async () => {
    const resolved = await open().resolveManifest(at(':multi'));
    expect(resolved).toMatchObject({ digest: index.digest, platforms: ['linux/amd64', 'linux/arm64'], compressedSize: arm64.compressed });
    expect(arm64.compressed).toBeGreaterThan(amd64.compressed);
  });

  it('resolves Docker’s own formats', async () => {
    expect(await open().resolveManifest(at(':docker'))).toMatchObject({ platforms: ['linux/arm/v7'] });
  });

  it('resolves by digest, whatever the tag says', async () => {
    expect((await open().resolveManifest(at(`:multi@${amd64.digest}`))).digest).toBe(amd64.digest);
  });

  it('reads the exact bytes', async () => {
    const { bytes, digest, size } = await open().readManifest(at(':multi'));
    expect([digest, size]).toEqual([index.digest, index.size]);
    expect(bytes.toString()).toContain('\n   "schemaVersion": 2');
  });

  it('learns a digest by HEAD', async () => {
    const { digest, size, mediaType } = index;
    expect(await open().headManifest(at(':multi'))).toEqual({ digest, size, mediaType });
  });

  it('says that a tag is absent: HEAD with undefined, everything else with the reference', async () => {
    expect(await open().headManifest(at(':absent'))).toBeUndefined();
    const error = await failure(open().resolveManifest(at(':absent')));
    expect(error).toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining(`${started.target.host}/acme/app:absent does not exist`),
    });
    expect(error.hint).toContain('pushed');
  });

  it('lists all tags', async () => {
    expect([...(await open().listTags(at('')))].sort()).toEqual(['1.0.0', 'arm', 'docker', 'multi']);
  });

  it('fails to list a repository that is not there, instead of finding no tags', async () => {
    const ref = parseImageRef(`${started.target.host}/acme/nothing`, 'test');
    expect((await failure(open().listTags(ref))).code).toBe('E_NOT_FOUND');
  });

  it('says whether a login was sent when access is refused', async () => {
    if (started.credential.kind === 'none') return;
    const none = await failure(reader().resolveManifest(at(':1.0.0')));
    expect(none).toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('no credentials were sent (/home/me/.docker/config.json has no login'),
    });
    expect(none.hint).toContain(`docker login ${started.target.host}`);
    const wrong = await failure(reader({ ...STORED, password: 'hidden' } as Credential).headManifest(at(':1.0.0')));
    expect(wrong).toMatchObject({
      code: 'E_AUTH',
      message: expect.stringContaining('the credentials from /home/me/.docker/config.json were sent'),
    });
    expect(JSON.stringify([none, wrong, wrong.message, wrong.hint])).not.toMatch(/hidden|right horse|cmlnaHQ/);
  });
});
