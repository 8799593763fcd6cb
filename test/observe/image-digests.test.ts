import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseImageRef } from '../../src/model/image.ts';
import { EMPTY_LOCK, type LockFile } from '../../src/model/lock-file.ts';
import { type DigestQuestion, observeImageDigests, type WantedImage } from '../../src/observe/image-digests.ts';
import { planLock } from '../../src/plan/lock.ts';
import { openHttp } from '../../src/world/http.ts';
import { openRegistry } from '../../src/world/registry.ts';
import { failure } from '../failure.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { pushImage } from '../fakes/registry-push.ts';

let registry: FakeRegistry;
beforeEach(async () => {
  registry = await startFakeRegistry();
});
afterEach(() => registry.close());

const wanted = (name: string, own = false): WantedImage => ({
  name,
  own,
  reference: parseImageRef(`${registry.host}/acme/${name}:1`, 'test'),
});
const push = (name: string, layer = 'x') => pushImage(registry, `acme/${name}`, { architecture: 'amd64', layers: [layer], tag: '1' });

function observe(images: readonly WantedImage[], more: Partial<DigestQuestion> = {}) {
  const source = openRegistry({
    http: openHttp(testHttpWorld()),
    credentials: { find: async () => ({ kind: 'none', reason: 'test' }) },
    world: testHttpWorld(),
  });
  registry.requests.length = 0;
  return observeImageDigests({ wanted: images, lock: EMPTY_LOCK, registry: source, ...more });
}

async function lockOf(...images: WantedImage[]): Promise<LockFile> {
  return planLock({ previous: EMPTY_LOCK, resolved: await observe(images), moment: '2026-03-16T10:00:00Z' }).lock;
}

describe('observeImageDigests', () => {
  it('asks the registry for what is not locked, and answers in the order asked', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const digests = await Promise.all(names.map(async (name) => (await push(name, name)).digest));
    const found = await observe(names.map((name) => wanted(name)));
    expect(found.map(({ name, digest }) => [name, digest])).toEqual(names.map((name, index) => [name, digests[index]]));
    expect(found[0]).toMatchObject({ platforms: ['linux/amd64'], size: expect.any(Number) });
  });

  it('asks nobody about a locked image, even when its tag has moved', async () => {
    const { digest } = await push('a');
    const lock = await lockOf(wanted('a'));
    await push('a', 'moved');
    expect((await observe([wanted('a')], { lock })).map((image) => image.digest)).toEqual([digest]);
    expect(registry.requests).toEqual([]);
  });

  it('asks about an own image in spite of the lock', async () => {
    await push('a');
    const lock = await lockOf(wanted('a'));
    const { digest } = await push('a', 'built again');
    expect((await observe([wanted('a', true)], { lock }))[0]?.digest).toBe(digest);
  });

  it('asks about a locked image whose reference was edited', async () => {
    await push('a');
    const lock = await lockOf(wanted('a'));
    await pushImage(registry, 'acme/a', { architecture: 'amd64', layers: ['two'], tag: '2' });
    const edited = { ...wanted('a'), reference: parseImageRef(`${registry.host}/acme/a:2`, 'test') };
    expect((await observe([edited], { lock }))[0]?.digest).not.toBe(lock.images.a?.digest);
  });

  it('needs one HEAD to see that a lock is current', async () => {
    await push('a');
    const lock = await lockOf(wanted('a'));
    const [found] = await observe([wanted('a')], { lock, fresh: true });
    expect(found?.digest).toBe(lock.images.a?.digest);
    expect(registry.requests.map(({ line }) => line)).toEqual(['HEAD /v2/acme/a/manifests/1']);
  });

  it('names all images that could not be resolved, in one error', async () => {
    await push('a');
    const error = await failure(observe([wanted('a'), wanted('b'), wanted('c')]));
    expect(error.code).toBe('E_NOT_FOUND');
    expect(error.message).toMatch(/^2 images could not be resolved:\n {2}b .*acme\/b:1.*\n {2}c .*acme\/c:1/);
    expect(error.hint).toContain('pushed');
  });

  it('tells a single problem in its own words', async () => {
    await expect(observe([wanted('b')])).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringMatching(/acme\/b:1 does not exist/),
    });
  });
});
