import { describe, expect, it, onTestFinished } from 'vitest';
import { parseImageRef } from '../../src/model/image.ts';
import type { Credential } from '../../src/world/docker-config.ts';
import { type Http, type HttpRequest, openHttp } from '../../src/world/http.ts';
import { openRegistryAuth, parseChallenges } from '../../src/world/registry-auth.ts';
import { failure } from '../failure.ts';
import { testHttpWorld } from '../fakes/http-world.ts';
import { type FakeLogin, startFakeRegistry } from '../fakes/registry.ts';
import { reader } from '../fakes/registry-reader.ts';

const REF = parseImageRef('registry.example/acme/app:1', 'test');
const REGISTRY = new URL('https://registry.example/v2/');

function authWith(credential: Credential, answer: unknown, asked: HttpRequest[] = []) {
  const http: Http = {
    ...openHttp(testHttpWorld()),
    request: async (request) => {
      asked.push(request);
      return { status: 200, headers: {}, body: Buffer.from(JSON.stringify(answer)), url: request.url };
    },
  };
  return openRegistryAuth({ http, credentials: { find: async () => credential }, now: () => new Date() });
}

const bearer = (more = ''): string => `Bearer realm="https://auth.example/token",service="registry.example"${more}`;

describe('parseChallenges', () => {
  it('reads quoted commas, escapes, names in any case and several challenges in one header', () => {
    const header =
      'bearer Realm="https://a/v2/token",SERVICE=plain,scope="repository:a:pull,push",x="a \\"b\\"",Basic realm="https://a/v2"';
    expect(parseChallenges(header)).toEqual([
      { scheme: 'bearer', parameters: { realm: 'https://a/v2/token', service: 'plain', scope: 'repository:a:pull,push', x: 'a "b"' } },
      { scheme: 'basic', parameters: { realm: 'https://a/v2' } },
    ]);
  });

  it('reads schemes without parameters and survives nonsense', () => {
    expect(parseChallenges('Negotiate, Basic realm="x"').map(({ scheme }) => scheme)).toEqual(['negotiate', 'basic']);
    expect(parseChallenges('')).toEqual([]);
    expect(parseChallenges('"unfinished, realm=')).toBeInstanceOf(Array);
  });
});

describe('answering a challenge', () => {
  it('prefers Bearer over Basic, and sends a login to the token service only', async () => {
    const asked: HttpRequest[] = [];
    const auth = authWith({ kind: 'password', username: 'me', password: 'x', from: 'test' }, { token: 'T' }, asked);
    const challenge = `Basic realm="x",${bearer(',scope="repository:acme/app:pull"')}`;
    expect(await auth.answer({ ref: REF }, { challenge, registry: REGISTRY, sent: undefined })).toBe('Bearer T');
    expect(asked[0]?.url).toBe('https://auth.example/token?service=registry.example&scope=repository%3Aacme%2Fapp%3Apull');
    expect(asked[0]?.headers?.authorization).toMatch(/^Basic /);
  });

  it('asks for our own scope first and for the one of the challenge too', async () => {
    const asked: HttpRequest[] = [];
    const auth = authWith({ kind: 'none', reason: 'test' }, { token: 'T' }, asked);
    await auth.answer({ ref: REF }, { challenge: bearer(',scope="*"'), registry: REGISTRY, sent: undefined });
    expect(new URL(asked[0]?.url ?? '').searchParams.getAll('scope')).toEqual(['repository:acme/app:pull', '*']);
  });

  it('asks for another repository of a known registry without its predecessor’s scope', async () => {
    const asked: HttpRequest[] = [];
    const auth = authWith({ kind: 'none', reason: 'test' }, { access_token: 'T' }, asked);
    await auth.answer({ ref: REF }, { challenge: bearer(',scope="repository:acme/app:pull"'), registry: REGISTRY, sent: undefined });
    expect(await auth.authorize({ ref: parseImageRef('registry.example/acme/web', 'test') })).toBe('Bearer T');
    expect(new URL(asked[1]?.url ?? '').searchParams.getAll('scope')).toEqual(['repository:acme/web:pull']);
  });

  it('trades an identity token by POST, not in the address', async () => {
    const asked: HttpRequest[] = [];
    const auth = authWith(
      { kind: 'identity', token: 'refresh', username: '<token>', password: 'refresh', from: 'test' },
      { access_token: 'T' },
      asked,
    );
    expect(await auth.answer({ ref: REF }, { challenge: bearer(), registry: REGISTRY, sent: undefined })).toBe('Bearer T');
    expect(asked[0]).toMatchObject({ method: 'POST', url: 'https://auth.example/token' });
    expect(asked[0]?.body).toContain('grant_type=refresh_token&refresh_token=refresh');
  });

  it('has no answer to Basic without a login, nor to what it does not know', async () => {
    const auth = authWith({ kind: 'none', reason: 'test' }, {});
    expect(await auth.answer({ ref: REF }, { challenge: 'Basic realm="x"', registry: REGISTRY, sent: undefined })).toBeUndefined();
    expect(await auth.answer({ ref: REF }, { challenge: 'Negotiate', registry: REGISTRY, sent: undefined })).toBeUndefined();
  });

  it.each([
    ['no token', {}],
    ['a token that would split the header', { token: 'a\r\nX-Evil: 1' }],
    ['something that is no object', 'token'],
  ])('refuses %s', async (_, answer) => {
    const auth = authWith({ kind: 'none', reason: 'test' }, answer);
    await expect(auth.answer({ ref: REF }, { challenge: bearer(), registry: REGISTRY, sent: undefined })).rejects.toMatchObject({
      code: 'E_FORMAT',
    });
  });
});

describe('an identity token', () => {
  const login = { kind: 'bearer', username: 'me', password: 'right horse', identity: 'refresh-me' } as const;
  const stored = { kind: 'identity', token: 'refresh-me', username: 'me', password: 'right horse', from: '/home/me/config.json' } as const;

  async function listed(
    options: FakeLogin,
    credential: Credential,
  ): Promise<{ readonly tags: readonly string[]; readonly asked: string[] }> {
    const registry = await startFakeRegistry({ login: options });
    onTestFinished(registry.close);
    registry.repositories.set('acme/app', { manifests: new Map(), tags: new Map([['1', 'sha256:0']]), blobs: new Map() });
    const tags = await reader(credential).listTags({ registry: registry.host, repository: 'acme/app' });
    return { tags, asked: registry.requests.map(({ line }) => line).filter((line) => line.includes('/token')) };
  }

  it('is traded for an access token, and stays out of every address', async () => {
    const { tags, asked } = await listed(login, stored);
    expect(tags).toEqual(['1']);
    expect(asked).toEqual(['POST /token?kept=yes']);
  });

  it.each([400, 404, 405])('is not traded where the service answers %i: then user and password are asked with', async (tradeRefusal) => {
    const { tags, asked } = await listed({ ...login, tradeRefusal }, stored);
    expect(tags).toEqual(['1']);
    expect(asked.map((line) => line.replace(/\?.*/, ''))).toEqual(['POST /token', 'GET /token']);
    expect(asked[1]).not.toContain('refresh-me');
  });

  it('is the password where there is no other', async () => {
    const alone = { kind: 'identity', token: 'refresh-me', username: '<token>', password: 'refresh-me', from: 'config.json' } as const;
    const { tags } = await listed({ ...login, username: '<token>', password: 'refresh-me', tradeRefusal: 404 }, alone);
    expect(tags).toEqual(['1']);
  });

  it('that has ended is said so, without being shown', async () => {
    const refused = await failure(listed(login, { ...stored, token: 'ended-token' }));
    expect(refused).toMatchObject({ code: 'E_AUTH', hint: expect.stringContaining('docker login') });
    expect(JSON.stringify([refused.message, refused.hint, refused.details])).not.toMatch(/ended-token|right horse/);
  });
});
