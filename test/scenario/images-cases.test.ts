// The image scenarios as they are written down, clause by clause, against registries over HTTP. What needs the whole set or a real registry is in images-mirror.test.ts, bad days
// are in images-flaky.test.ts, and M-3 and M-4 in promote.test.ts.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newerTag } from '../../src/model/image-tag.ts';
import { versionOfTag } from '../../src/model/tag.ts';
import { compareVersions } from '../../src/model/version.ts';
import { type LineEnd, runLine } from '../fakes/command-line.ts';
import { IMAGE_SET } from '../fakes/image-set-list.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { auditRegistry } from '../fakes/registry-audit.ts';
import { tooMany } from '../fakes/registry-faults.ts';
import { entryOf, type Pushed, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { pushToken } from '../fakes/registry-reader.ts';

const LOGIN = { kind: 'basic', username: 'reader', password: 'right horse' } as const;
const BASIC = `Basic ${Buffer.from('reader:right horse').toString('base64')}`;
let folder: string;
let upstream: FakeRegistry;
let destination: FakeRegistry;
let root: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-cases-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async (context) => {
  [upstream, destination] = [await startFakeRegistry({ pageSize: 100 }), await startFakeRegistry()];
  context.onTestFinished(() => Promise.all([upstream.close(), destination.close()]).then(() => undefined));
  root = await mkdtemp(join(folder, 'product-'));
});

const slipway = (words: string, env: Readonly<Record<string, string>> = {}): Promise<LineEnd> => runLine(words.split(' '), { root, env });
type Row = {
  readonly name: string;
  readonly source: string;
  readonly outcome: string;
  readonly error: string | null;
  readonly destinations: readonly string[];
};
const rowsOf = ({ result }: LineEnd): readonly Row[] => result.images as readonly Row[];
const asked = ({ requests }: FakeRegistry): readonly string[] => requests.map(({ line }) => line);
const writes = (registry: FakeRegistry): readonly string[] => asked(registry).filter((line) => /^(PUT|POST|PATCH|DELETE)/.test(line));

/** One line of slipway.yaml for each image, from line 9 on. */
async function writeProduct(images: readonly string[], registry = `${destination.host}/acme`): Promise<void> {
  const head = `schema: 1\nproduct: acme\nrelease:\n  tag: "v{version}"\nimages:\n  registry: ${registry}\n  thirdParty:\n    core:\n`;
  await writeFile(join(root, 'slipway.yaml'), `${head}${images.map((image) => `      - ${image}\n`).join('')}`);
}

async function push(name: string, registry = upstream, authorization?: string): Promise<Pushed> {
  const [, repository = '', tag = ''] = /^(.*):([^:]+)$/.exec(name) ?? [];
  const target = { host: registry.host, ...(authorization === undefined ? {} : { authorization }) };
  return pushImage(target, repository, { architecture: 'amd64', layers: [`${name} one`, `${name} two`], tag });
}

async function pushBoth(name: string): Promise<Pushed> {
  const [, repository = '', tag = ''] = /^(.*):([^:]+)$/.exec(name) ?? [];
  const amd = await pushImage(upstream, repository, { architecture: 'amd64', layers: [`${name} amd64`] });
  const arm = await pushImage(upstream, repository, { architecture: 'arm64', layers: [`${name} arm64`] });
  const entries = [entryOf(amd, { os: 'linux', architecture: 'amd64' }), entryOf(arm, { os: 'linux', architecture: 'arm64' })];
  return pushIndex(upstream, repository, { tag, entries });
}

describe('C-1: the mirror list of 36 images', () => {
  test('without a name of its own, what would have one name is reported, each with both lines, and nothing is asked or written', async () => {
    await writeProduct(IMAGE_SET.map(({ source }) => source));
    const { code, result } = await slipway('images mirror');
    expect([code, result.code]).toEqual([2, 'E_CONFIG']);
    const line = (source: string): number => 9 + IMAGE_SET.findIndex((image) => image.source.startsWith(source));
    const problems = JSON.stringify(result.problems ?? result.message);
    expect(problems).toContain('a second image named server');
    expect(problems).toContain(`line ${line('docker.io/vaultwarden/server')})`);
    expect(problems).toContain('a second image named nginx');
    expect(problems).toContain(`line ${line('docker.io/library/nginx')})`);
    expect(asked(destination)).toEqual([]);
  });
});

describe('L-3: rules of a mirror', () => {
  const TAGS = ['v1.32.3-k3s1', 'v1.32.4-k3s1', 'v1.33.0-rc1', 'latest', `sha256-${'0'.repeat(64)}.sig`];
  const there = async (registry: FakeRegistry) => Object.keys((await auditRegistry(registry)).tags).sort();

  test('a tag list, a pattern, a whole repository and a digest, from one source to three destinations', async (context) => {
    const [second, third] = [await startFakeRegistry(), await startFakeRegistry()];
    context.onTestFinished(() => Promise.all([second.close(), third.close()]).then(() => undefined));
    for (const tag of TAGS) await push(`rancher/k3s:${tag}`);
    const minio = await push('minio/minio:RELEASE.2025-04-08T15-41-24Z');
    await push('minio/minio:RELEASE.2024-04-22T22-12-26Z');
    await push('nvidia/cuda:12.6.3-cudnn-devel-ubuntu24.04');
    await push('nvidia/cuda:12.6.3-base');
    const pinned = await push('x/pinned:1');
    const at = (name: string): string => `${upstream.host}/${name}`;
    await writeProduct([
      `{ source: ${at('rancher/k3s')}, tags: ["/v\\\\d+\\\\.\\\\d+\\\\.\\\\d+/"], to: [${second.host}/mirror, ${third.host}] }`,
      `{ source: ${at('nvidia/cuda')}, tags: ["12.6.3-cudnn-devel-ubuntu24.04"] }`,
      `{ source: ${at('minio/minio')}, tags: ["*"] }`,
      `{ source: ${at('x/pinned')}, tags: ["${pinned.digest}"] }`,
    ]);
    const end = await slipway('images mirror');
    expect(end.code, end.stderr).toBe(0);
    const versions = ['v1.32.3-k3s1', 'v1.32.4-k3s1', 'v1.33.0-rc1'];
    expect(await there(destination)).toEqual([
      'acme/cuda:12.6.3-cudnn-devel-ubuntu24.04',
      ...versions.map((tag) => `acme/k3s:${tag}`),
      'acme/minio:RELEASE.2024-04-22T22-12-26Z',
      'acme/minio:RELEASE.2025-04-08T15-41-24Z',
    ]);
    expect(await there(second)).toEqual(versions.map((tag) => `mirror/k3s:${tag}`));
    expect(await there(third)).toEqual(versions.map((tag) => `k3s:${tag}`));
    expect(destination.repositories.get('acme/pinned')?.manifests.has(pinned.digest)).toBe(true);
    expect(destination.repositories.get('acme/minio')?.tags.get('RELEASE.2025-04-08T15-41-24Z')).toBe(minio.digest);
    const again = await slipway('images mirror');
    expect([new Set(rowsOf(again).map(({ outcome }) => outcome)), again.result.bytesCopied]).toEqual([new Set(['present']), 0]);
  });

  test('tags are renamed by their place, and unequal counts are refused with the line, before anything is asked', async () => {
    const [one, two] = [await push('x/app:1.2'), await push('x/app:RELEASE.2025-04-08T15-41-24Z')];
    const source = `source: ${upstream.host}/x/app, tags: ["1.2", "RELEASE.2025-04-08T15-41-24Z"]`;
    await writeProduct([`{ ${source}, asTags: [old, new] }`]);
    expect((await slipway('images mirror')).code).toBe(0);
    expect((await auditRegistry(destination)).tags).toEqual({ 'acme/app:old': one.digest, 'acme/app:new': two.digest });
    const before = asked(upstream).length;
    await writeProduct([`{ ${source}, asTags: [old] }`]);
    const { code, result } = await slipway('images mirror');
    expect([code, result.code]).toEqual([2, 'E_CONFIG']);
    expect(result.message).toMatch(/slipway\.yaml:9: .*2 tags but 1 in asTags/);
    expect(asked(upstream)).toHaveLength(before);
  });
});

describe('L-4: destinations', () => {
  test('k3s and k3d at one place are refused with both lines, and nothing is written', async () => {
    await writeProduct([
      `{ source: ${upstream.host}/rancher/k3s, tags: ["5"] }`,
      `{ source: ${upstream.host}/rancher/k3d, as: k3s, tags: ["5"] }`,
    ]);
    const { code, result } = await slipway('images mirror');
    expect([code, result.code]).toEqual([2, 'E_CONFIG']);
    expect(result.message).toMatch(/k3s:5 \(line 9\) and .*k3d:5 \(line 10\) would both go to .*acme\/k3s:5/);
    expect([asked(upstream), asked(destination)]).toEqual([[], []]);
  });

  test('what only the registries know to be one place is refused when they have answered, and nothing is written', async () => {
    for (const name of ['rancher/k3s:5.1', 'rancher/k3d:5.1']) await push(name);
    await writeProduct([
      `{ source: ${upstream.host}/rancher/k3s, tags: ["/^5/"] }`,
      `{ source: ${upstream.host}/rancher/k3d, as: k3s, tags: ["*"] }`,
    ]);
    const { code, result } = await slipway('images mirror');
    expect([code, result.code]).toEqual([2, 'E_CONFIG']);
    expect(result.message).toMatch(/k3s:5\.1 \(line 9\) and .*k3d:5\.1 \(line 10\)/);
    expect(writes(destination)).toEqual([]);
  });

  test.each([
    ['an empty one', 'to: [""]'],
    ['none', 'to: []'],
  ])('%s is an error with its line', async (_, to) => {
    await writeProduct([`{ source: ${upstream.host}/x/app, tags: ["1"], ${to} }`]);
    const { code, result } = await slipway('images mirror');
    expect([code, result.code]).toEqual([2, 'E_CONFIG']);
    expect(result.message).toMatch(/slipway\.yaml:9: .*destination/);
    expect(asked(destination)).toEqual([]);
  });
});

describe('L-5: a flaky registry', () => {
  const NAMES = ['one', 'two', 'three', 'four', 'five'];

  beforeEach(async () => {
    for (const name of NAMES) await push(`x/${name}:1`);
    await writeProduct(NAMES.map((name) => `${upstream.host}/x/${name}:1`));
  });

  test('429, a reset and 502 on manifest #3 are tried again, and all arrive', async () => {
    upstream.faults.add({ on: /^GET .*x\/one/, answer: tooMany('1') });
    upstream.faults.add({ on: /^GET .*x\/two/, answer: 'cut' });
    upstream.faults.add({ on: /^GET .*x\/three\/manifests/, answer: { status: 502 }, times: 2 });
    const end = await slipway('images mirror');
    expect(end.code, end.stderr).toBe(0);
    expect(rowsOf(end).map(({ outcome }) => outcome)).toEqual(NAMES.map(() => 'copied'));
    expect(end.waits.length).toBeGreaterThan(2);
  });

  test('502 on manifest #3 that stays is tried again, stops no other, is in the report at the end, and in the exit code', async () => {
    upstream.faults.add({ on: /^GET .*x\/three\/manifests/, answer: { status: 502 }, times: 1000 });
    const end = await slipway('images mirror');
    expect([end.code, end.result.ok]).toEqual([5, false]);
    expect(asked(upstream).filter((line) => line.startsWith('GET /v2/x/three/manifests'))).toHaveLength(5);
    expect(rowsOf(end).map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(
      NAMES.map((name) => `${name} ${name === 'three' ? 'failed' : 'copied'}`),
    );
    const report = end.stderr.split('\n').filter((line) => /^(failed|copied)/.test(line));
    expect(report).toHaveLength(5);
    expect(report.find((line) => line.startsWith('failed'))).toMatch(/x\/three:1 .*HTTP 502/);
  });

  test('tags that are written once: an identical digest is left alone, another one is reported', async (context) => {
    const fixed = await startFakeRegistry({ immutableTags: /./ });
    context.onTestFinished(fixed.close);
    await writeProduct(
      NAMES.map((name) => `${upstream.host}/x/${name}:1`),
      `${fixed.host}/acme`,
    );
    expect((await slipway('images mirror')).code).toBe(0);
    const before = writes(fixed).length;
    const again = await slipway('images mirror');
    expect([again.code, writes(fixed).length]).toEqual([0, before]);
    const kept = fixed.repositories.get('acme/three')?.tags.get('1');
    await pushImage(upstream, 'x/three', { architecture: 'arm64', layers: ['moved'], tag: '1' });
    const end = await slipway('images mirror');
    expect(end.code).toBe(5);
    expect(rowsOf(end).find(({ name }) => name === 'three')).toMatchObject({
      outcome: 'failed',
      error: expect.stringMatching(/three:1 \(HTTP 400, TAG_INVALID\)/),
    });
    expect(fixed.repositories.get('acme/three')?.tags.get('1')).toBe(kept);
  });
});

describe('L-6: whole images and logins', () => {
  test('an index is copied whole, to the same digest; with a choice of platforms only those', async () => {
    const index = await pushBoth('x/app:1');
    await writeProduct([`${upstream.host}/x/app:1`, `{ source: ${upstream.host}/x/app:1, as: small, platforms: [linux/arm64] }`]);
    const end = await slipway('images mirror');
    expect(end.code, end.stderr).toBe(0);
    const { tags, wrong } = await auditRegistry(destination);
    expect([wrong, tags['acme/app:1']]).toEqual([[], index.digest]);
    expect(destination.repositories.get('acme/app')?.manifests.size).toBe(3);
    expect(destination.repositories.get('acme/small')?.manifests.size).toBe(2);
  });

  test('the login with the longest prefix is used, and no other beside it', async (context) => {
    const locked = await startFakeRegistry({ login: LOGIN });
    context.onTestFinished(locked.close);
    await push('team/app:1', locked, BASIC);
    await push('other/app:1', locked, BASIC);
    locked.requests.length = 0;
    const login = (password: string) => ({ auth: Buffer.from(`reader:${password}`).toString('base64') });
    const auths = {
      [locked.host]: login('wrong'),
      [`${locked.host}/team`]: login('wrong too'),
      [`${locked.host}/team/app`]: login('right horse'),
    };
    await writeProduct([`${locked.host}/team/app:1`, `{ source: ${locked.host}/other/app:1, as: other }`]);
    const end = await slipway('images mirror', { DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) });
    expect(rowsOf(end).map(({ outcome }) => outcome)).toEqual(['copied', 'failed']);
    const sent = (repository: string) =>
      new Set(locked.requests.filter(({ path }) => path.includes(repository)).map(({ headers }) => headers.authorization));
    expect(sent('team/app')).toEqual(new Set([undefined, BASIC]));
    expect(sent('other/app')).not.toContain(BASIC);
  });

  test('a file of logins may name variables instead of secrets; an unset one is named; secrets are in no output and no file', async (context) => {
    const locked = await startFakeRegistry({ login: LOGIN });
    context.onTestFinished(locked.close);
    await push('x/app:1', locked, BASIC);
    await push('x/bad:1', locked, BASIC);
    const login = { username: 'reader', password: `\${REGISTRY_PASSWORD}` };
    await writeFile(join(root, 'config.json'), JSON.stringify({ auths: { [locked.host]: login } }));
    await writeProduct([`${locked.host}/x/app:1`, `${locked.host}/x/bad:1`]);
    locked.faults.add({ on: /^GET .*x\/bad\/blobs/, answer: { status: 403 }, times: 1000 });
    const end = await slipway('images mirror', { DOCKER_CONFIG: root, REGISTRY_PASSWORD: 'right horse' });
    expect(rowsOf(end).map(({ outcome }) => outcome)).toEqual(['copied', 'failed']);
    const names = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const texts = await Promise.all(names.map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')));
    for (const text of [end.stdout, end.stderr, ...texts]) expect(text).not.toMatch(new RegExp(`right horse|${BASIC.slice(6)}`));
    const unset = await slipway('images mirror', { DOCKER_CONFIG: root });
    expect([unset.code, rowsOf(unset)[0]?.error]).toEqual([2, expect.stringContaining('REGISTRY_PASSWORD, which is not set')]);
  });
});

describe('E-1: which tag is newer', () => {
  const TAGS = ['V.1.2.2', 'V.1.3.0', 'V.1.3.7', 'V.1.10.0', 'hotfix-123', 'latest', 'v1.4.0'];

  test('to who has V.1.3.0, V.1.10.0 is offered; hotfix, latest and a lower-case v are not, and nothing older ever', async () => {
    for (const tag of TAGS) await push(`essensyshub/backend:${tag}`);
    for (const [tag, newest] of [
      ['V.1.3.0', 'V.1.10.0'],
      ['V.1.3.7', 'V.1.10.0'],
      ['V.1.10.0', 'V.1.10.0'],
      ['hotfix-123', 'hotfix-123'],
      ['latest', null],
      ['v1.4.0', 'v1.4.0'],
    ]) {
      await writeProduct([`${upstream.host}/essensyshub/backend:${tag}`]);
      const { code, result } = await slipway('images outdated');
      expect([code, result.images]).toMatchObject([0, [{ current: tag, newest }]]);
    }
  });

  test('their order is that of their numbers, whatever order they are listed in', () => {
    const ordered = ['V.1.2.2', 'V.1.3.0', 'V.1.3.7', 'V.1.10.0'];
    for (const list of [TAGS, TAGS.toReversed(), TAGS.toSorted()]) {
      const versions = list.flatMap((tag) => versionOfTag('V.{version}', tag) ?? []).toSorted(compareVersions);
      expect(versions.map((version) => `V.${version}`)).toEqual(ordered);
      expect(newerTag('V.1.3.0', list)).toEqual({ tag: 'V.1.10.0', change: 'minor' });
      expect(newerTag('V.1.10.0', list)).toBeUndefined();
    }
  });
});

describe('E-4: private registries, long lists, ports and digests', () => {
  const DENIED = { ...LOGIN, kind: 'bearer' } as const;

  test.each(['images lock', 'images outdated', 'images mirror'])(
    '%s: 401 names the registry, says that no login was sent, and which docker login helps',
    async (words) => {
      const locked = await startFakeRegistry({ login: DENIED });
      await push('acme/backend:V.1.3.0', locked, await pushToken(locked.host, 'acme/backend'));
      await writeProduct([`${locked.host}/acme/backend:V.1.3.0`], words === 'images lock' ? `${locked.host}/acme` : undefined);
      const end = await slipway(words);
      await locked.close();
      expect([end.code, end.result.code]).toEqual([5, 'E_AUTH']);
      expect(end.stderr).toContain(`${locked.host} refused access to ${locked.host}/acme/backend`);
      expect(end.stderr).toContain('no credentials were sent');
      expect(end.stderr).toContain(`docker login ${locked.host} with an account, or a token, that may pull`);
    },
  );

  test('a wrong login says where it came from, and not what it is', async () => {
    const locked = await startFakeRegistry({ login: DENIED });
    await push('acme/backend:V.1.3.0', locked, await pushToken(locked.host, 'acme/backend'));
    await writeProduct([`${locked.host}/acme/backend:V.1.3.0`], `${locked.host}/acme`);
    const auths = { [locked.host]: { username: 'reader', password: 'old secret' } };
    const end = await slipway('images lock', { DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) });
    await locked.close();
    expect([end.code, end.result.code]).toEqual([5, 'E_AUTH']);
    expect(end.stderr).toContain('the credentials from DOCKER_AUTH_CONFIG were sent');
    expect(end.stderr).toContain(`run docker login ${locked.host} again`);
    expect(`${end.stdout}${end.stderr}`).not.toContain('old secret');
  });

  test('a registry of a Gitea is known by its answer, and the right of a token is named as it is called there', async () => {
    const challenge = `Bearer realm="http://${upstream.host}/v2/token",service="container_registry",scope="*"`;
    upstream.faults.add({ on: /^GET .*backend/, answer: { status: 401, headers: { 'www-authenticate': challenge } }, times: 9 });
    await writeProduct([`${upstream.host}/acme/backend:V.1.3.0`], `${upstream.host}/acme`);
    const { stderr } = await slipway('images lock');
    expect(stderr).toContain('a token needs the right package: read (read:package)');
  });

  test.each(['relative', 'absolute'] as const)('250 tags over three pages are all read, by a %s Link', async (link) => {
    const paged = await startFakeRegistry({ pageSize: 100, link });
    await push('acme/backend:V.1.0.0', paged);
    const tags = paged.repositories.get('acme/backend')?.tags;
    for (let n = 1; n < 250; n += 1) tags?.set(`V.1.${n}.0`, tags.get('V.1.0.0') ?? '');
    await writeProduct([`${paged.host}/acme/backend:V.1.0.0`]);
    const { code, result } = await slipway('images outdated');
    expect([code, result.images]).toMatchObject([0, [{ newest: 'V.1.249.0' }]]);
    expect(asked(paged).filter((line) => line.includes('/tags/list'))).toHaveLength(3);
    await paged.close();
  });

  test.each(['localhost', '127.0.0.1'])(
    'an image of a registry with a port, %s:PORT/img:V.1.3.0, is locked, looked at and mirrored',
    async (name) => {
      const host = upstream.host.replace('127.0.0.1', name);
      const pushed = await push('img:V.1.3.0');
      await push('img:V.1.10.0');
      await writeProduct([`${host}/img:V.1.3.0`]);
      expect((await slipway('images outdated')).result.images).toMatchObject([{ name: 'img', current: 'V.1.3.0', newest: 'V.1.10.0' }]);
      expect((await slipway('images mirror')).code).toBe(0);
      expect((await auditRegistry(destination)).tags).toEqual({ 'acme/img:V.1.3.0': pushed.digest });
      expect((await slipway('images lock')).result.images).toMatchObject([
        { reference: `${destination.host}/acme/img:V.1.3.0`, digest: pushed.digest },
      ]);
    },
  );

  test('an image by digest is that image, whatever its tag became; nothing newer is offered; where digests do not belong is said', async () => {
    const pushed = await push('img:V.1.3.0');
    await pushImage(upstream, 'img', { architecture: 'amd64', layers: ['moved'], tag: 'V.1.3.0' });
    await push('img:V.1.10.0');
    const byDigest = `{ source: ${upstream.host}/img, tags: ["${pushed.digest}"] }`;
    await writeProduct([byDigest]);
    const mirrored = await slipway('images mirror');
    expect(mirrored.code, mirrored.stderr).toBe(0);
    expect(destination.repositories.get('acme/img')?.manifests.has(pushed.digest)).toBe(true);
    expect((await auditRegistry(destination)).wrong).toEqual([]);
    expect((await slipway('images outdated')).result.images).toEqual([]);
    upstream.repositories.get('img')?.manifests.delete(pushed.digest);
    await writeProduct([byDigest], `${destination.host}/other`);
    expect((await slipway('images mirror')).result).toMatchObject({
      ok: false,
      code: 'E_NOT_FOUND',
      message: expect.stringContaining(pushed.digest),
    });
    await writeProduct([`${upstream.host}/img@${pushed.digest}`]);
    expect((await slipway('images lock')).result).toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('digests belong in slipway.lock.json'),
    });
  });
});
