// The fake registry against the real one, and its faults as they come over the wire.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasDockerRegistry, REGISTRY_LOGIN, startDockerRegistry } from './docker-registry.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from './registry.ts';
import { sha256 } from './registry-content.ts';
import { corrupted, shortenedBy, tooMany, withHeader } from './registry-faults.ts';
import { entryOf, pushImage, pushIndex } from './registry-push.ts';
import { BASIC, pushToken } from './registry-reader.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const BLOB = Buffer.from('a layer');
const [THERE, ABSENT] = [sha256(BLOB), sha256(Buffer.from('absent'))];

interface Question {
  readonly what: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

const described = (digest: string): object => ({ mediaType: 'application/octet-stream', digest, size: 7 });
const manifest = (more: object): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config: described(THERE), layers: [], ...more });
const QUESTIONS: readonly Question[] = [
  { what: 'ping', method: 'GET', path: '' },
  { what: 'manifest', method: 'GET', path: 'app/manifests/1', headers: { accept: IMAGE } },
  { what: 'manifest without the right Accept', method: 'HEAD', path: 'app/manifests/1', headers: { accept: INDEX } },
  { what: 'no such tag', method: 'GET', path: 'app/manifests/2', headers: { accept: IMAGE } },
  { what: 'blob', method: 'HEAD', path: `app/blobs/${THERE}` },
  { what: 'no such blob', method: 'HEAD', path: `app/blobs/${ABSENT}` },
  { what: 'blob of another repository', method: 'HEAD', path: `other/blobs/${THERE}` },
  { what: 'part of a blob', method: 'GET', path: `app/blobs/${THERE}`, headers: { range: 'bytes=2-' } },
  { what: 'tags', method: 'GET', path: 'app/tags/list' },
  { what: 'no such repository', method: 'GET', path: 'nothing/tags/list' },
  { what: 'referrers', method: 'GET', path: `app/referrers/${THERE}` },
  { what: 'mount', method: 'POST', path: `third/blobs/uploads/?mount=${THERE}&from=app` },
  { what: 'mount of what is absent', method: 'POST', path: `third/blobs/uploads/?mount=${ABSENT}&from=app` },
  { what: 'mount from nowhere', method: 'POST', path: `fourth/blobs/uploads/?mount=${THERE}` },
  { what: 'upload in one request', method: 'POST', path: `fourth/blobs/uploads/?digest=${THERE}`, body: 'a layer' },
  { what: 'image', method: 'PUT', path: 'app/manifests/3', headers: { 'content-type': IMAGE }, body: manifest({}) },
  { what: 'image as another type', method: 'PUT', path: 'app/manifests/4', headers: { 'content-type': INDEX }, body: manifest({}) },
  {
    what: 'image under another digest',
    method: 'PUT',
    path: `app/manifests/${ABSENT}`,
    headers: { 'content-type': IMAGE },
    body: manifest({}),
  },
  {
    what: 'image without its layer',
    method: 'PUT',
    path: 'app/manifests/5',
    headers: { 'content-type': IMAGE },
    body: manifest({ layers: [described(ABSENT)] }),
  },
  {
    what: 'index without its child',
    method: 'PUT',
    path: 'app/manifests/6',
    headers: { 'content-type': INDEX },
    body: JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [{ ...described(ABSENT), mediaType: IMAGE }] }),
  },
  { what: 'deletion', method: 'DELETE', path: `app/manifests/${ABSENT}` },
  { what: 'no manifest at all', method: 'PUT', path: 'app/manifests/7', headers: { 'content-type': IMAGE }, body: '{' },
];

async function ask(host: string, { method, path, headers = {}, body }: Question): Promise<string> {
  const answer = await fetch(`http://${host}/v2/${path}`, { method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) });
  const { errors } = (await answer.json().catch(() => ({}))) as { errors?: { code: string }[] };
  return [answer.status, ...(errors ?? []).map(({ code }) => code)].join(' ');
}

async function seed(host: string): Promise<void> {
  for (const repository of ['app', 'other'])
    await pushImage({ host }, repository, { architecture: 'amd64', layers: repository === 'app' ? ['a layer'] : [], tag: '1' });
}

describe.runIf(hasDockerRegistry() || process.env.CI === 'true')('never friendlier than docker-registry', () => {
  it('answers as it does', async () => {
    const [real, fake] = [await startDockerRegistry(), await startFakeRegistry()];
    try {
      const answers = { real: new Map<string, string>(), fake: new Map<string, string>() };
      for (const [kind, { host }] of [['real', real] as const, ['fake', fake] as const]) {
        await seed(host);
        for (const question of QUESTIONS) answers[kind].set(question.what, await ask(host, question));
      }
      expect(Object.fromEntries(answers.fake)).toEqual(Object.fromEntries(answers.real));
    } finally {
      await Promise.all([real.close(), fake.close()]);
    }
  });
});

describe('a registry with faults', () => {
  let registry: FakeRegistry;
  const begin = async (options: FakeRegistryOptions = {}): Promise<void> => {
    await registry?.close();
    registry = await startFakeRegistry(options);
  };
  const url = (path: string): string => `http://${registry.host}/v2/${path}`;
  const startUpload = async (headers: Record<string, string> = {}): Promise<string> => {
    const begun = await fetch(url('app/blobs/uploads/'), { method: 'POST', headers });
    const { href, search } = new URL(begun.headers.get('location') ?? '', url(''));
    return `${href}${search === '' ? '?' : '&'}digest=`;
  };
  const put = (to: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(to, { method: 'PUT', headers, body });
  const blobs = (): string[] => [...(registry.repositories.get('app')?.blobs.keys() ?? [])];

  beforeEach(() => begin());
  afterEach(() => registry.close());

  it('429 comes as often as was said, with Retry-After and no JSON', async () => {
    registry.faults.add({ on: /^GET \/v2\/$/, answer: tooMany('7'), times: 2, after: 1 });
    const answers = [];
    for (let n = 0; n < 4; n += 1) answers.push(await fetch(url('')));
    expect(answers.map(({ status }) => status)).toEqual([200, 429, 429, 200]);
    expect(answers[1]?.headers.get('retry-after')).toBe('7');
    expect(registry.requests.map(({ method, path, status }) => [method, path, status])[1]).toEqual(['GET', '/v2/', 429]);
  });

  it('a blob can be lost half-way, short, or another one under its name', async () => {
    await seed(registry.host);
    const get = (): Promise<Response> => fetch(url(`app/blobs/${THERE}`));
    registry.faults.add({ on: /blobs/, answer: { cutAtByte: 3 } });
    registry.faults.add({ on: /blobs/, answer: { change: shortenedBy(2) } });
    registry.faults.add({ on: /blobs/, answer: { change: corrupted } });
    await expect(get().then((answer) => answer.text())).rejects.toThrow();
    expect(await (await get()).text()).toBe('a lay');
    const wrong = Buffer.from(await (await get()).arrayBuffer());
    expect([wrong.length, wrong.equals(BLOB)]).toEqual([BLOB.length, false]);
    expect(await (await get()).text()).toBe('a layer');
  });

  it('an upload that is cut off half-way leaves no blob, and its address is worth nothing', async () => {
    const to = await startUpload();
    const body = new Uint8Array(1_000_000);
    registry.faults.add({ on: /^PUT/, answer: { cutAtByte: 100_000 } });
    await expect(put(to + sha256(Buffer.from(body)), body)).rejects.toThrow();
    expect((await put(to + sha256(Buffer.from(body)), body)).status).toBe(404);
    expect(blobs()).toEqual([]);
  });

  it('502 comes while the upload is still on its way', async () => {
    const to = await startUpload();
    registry.faults.add({ on: /^PUT/, answer: { status: 502, body: '<html>bad gateway</html>', afterBytes: 65_536 } });
    const outcome = await put(to + THERE, new Uint8Array(30_000_000)).then(
      ({ status }) => status,
      () => 'lost',
    );
    expect([502, 'lost']).toContain(outcome); // what a client sees of an early answer depends on its speed
    expect(registry.requests.at(-1)).toMatchObject({ status: 502 });
    expect(blobs()).toEqual([]);
  });

  it('is cut off at the n-th request, before or after its effect, and stays away until told', async () => {
    for (const [when, stored] of [['before', []] as const, ['after', [THERE]] as const]) {
      registry.faults.killAt(2, when);
      const to = await startUpload();
      await expect(put(to + THERE, 'a layer')).rejects.toThrow();
      await expect(fetch(url(''))).rejects.toThrow();
      registry.faults.clear();
      expect(blobs()).toEqual(stored);
    }
  });

  it('tokens that end in the middle of an upload are refused at the PUT, with the question for a new one', async () => {
    await begin({ login: { kind: 'bearer', ...REGISTRY_LOGIN } });
    const token = { authorization: await pushToken(registry.host, 'app') };
    const to = await startUpload(token);
    registry.faults.add({ on: /^PUT/, meanwhile: registry.expireTokens });
    const refused = await put(to + THERE, 'a layer', token);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('scope="repository:app:pull,push"'),
    ]);
    expect((await put(to + THERE, 'a layer', { authorization: await pushToken(registry.host, 'app') })).status).toBe(201);
  });

  it('a token without the right to push is given without a word, and refused; a Basic login too', async () => {
    const grants = (_: string, action: string): boolean => action === 'pull';
    await begin({ login: { kind: 'bearer', ...REGISTRY_LOGIN, grants } });
    const begun = async (authorization: string): Promise<number> =>
      (await fetch(url('app/blobs/uploads/'), { method: 'POST', headers: { authorization } })).status;
    expect(await begun(await pushToken(registry.host, 'app'))).toBe(401);
    await begin({ login: { kind: 'basic', ...REGISTRY_LOGIN, grants } });
    expect(await begun(BASIC)).toBe(403);
  });

  it('a mount needs the right to read where it comes from, in the same token', async () => {
    await begin({ login: { kind: 'bearer', ...REGISTRY_LOGIN } });
    registry.repositories.set('base', { manifests: new Map(), tags: new Map(), blobs: new Map([[THERE, BLOB]]) });
    const mount = async (scopes: string[]): Promise<number> => {
      const query = new URLSearchParams({ kept: 'yes', service: 'fake, registry' });
      for (const scope of scopes) query.append('scope', scope);
      const { token } = (await (await fetch(`http://${registry.host}/token?${query}`, { headers: { authorization: BASIC } })).json()) as {
        token: string;
      };
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(url(`app/blobs/uploads/?mount=${THERE}&from=base`), { method: 'POST', headers })).status;
    };
    expect(await mount(['repository:app:pull,push'])).toBe(401);
    expect(await mount(['repository:app:pull,push', 'repository:base:pull'])).toBe(201);
    expect(await mount(['repository:app:pull,push repository:base:pull'])).toBe(201);
  });

  it('a mount may begin an upload in its place', async () => {
    await begin({ mounts: 'session' });
    await seed(registry.host);
    const answer = await fetch(url(`third/blobs/uploads/?mount=${THERE}&from=app`), { method: 'POST' });
    const { href } = new URL(answer.headers.get('location') ?? '');
    expect([answer.status, (await put(`${href}&digest=${THERE}`, 'a layer')).status]).toEqual([202, 201]);
  });

  it.each(['absolute', 'relative', 'plain'] as const)('the address of an upload is %s', async (location) => {
    await begin({ location });
    const given = (await fetch(url('app/blobs/uploads/'), { method: 'POST' })).headers.get('location') ?? '';
    expect([given.startsWith('http'), given.includes('?')]).toEqual([location !== 'relative', location !== 'plain']);
    expect((await put((await startUpload()) + THERE, 'a layer')).status).toBe(201);
  });

  it('says that it knows the subject of a manifest, or keeps it to itself, and lists it either way', async () => {
    for (const [referrers, header] of [['api', THERE] as const, ['quiet', null] as const]) {
      await begin({ referrers });
      await put((await startUpload()) + THERE, 'a layer');
      const body = manifest({ subject: { ...described(THERE), mediaType: IMAGE }, annotations: { a: 'b' } });
      const stored = await put(url(`app/manifests/${sha256(Buffer.from(body))}`), body, { 'content-type': IMAGE });
      expect([stored.status, stored.headers.get('oci-subject')]).toEqual([201, header]);
      const list = (await (await fetch(url(`app/referrers/${THERE}`))).json()) as { manifests: object[] };
      expect(list.manifests).toMatchObject([{ mediaType: IMAGE, artifactType: 'application/octet-stream', annotations: { a: 'b' } }]);
    }
  });

  it('takes a sparse index only when told, keeps immutable tags, and deletes only when told', async () => {
    const child = { digest: ABSENT, mediaType: IMAGE, size: 7, compressed: 0 };
    const push = (): Promise<string> =>
      pushIndex({ host: registry.host }, 'app', { tag: '1', entries: [entryOf(child)] }).then(
        ({ digest }) => digest,
        (error: Error) => /HTTP (\d+)/.exec(error.message)?.[1] ?? '',
      );
    await begin({ missing: 404 });
    expect(await push()).toBe('404');
    await begin({ sparse: true, immutableTags: /^\d/, deletes: 'tags' });
    const digest = await push();
    expect(digest).toMatch(/^sha256:/);
    expect(await push()).toBe('400');
    expect((await fetch(url('app/manifests/1'), { method: 'DELETE' })).status).toBe(202);
    expect((await fetch(url(`app/manifests/${digest}`), { method: 'DELETE' })).status).toBe(202);
    expect(registry.repositories.get('app')?.manifests.size).toBe(0);
  });

  it('another writer moves a tag between our PUT and our HEAD', async () => {
    const { digest: other } = await pushImage({ host: registry.host }, 'app', { architecture: 'arm64', layers: [], tag: 'x' });
    await pushImage({ host: registry.host }, 'app', { architecture: 'amd64', layers: [], tag: '1' });
    registry.faults.add({ on: /^HEAD .*manifests\/1$/, meanwhile: () => registry.repositories.get('app')?.tags.set('1', other) });
    const head = await fetch(url('app/manifests/1'), { method: 'HEAD', headers: { accept: IMAGE } });
    expect(head.headers.get('docker-content-digest')).toBe(other);
  });

  it('leaves a header out, waits before each answer, and counts the bytes', async () => {
    await begin({ latencyMs: 20 });
    await seed(registry.host);
    registry.faults.add({ on: /^HEAD/, answer: { change: withHeader('docker-content-digest', '') } });
    const started = performance.now();
    const head = await fetch(url('app/manifests/1'), { method: 'HEAD', headers: { accept: IMAGE } });
    expect([head.status, head.headers.has('docker-content-digest')]).toEqual([200, false]);
    expect(performance.now() - started).toBeGreaterThanOrEqual(19);
    expect(registry.requests.find(({ line }) => line.startsWith('PUT') && line.includes(encodeURIComponent(THERE)))?.bytes).toBe(7);
  });
});
