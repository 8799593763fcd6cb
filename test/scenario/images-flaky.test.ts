// L-5, case by case: images mirror between registries on bad days. Rule: in the end every name stands for the right bytes, or the report names image and cause and
// the name is not there; read back and hashed. Each case runs for several seeds, which choose the moments.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Chance, chanceOf } from '../fakes/chance.ts';
import { type LineEnd, runLine } from '../fakes/command-line.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import { auditRegistry } from '../fakes/registry-audit.ts';
import { corrupted, type RegistryFault, shortenedBy, tooMany, withHeader } from '../fakes/registry-faults.ts';
import { entryOf, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { pushToken } from '../fakes/registry-reader.ts';

const SEEDS = [1, 20_261_121];
const LOGIN = { kind: 'bearer', username: 'reader', password: 'right horse' } as const;
const UNKNOWN = '{"errors":[{"code":"UNKNOWN"}]}';
const LAYER = 150_000;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-flaky-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Stage {
  readonly source: FakeRegistry;
  readonly destination: FakeRegistry;
  readonly root: string;
  /** Tag of the destination → digest, for all three images. */
  readonly wanted: Readonly<Record<string, string>>;
  readonly mirror: () => Promise<LineEnd>;
  readonly audit: () => ReturnType<typeof auditRegistry>;
}

/** Three images: one of one platform, an index of two, and one in Docker's format; they share a layer. */
async function stage({ source: up = {}, destination: down = {} }: Pick<Case, 'source' | 'destination'>): Promise<Stage> {
  const [source, destination] = [await startFakeRegistry(up), await startFakeRegistry(down)];
  onTestFinished(() => Promise.all([source.close(), destination.close()]).then(() => undefined));
  const shared = layer('shared');
  const to = async (repository: string) => ({
    host: source.host,
    ...(up.login === undefined ? {} : { authorization: await pushToken(source.host, repository) }),
  });
  const alpha = await pushImage(await to('x/alpha'), 'x/alpha', { architecture: 'amd64', layers: [shared, layer('alpha')], tag: '1' });
  const [amd, arm] = [
    await pushImage(await to('x/beta'), 'x/beta', { architecture: 'amd64', layers: [shared, layer('beta amd64')] }),
    await pushImage(await to('x/beta'), 'x/beta', { architecture: 'arm64', layers: [shared, layer('beta arm64')] }),
  ];
  const entries = [entryOf(amd, { os: 'linux', architecture: 'amd64' }), entryOf(arm, { os: 'linux', architecture: 'arm64' })];
  const beta = await pushIndex(await to('x/beta'), 'x/beta', { tag: '1', entries });
  const gamma = await pushImage(await to('x/gamma'), 'x/gamma', {
    architecture: 'amd64',
    layers: [shared, layer('gamma')],
    format: 'docker',
    tag: '1',
  });
  source.requests.length = 0;
  const root = await mkdtemp(join(folder, 'product-'));
  const names = ['alpha', 'beta', 'gamma'].map((name) => `${source.host}/x/${name}:1`);
  const product = {
    schema: 1,
    product: 'acme',
    release: { tag: 'v{version}' },
    images: { registry: `${destination.host}/acme`, thirdParty: { core: names } },
  };
  await writeFile(join(root, 'slipway.yaml'), JSON.stringify(product));
  const auth = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64');
  const logins = JSON.stringify({ auths: { [source.host]: { auth }, [destination.host]: { auth } } });
  const authorize = async (repository: string) => (down.login === undefined ? undefined : pushToken(destination.host, repository));
  return {
    ...{ source, destination, root },
    wanted: { 'acme/alpha:1': alpha.digest, 'acme/beta:1': beta.digest, 'acme/gamma:1': gamma.digest },
    mirror: () => runLine(['images', 'mirror'], { root, env: { DOCKER_AUTH_CONFIG: logins } }),
    audit: async () => {
      destination.faults.clear();
      return auditRegistry(destination, authorize);
    },
  };
}

function digestOfText(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function layer(name: string): string {
  return `${name} `.repeat(Math.ceil(LAYER / (name.length + 1))).slice(0, LAYER);
}

interface Case {
  readonly name: string;
  readonly source?: FakeRegistryOptions;
  readonly destination?: FakeRegistryOptions;
  /** What goes wrong, and when. */
  readonly spoil?: (stage: Stage, chance: Chance) => void;
  /** The images that cannot be copied, with what the report says of each; none = all arrive. */
  readonly lost?: Readonly<Record<string, RegExp>>;
  /** The code of the result, where it is not that of a failed step. */
  readonly code?: string;
}

type On = 'source' | 'destination';

/** One fault, as often as it is said, from a moment that the seed chooses. */
function fault(
  on: On,
  line: RegExp,
  answer: RegistryFault['answer'],
  more: Partial<RegistryFault> & { readonly within?: number } = {},
): NonNullable<Case['spoil']> {
  const { within = 1, ...parts } = more;
  return (stage, chance) =>
    stage[on].faults.add({ on: line, after: chance(within), ...(answer === undefined ? {} : { answer }), ...parts });
}

function all(...faults: readonly NonNullable<Case['spoil']>[]): NonNullable<Case['spoil']> {
  return (stage, chance) => {
    for (const one of faults) one(stage, chance);
  };
}

const BLOB = /^GET .*\/blobs\/sha256/;
const PUT_BLOB = /^PUT .*\/blobs\/uploads/;
const ALWAYS = { times: 1000 };
/** The layer that beta alone has, of one platform. */
const betasLayer = (): RegExp => new RegExp(`^GET /v2/x/beta/blobs/${digestOfText(layer('beta arm64'))}`);

const CASES: readonly Case[] = [
  { name: 'a fresh registry, which knows no repository' },
  {
    name: 'a fresh registry that answers 403 to HEAD of what is not there',
    spoil: fault('destination', /^HEAD .*manifests/, { status: 403 }, ALWAYS),
  },
  {
    name: '429 with Retry-After, everywhere',
    spoil: all(
      fault('source', /^(HEAD|GET)/, tooMany('2'), { within: 6, times: 3 }),
      fault('destination', /^(HEAD|POST)/, tooMany('1'), { within: 6, times: 3 }),
      fault('destination', /^PUT/, tooMany('1'), { within: 4, times: 2 }),
    ),
  },
  {
    name: '429 without Retry-After, everywhere',
    spoil: all(
      fault('source', /^(HEAD|GET)/, tooMany(), { within: 6, times: 3 }),
      fault('destination', /^(HEAD|POST)/, tooMany(), { within: 6, times: 3 }),
      fault('destination', /^PUT/, tooMany(), { within: 4, times: 2 }),
    ),
  },
  {
    name: '429 that asks for an hour',
    spoil: fault('source', /^GET \/v2\/x\/beta\/manifests/, tooMany('3600'), ALWAYS),
    lost: { beta: /asks for fewer requests \(HTTP 429\).*Try again in 3600 seconds/ },
    code: 'E_NETWORK',
  },
  {
    name: 'connections that are reset',
    spoil: all(fault('source', /./, 'cut', { within: 8, times: 4 }), fault('destination', /./, 'cut', { within: 12, times: 4 })),
  },
  {
    name: 'resets after the registry has done its work',
    spoil: all(
      fault('destination', PUT_BLOB, 'cut', { within: 3, times: 2, effect: 'done' }),
      fault('destination', /^PUT .*manifests/, 'cut', { within: 3, times: 2, effect: 'done' }),
    ),
  },
  {
    name: '502 in the middle of a blob',
    spoil: (stage, chance) => {
      stage.source.faults.add({ on: BLOB, after: chance(3), answer: { cutAtByte: 1 + chance(100) } });
      stage.source.faults.add({ on: BLOB, after: 3, answer: { status: 502 } });
      stage.destination.faults.add({
        on: PUT_BLOB,
        after: chance(3),
        times: 2,
        answer: { status: 502, afterBytes: 1 + chance(LAYER / 2) },
      });
    },
  },
  {
    name: '502 that stays, for one image',
    spoil: fault('destination', /^(POST|PUT) \/v2\/acme\/beta\/blobs/, { status: 502 }, ALWAYS),
    lost: { beta: /502/ },
  },
  {
    name: 'a blob of other bytes, always',
    spoil: (stage) => stage.source.faults.add({ on: betasLayer(), answer: { change: corrupted }, ...ALWAYS }),
    lost: { beta: /sent sha256:[0-9a-f]{64} for sha256:.*changes or cuts what it delivers/ },
  },
  {
    name: 'a blob that is cut short, and said to be whole',
    spoil: (stage, chance) => stage.source.faults.add({ on: betasLayer(), answer: { change: shortenedBy(1 + chance(1000)) }, ...ALWAYS }),
    lost: { beta: /bytes instead of/ },
  },
  {
    name: 'a blob that breaks off again and again, and goes on each time',
    spoil: (stage, chance) => stage.source.faults.add({ on: betasLayer(), answer: { cutAtByte: 10_000 + chance(30_000) }, times: 3 }),
  },
  {
    name: 'a manifest of other bytes',
    spoil: fault('source', /^GET \/v2\/x\/beta\/manifests/, { change: corrupted }, { within: 3, ...ALWAYS }),
    lost: { beta: /sent sha256:[0-9a-f]{64} for sha256:/ },
    code: 'E_DIGEST',
  },
  {
    name: 'a manifest that is cut short',
    spoil: fault('source', /^GET \/v2\/x\/gamma\/manifests/, { change: shortenedBy(40) }, ALWAYS),
    lost: { gamma: /sent sha256:[0-9a-f]{64} for sha256:/ },
    code: 'E_DIGEST',
  },
  {
    name: 'a registry that says it stored a manifest as another one',
    spoil: fault(
      'destination',
      /^PUT .*acme\/beta\/manifests/,
      { change: withHeader('docker-content-digest', `sha256:${'0'.repeat(64)}`) },
      ALWAYS,
    ),
    lost: { beta: /stored .* as sha256:0{64}/ },
  },
  {
    name: 'tokens that end while they are used',
    source: { login: { ...LOGIN, tokenUses: 3 } },
    destination: { login: LOGIN },
    spoil: (stage, chance) => {
      for (const moment of [chance(5), 5 + chance(10), 15 + chance(5)])
        stage.destination.faults.add({ on: /^(HEAD|POST|PUT) \/v2/, after: moment, meanwhile: stage.destination.expireTokens });
      stage.destination.faults.add({ on: PUT_BLOB, after: chance(3), meanwhile: stage.destination.expireTokens });
    },
  },
  {
    name: 'a login that may not push',
    destination: { login: { ...LOGIN, grants: (_, action) => action === 'pull' } },
    lost: Object.fromEntries(['alpha', 'beta', 'gamma'].map((name) => [name, /does not let us write.*docker login 127\.0\.0\.1:\d+/])),
  },
  { name: '202 to every mount', destination: { mounts: 'session' } },
  {
    name: 'mounts that are forbidden',
    spoil: fault('destination', /^POST .*mount=/, { status: 403, body: '{"errors":[{"code":"DENIED"}]}' }, ALWAYS),
  },
  {
    name: 'a registry that says it has every layer, and misses them when the manifest comes',
    spoil: ({ source, destination }) =>
      destination.faults.add({
        on: /^HEAD .*\/blobs\/sha256/,
        answer: (response, request) => {
          const digest = decodeURIComponent((request.url ?? '').replace(/^.*\//, ''));
          const bytes = [...source.repositories.values()].map(({ blobs }) => blobs.get(digest)).find((found) => found !== undefined);
          response.writeHead(200, { 'content-length': bytes?.length ?? 0, 'docker-content-digest': digest }).end();
        },
        ...ALWAYS,
      }),
  },
  {
    name: 'a registry that loses a layer after it took it',
    spoil: ({ destination }) =>
      destination.faults.add({
        on: /^PUT .*acme\/gamma\/manifests/,
        meanwhile: () => destination.repositories.get('acme/gamma')?.blobs.clear(),
      }),
  },
  { name: 'uploads that are forgotten (404)', spoil: fault('destination', PUT_BLOB, { status: 404 }, { within: 3, times: 3 }) },
  {
    name: 'a full disk',
    spoil: fault('destination', /^PUT .*acme\/alpha\/blobs/, { status: 500, body: UNKNOWN }, ALWAYS),
    lost: { alpha: /500/ },
  },
  { name: 'a proxy that takes no requests of a layer’s size', destination: { mostRequestBytes: 100_000 } },
  {
    name: 'a proxy that takes nothing at all',
    destination: { mostRequestBytes: 100 },
    lost: Object.fromEntries(['alpha', 'beta', 'gamma'].map((name) => [name, /HTTP 413/])),
  },
  {
    name: 'tags that are written once, and are there as other images',
    destination: { immutableTags: /./ },
    spoil: ({ destination }) => {
      const repository = { manifests: new Map(), tags: new Map(), blobs: new Map() };
      const bytes = Buffer.from('{"schemaVersion":2}');
      const digest = digestOfText(bytes.toString());
      repository.manifests.set(digest, { bytes, type: 'application/vnd.oci.image.manifest.v1+json' });
      repository.tags.set('1', digest);
      destination.repositories.set('acme/beta', repository);
    },
    lost: { beta: /refused .*beta:1 \(HTTP 400, TAG_INVALID\).*may not be changed/ },
  },
];

describe.each(SEEDS)('L-5: a mirror on a bad day, seed %i', (seed) => {
  test.each(CASES.map((each) => [each.name, each] as const))('%s', async (_, example) => {
    const { lost = {}, code = 'E_STEP_FAILED' } = example;
    const stand = await stage(example);
    example.spoil?.(stand, chanceOf(seed));
    const already = Object.fromEntries(
      [...stand.destination.repositories].flatMap(([name, { tags }]) => [...tags].map(([tag, at]) => [`${name}:${tag}`, at])),
    );
    const end = await stand.mirror();
    const failed = Object.keys(lost);
    expect({ code: end.code, error: end.result.code ?? null }, end.stderr).toEqual(
      failed.length === 0 ? { code: 0, error: null } : { code: 5, error: code },
    );
    expectReport(end, lost);
    const { tags, wrong } = await stand.audit();
    expect(wrong).toEqual([]);
    const arrived = Object.entries(stand.wanted).filter(([name]) => !failed.some((each) => name.startsWith(`acme/${each}:`)));
    expect(tags).toMatchObject(Object.fromEntries(arrived));
    for (const [name, digest] of Object.entries(tags)) expect([stand.wanted[name], already[name]], name).toContain(digest);
    if (example.destination !== undefined) return; // what the registry is set to do, it does again
    stand.source.faults.clear();
    const again = await stand.mirror();
    expect(again.code, again.stderr).toBe(0);
    expect(await stand.audit()).toEqual({ tags: stand.wanted, wrong: [] });
  });
});

/** Each image with what became of it, in the result and for people; a failed one with its cause. */
function expectReport({ result, stdout, stderr }: LineEnd, lost: NonNullable<Case['lost']>): void {
  const rows = result.images as readonly { readonly name: string; readonly outcome: string; readonly error: string | null }[];
  expect(rows.map(({ name, outcome }) => [name, outcome])).toEqual(
    ['alpha', 'beta', 'gamma'].map((name) => [name, name in lost ? 'failed' : 'copied']),
  );
  for (const [name, cause] of Object.entries(lost)) {
    expect(rows.find((row) => row.name === name)?.error).toMatch(cause);
    expect(stderr.split('\n').find((line) => line.startsWith('failed') && line.includes(`x/${name}:1`))).toMatch(cause);
  }
  expect(`${stdout}${stderr}`).not.toMatch(/right horse|cmlnaHQ|cmVhZGVyOn/);
}
