// The faults that only the fake can have.
import { describe, expect, it } from 'vitest';
import { type ImageRef, parseImageRef } from '../../src/model/image.ts';
import { type Http, type HttpRequest, openHttp } from '../../src/world/http.ts';
import { openRegistry } from '../../src/world/registry.ts';
import { failure } from '../failure.ts';
import { REGISTRY_LOGIN } from '../fakes/docker-registry.ts';
import { answers, neverEnds, truncates } from '../fakes/http-faults.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { type FakeLogin, type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import { type Pushed, pushImage } from '../fakes/registry-push.ts';
import { BASIC, NOTHING, pushToken, reader, STORED } from '../fakes/registry-reader.ts';

const LOGIN = REGISTRY_LOGIN;
describe('a registry on a bad day', () => {
  let registry: FakeRegistry;
  let image: Pushed;
  const begin = async (options: FakeRegistryOptions = {}): Promise<void> => {
    registry = await startFakeRegistry(options);
    const authorization = options.login?.kind === 'bearer' ? await pushToken(registry.host, 'acme/app') : BASIC;
    const target = { host: registry.host, authorization };
    for (const tag of ['a', 'b', 'c'])
      image = await pushImage(target, 'acme/app', { architecture: 'amd64', layers: ['x'.repeat(50), tag], tag });
    registry.requests.length = 0;
  };
  const at = (rest: string): ImageRef => parseImageRef(`${registry.host}/acme/app${rest}`, 'test');
  const bearer = (more: Partial<FakeLogin> = {}): FakeRegistryOptions => ({ login: { kind: 'bearer', ...LOGIN, ...more } });
  const asked = (what: RegExp): number => registry.requests.filter(({ line }) => what.test(line)).length;

  const run = (name: string, options: FakeRegistryOptions, test: () => Promise<void>): void =>
    it(name, async () => {
      await begin(options);
      try {
        await test();
      } finally {
        await registry.close();
      }
    });

  run('429 and 502 are waited out', {}, async () => {
    registry.failNext(/manifests/, answers(429, { 'retry-after': '1' }, 'Too Many Requests (HAP429).'));
    registry.failNext(/manifests/, answers(502, {}, '<html>bad gateway</html>'));
    expect((await reader().resolveManifest(at(':c'))).digest).toBe(image.digest);
  });

  run('a manifest cut off half-way is asked for again', {}, async () => {
    registry.failNext(/manifests/, truncates);
    expect((await reader().resolveManifest(at(':c'))).digest).toBe(image.digest);
  });

  run('a manifest without end is refused', {}, async () => {
    registry.failNext(/manifests/, neverEnds);
    expect((await failure(reader().readManifest(at(':c')))).code).toBe('E_TOO_LARGE');
  });

  run('other bytes than the digest that was asked for are refused', {}, async () => {
    const other = await reader().readManifest(at(':a'));
    registry.failNext(/manifests/, answers(200, { 'content-type': other.mediaType, 'docker-content-digest': image.digest }, other.bytes));
    expect(await failure(reader().readManifest(at(`@${image.digest}`)))).toMatchObject({
      code: 'E_DIGEST',
      message: expect.stringContaining(other.digest),
    });
  });

  run('bytes that contradict the registry’s own digest are refused', {}, async () => {
    const { bytes, mediaType } = await reader().readManifest(at(':a'));
    registry.failNext(/manifests/, answers(200, { 'content-type': mediaType, 'docker-content-digest': image.digest }, bytes));
    expect((await failure(reader().readManifest(at(':a')))).code).toBe('E_DIGEST');
  });

  run('a HEAD that answers for another digest is refused', {}, async () => {
    const other = await reader().readManifest(at(':a'));
    const headers = { 'docker-content-digest': other.digest, 'content-length': '5' };
    registry.failNext(/^HEAD/, answers(200, headers));
    expect((await failure(reader().headManifest(at(`@${image.digest}`)))).code).toBe('E_DIGEST');
  });

  run('a configuration with other bytes is refused', {}, async () => {
    registry.failNext(/blobs/, answers(200, {}, '{"os":"linux","architecture":"s390x"}'));
    expect((await failure(reader().resolveManifest(at(':c')))).code).toBe('E_DIGEST');
  });

  run('a registry that does not do HEAD, or gives no digest, is asked by GET', {}, async () => {
    registry.failNext(/^HEAD/, answers(405));
    expect((await reader().headManifest(at(':c')))?.digest).toBe(image.digest);
    registry.failNext(/^HEAD/, answers(200, { 'content-length': '5' }));
    expect((await reader().headManifest(at(':c')))?.digest).toBe(image.digest);
  });

  run('a page of HTML in the place of a manifest is no manifest', {}, async () => {
    registry.failNext(/manifests/, answers(200, { 'content-type': 'text/html' }, '<html>Log in</html>'));
    expect((await failure(reader().readManifest(at(':c')))).code).toBe('E_FORMAT');
  });

  run('a manifest served as another type than it says is refused', {}, async () => {
    const { bytes } = await reader().readManifest(at(':c'));
    registry.failNext(/manifests/, answers(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' }, bytes));
    expect((await failure(reader().readManifest(at(':c')))).message).toContain('but it says');
  });

  run('an absent manifest is not an error of the network', {}, async () => {
    registry.failNext(/manifests/, answers(404, {}, '<html>not json</html>'));
    expect((await failure(reader().readManifest(at(':c')))).code).toBe('E_NOT_FOUND');
  });

  run('everyone may pull what is public: a token without a login', bearer({ anonymousPull: true }), async () => {
    expect((await reader().resolveManifest(at(':c'))).digest).toBe(image.digest);
    expect(registry.requests.find(({ line }) => line.startsWith('GET /token'))?.headers.authorization).toBeUndefined();
  });

  run('one token serves all requests, also those that begin together', bearer(), async () => {
    const source = reader(STORED);
    await Promise.all(['a', 'b', 'c'].map((tag) => source.resolveManifest(at(`:${tag}`))));
    await source.listTags(at(''));
    expect(asked(/^GET \/token/)).toBe(1);
  });

  run('a token that is refused before its time is replaced once', bearer({ tokenUses: 3 }), async () => {
    const source = reader(STORED);
    for (const tag of ['a', 'b', 'c']) await source.resolveManifest(at(`:${tag}`));
    expect(asked(/^GET \/token/)).toBe(2);
  });

  run('a token that has come of age is replaced without asking for a refusal', bearer({ tokenSeconds: 60 }), async () => {
    let time = Date.now();
    const source = reader(STORED, () => new Date(time));
    await source.readManifest(at(':a'));
    time += 55_000;
    registry.requests.length = 0;
    await source.readManifest(at(':a'));
    expect(registry.requests.map(({ line }) => line.replace(/\?.*/, ''))).toEqual(['GET /token', 'GET /v2/acme/app/manifests/a']);
  });

  run('a token that opens nothing does not lead in circles', bearer({ tokenUses: 0 }), async () => {
    expect((await failure(reader(STORED).readManifest(at(':a')))).code).toBe('E_AUTH');
    expect(asked(/^GET \/token/)).toBe(2);
    expect(asked(/manifests/)).toBe(3);
  });

  run('a challenge that is only given at /v2/ is asked for there', bearer(), async () => {
    registry.failNext(/manifests/, answers(401));
    expect((await reader(STORED).readManifest(at(':c'))).digest).toBe(image.digest);
  });

  run('a storage host never sees the login', { ...bearer(), blobsElsewhere: true }, async () => {
    await reader(STORED).resolveManifest(at(':c'));
    expect(registry.storageRequests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  run('tags are collected over pages with relative links', { pageSize: 2 }, async () => {
    expect(await reader().listTags(at(''))).toEqual(['a', 'b', 'c']);
    expect(asked(/tags\/list/)).toBe(2);
  });

  run('tags are collected over pages with absolute links', { pageSize: 1, link: 'absolute' }, async () => {
    expect(await reader().listTags(at(''))).toEqual(['a', 'b', 'c']);
  });

  run('a list of tags that continues on another host is refused, and the login stays', { pageSize: 1, link: 'elsewhere' }, async () => {
    expect((await failure(reader().listTags(at('')))).message).toContain('continues on another host');
    expect(registry.storageRequests).toEqual([]);
  });

  run('a list of tags in a circle ends', {}, async () => {
    const circle = answers(200, { link: '</v2/acme/app/tags/list?n=1000&last=a>; rel="next"' }, '{"tags":["a"]}');
    registry.failNext(/tags/, circle, 10);
    expect((await failure(reader().listTags(at('')))).message).toContain('has no end');
  });
});

describe('a registry that lies about its token service', () => {
  /** An HTTP client whose first answer is this challenge; it counts what is asked after. */
  const lying = (realm: string, asked: HttpRequest[]): Http => ({
    ...openHttp(testHttpWorld()),
    request: async (request) => {
      asked.push(request);
      return { status: 401, headers: { 'www-authenticate': `Bearer realm="${realm}"` }, body: Buffer.alloc(0), url: request.url };
    },
  });

  it.each([
    ['on this machine', 'https://127.0.0.1/token'],
    ['of the cloud’s metadata', 'https://169.254.169.254/latest/'],
    ['without encryption', 'http://auth.example/token'],
  ])('gets no login sent to one %s', async (_, realm) => {
    const asked: HttpRequest[] = [];
    const source = openRegistry({ http: lying(realm, asked), credentials: { find: async () => STORED }, world: testHttpWorld() });
    const error = await failure(source.readManifest(parseImageRef('registry.example/acme/app:1', 'test')));
    expect(error.message).toMatch(/^refused to/);
    expect(asked).toHaveLength(1);
  });
});

describe('Docker Hub', () => {
  it('is asked at its own address, for the full repository name', async () => {
    const asked: string[] = [];
    const http: Http = {
      ...openHttp(testHttpWorld()),
      request: async ({ url }) => {
        asked.push(url);
        return { status: 404, headers: {}, body: Buffer.alloc(0), url };
      },
    };
    const source = openRegistry({ http, credentials: { find: async () => NOTHING }, world: testHttpWorld() });
    await source.headManifest(parseImageRef('postgres:16-alpine', 'test'));
    expect(asked).toEqual(['https://registry-1.docker.io/v2/library/postgres/manifests/16-alpine']);
  });
});
