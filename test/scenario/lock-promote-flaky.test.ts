// images lock and promote against registries on bad days. Rule: a lock file is right or untouched; a release tag is the prerelease's bytes or not there; the report names
// image and cause. Each case runs for several seeds, which choose the moments.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Chance, chanceOf } from '../fakes/chance.ts';
import { runLine } from '../fakes/command-line.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import type { Answer } from '../fakes/registry-answer.ts';
import { auditRegistry } from '../fakes/registry-audit.ts';
import { corrupted, type RegistryFault, shortenedBy, tooMany, withHeader } from '../fakes/registry-faults.ts';
import { entryOf, type Pushed, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { pushToken } from '../fakes/registry-reader.ts';

const SEEDS = [1, 20_261_121];
const LOGIN = { kind: 'bearer', username: 'reader', password: 'right horse' } as const;
const ALWAYS = { times: 1000 };
const NAMES = ['api', 'web', 'worker'];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-flaky-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Case {
  readonly name: string;
  readonly registry?: FakeRegistryOptions;
  readonly spoil?: (registry: FakeRegistry, chance: Chance) => void;
  /** What the error says; absent = it goes well. */
  readonly says?: RegExp;
  readonly code?: string;
}

interface Stage {
  readonly registry: FakeRegistry;
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  /** What `web` is, and each of its platforms. */
  readonly web: readonly Pushed[];
}

/** Three repositories with an index of two platforms each. */
async function stage({ registry: options = {} }: Case, tag: string, product: (host: string) => object): Promise<Stage> {
  const registry = await startFakeRegistry(options);
  onTestFinished(registry.close);
  let web: readonly Pushed[] = [];
  for (const name of NAMES) {
    const pushed = await pushBoth(registry, `acme/${name}`, tag, options.login !== undefined);
    if (name === 'web') web = pushed;
  }
  registry.requests.length = 0;
  const root = await mkdtemp(join(folder, 'product-'));
  await writeFile(join(root, 'slipway.yaml'), JSON.stringify({ schema: 1, product: 'acme', ...product(registry.host) }));
  const auth = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64');
  return { registry, root, web, env: { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth } } }) } };
}

async function pushBoth({ host }: FakeRegistry, repository: string, tag: string, login: boolean): Promise<readonly Pushed[]> {
  const target = { host, ...(login ? { authorization: await pushToken(host, repository) } : {}) };
  const amd = await pushImage(target, repository, { architecture: 'amd64', layers: ['shared', `${repository} amd64`] });
  const arm = await pushImage(target, repository, { architecture: 'arm64', layers: ['shared', `${repository} arm64`] });
  const entries = [entryOf(amd, { os: 'linux', architecture: 'amd64' }), entryOf(arm, { os: 'linux', architecture: 'arm64' })];
  return [await pushIndex(target, repository, { tag, entries }), amd, arm];
}

function fault(
  on: RegExp,
  answer: RegistryFault['answer'],
  more: Partial<RegistryFault> & { readonly within?: number } = {},
): NonNullable<Case['spoil']> {
  const { within = 1, ...parts } = more;
  return (registry, chance) => registry.faults.add({ on, after: chance(within), ...(answer === undefined ? {} : { answer }), ...parts });
}

/** What goes well in the end, whichever command asks. */
const PASSING: readonly Case[] = [
  { name: '429 with Retry-After', spoil: fault(/./, tooMany('2'), { within: 6, times: 4 }) },
  { name: '429 without Retry-After', spoil: fault(/./, tooMany(), { within: 6, times: 4 }) },
  { name: 'connections that are reset', spoil: fault(/./, 'cut', { within: 6, times: 4 }) },
  { name: '502 and 503', spoil: fault(/./, { status: 502 }, { within: 6, times: 4 }) },
  { name: 'answers that break off', spoil: fault(/^GET .*manifests/, { cutAtByte: 20 }, { within: 3, times: 3 }) },
  { name: 'HEAD without a digest', spoil: fault(/^HEAD/, { change: withHeader('docker-content-digest', '') }, ALWAYS) },
  { name: 'HEAD that is not allowed', spoil: fault(/^HEAD/, { status: 405 }, ALWAYS) },
  {
    name: 'tokens that end while they are used',
    registry: { login: { ...LOGIN, tokenUses: 2 } },
    spoil: (registry, chance) => registry.faults.add({ on: /^(GET|HEAD|PUT) \/v2/, after: chance(8), meanwhile: registry.expireTokens }),
  },
];

const isWeb = (method: string): RegExp => new RegExp(`^${method} /v2/acme/web/manifests`);

/** What no command believes. */
const WRONG_BYTES: readonly Case[] = [
  {
    name: 'a manifest of other bytes',
    spoil: fault(isWeb('GET'), { change: corrupted }, ALWAYS),
    says: /acme\/web.*sent sha256/,
    code: 'E_DIGEST',
  },
  {
    name: 'a manifest that is cut short',
    spoil: fault(isWeb('GET'), { change: shortenedBy(30) }, ALWAYS),
    says: /acme\/web.*sent sha256/,
    code: 'E_DIGEST',
  },
];

describe.each(SEEDS)('images lock on a bad day, seed %i', (seed) => {
  const failing: readonly Case[] = [
    { name: '429 that asks for an hour', spoil: fault(isWeb('GET'), tooMany('3600'), ALWAYS), says: /fewer requests/, code: 'E_NETWORK' },
    {
      name: '503 that stays',
      spoil: fault(isWeb('GET'), { status: 503 }, ALWAYS),
      says: /cannot answer now \(HTTP 503\)/,
      code: 'E_NETWORK',
    },
    ...WRONG_BYTES,
    {
      name: 'an index whose child is gone',
      spoil: ({ repositories }) => {
        const web = repositories.get('acme/web');
        const [child = ''] = [...(web?.manifests.keys() ?? [])];
        web?.manifests.delete(child);
      },
      says: /acme\/web.*does not exist/,
      code: 'E_NOT_FOUND',
    },
    {
      name: 'an image that is gone',
      spoil: ({ repositories }) => void repositories.delete('acme/web'),
      says: /acme\/web:1 does not exist/,
      code: 'E_NOT_FOUND',
    },
    {
      name: 'a login that is refused',
      registry: { login: LOGIN },
      spoil: fault(isWeb('GET'), { status: 403, body: '{"errors":[{"code":"DENIED"}]}' }, ALWAYS),
      says: /refused access to .*acme\/web/,
      code: 'E_AUTH',
    },
  ];

  test.each([...PASSING, ...failing].map((each) => [each.name, each] as const))('%s', async (_, example) => {
    const thirdParty = (host: string) => ({
      release: { tag: 'v{version}' },
      images: { thirdParty: { core: NAMES.map((name) => `${host}/acme/${name}:1`) } },
    });
    const { registry, root, env, web } = await stage(example, '1', thirdParty);
    const lock = join(root, 'slipway.lock.json');
    const before = '{"type":"slipway/lock@1","images":{}}';
    await writeFile(lock, before);
    example.spoil?.(registry, chanceOf(seed));
    const end = await runLine(['images', 'lock'], { root, env });
    if (example.says === undefined) {
      expect(end.code, end.stderr).toBe(0);
      const locked = JSON.parse(await readFile(lock, 'utf8')) as { images: Record<string, unknown> };
      expect(Object.keys(locked.images)).toEqual(NAMES);
      const [index, ...platforms] = web;
      const size = Math.max(...platforms.map(({ compressed }) => compressed));
      expect(locked.images.web).toMatchObject({ digest: index?.digest, platforms: ['linux/amd64', 'linux/arm64'], size });
    } else {
      expect([end.code, end.result.code]).toEqual([5, example.code]);
      expect(end.stderr).toMatch(example.says);
      expect(await readFile(lock, 'utf8')).toBe(before);
    }
    expect(`${end.stdout}${end.stderr}`).not.toContain('right horse');
  });
});

describe.each(SEEDS)('promote on a bad day, seed %i', (seed) => {
  const putRelease = /^PUT \/v2\/acme\/web\/manifests\/1\.0\.0$/;
  const failing: readonly Case[] = [
    { name: 'a listing that fails', spoil: fault(/^GET .*web\/tags/, { status: 503 }, ALWAYS), says: /HTTP 503/, code: 'E_NETWORK' },
    {
      name: 'a listing that is no JSON',
      spoil: fault(/^GET .*web\/tags/, { status: 200, body: '<html>' }, ALWAYS),
      says: /acme\/web: tags/,
      code: 'E_FORMAT',
    },
    ...WRONG_BYTES,
    {
      name: 'a tag that may not be written',
      spoil: fault(putRelease, { status: 400, body: '{"errors":[{"code":"TAG_INVALID"}]}' }, ALWAYS),
      says: /refused .*acme\/web:1\.0\.0 \(HTTP 400, TAG_INVALID\)/,
      code: 'E_CONFLICT',
    },
    { name: '502 that stays', spoil: fault(putRelease, { status: 502 }, ALWAYS), says: /HTTP 502/, code: 'E_NETWORK' },
    {
      name: 'a registry that says it stored another manifest',
      spoil: fault(putRelease, { change: withHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`) }, ALWAYS),
      says: /stored .*acme\/web:1\.0\.0 as sha256:0{64}/,
      code: 'E_DIGEST',
    },
    {
      name: 'somebody else who writes the tag at the same moment',
      spoil: ({ faults, repositories }) => {
        const web = repositories.get('acme/web');
        const [child = ''] = [...(web?.manifests.keys() ?? [])];
        const theirs = (answer: Answer): Answer => {
          web?.tags.set('1.0.0', child);
          return answer;
        };
        faults.add({ on: putRelease, answer: { change: theirs } });
      },
      says: /acme\/web:1\.0\.0 is sha256:.* after it was set to sha256:/,
      code: 'E_DIGEST',
    },
    {
      name: 'a login that may not push',
      registry: { login: LOGIN },
      spoil: fault(/^PUT/, { status: 403, body: '{"errors":[{"code":"DENIED"}]}' }, ALWAYS),
      says: /does not let us write to .*acme\//,
      code: 'E_AUTH',
    },
  ];
  const lostAnswers: Case = {
    name: 'resets after the tag was written',
    spoil: fault(/^PUT/, 'cut', { within: 3, times: 2, effect: 'done' }),
  };

  test.each([...PASSING, lostAnswers, ...failing].map((each) => [each.name, each] as const))('%s', async (_, example) => {
    const product = (host: string) => ({
      release: {
        tag: '{version}',
        channels: { stable: { promoteFrom: 'staging', float: ['latest'] }, staging: { prerelease: 'staging' } },
      },
      images: { registry: `${host}/acme`, own: Object.fromEntries(NAMES.map((name) => [name, { repository: name }])) },
    });
    const { registry, root, env } = await stage(example, '1.0.0-staging.4', product);
    const staged = Object.fromEntries(NAMES.map((name) => [name, registry.repositories.get(`acme/${name}`)?.tags.get('1.0.0-staging.4')]));
    example.spoil?.(registry, chanceOf(seed));
    const end = await runLine(['promote', '--version', '1.0.0'], { root, env });
    const authorize = async (repository: string) =>
      example.registry?.login === undefined ? undefined : pushToken(registry.host, repository);
    registry.faults.clear();
    const { tags, wrong } = await auditRegistry(registry, authorize);
    expect(wrong).toEqual([]);
    expect(`${end.stdout}${end.stderr}`).not.toContain('right horse');
    expect([end.code, end.result.code], end.stderr).toEqual([exitOf(example.code), example.code]);
    if (example.says === undefined) return void expect(tags).toMatchObject(released(staged));
    expect(end.stderr).toMatch(example.says);
    const theirs = tags['acme/web:1.0.0'] !== undefined && tags['acme/web:1.0.0'] !== staged.web;
    if (!example.name.startsWith('somebody else')) expect([undefined, staged.web]).toContain(tags['acme/web:1.0.0']);
    expect(Object.keys(tags).filter((name) => name.endsWith(':latest'))).toEqual([]); // what floats comes last
    const again = await runLine(['promote', '--version', '1.0.0'], { root, env });
    expect([again.code, again.result.code], again.stderr).toEqual(theirs ? [5, 'E_PUBLISHED_DIFFERS'] : [0, undefined]);
    if (!theirs) expect((await auditRegistry(registry, authorize)).tags).toMatchObject(released(staged));
  });
});

function exitOf(code: string | undefined): number {
  if (code === undefined) return 0;
  return code === 'E_CONFLICT' ? 3 : 5;
}

/** What all three images have after a promotion. */
function released(staged: Readonly<Record<string, string | undefined>>): object {
  return Object.fromEntries(NAMES.flatMap((name) => ['1.0.0', 'latest'].map((tag) => [`acme/${name}:${tag}`, staged[name]])));
}
