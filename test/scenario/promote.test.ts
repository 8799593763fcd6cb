// promote as maintainers run it: six images, one of them behind, and a release that must be the same bytes on all or on none.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { promote } from '../../src/commands/slipway/promote.ts';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import { runProgram } from '../../src/world/run.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { entryOf, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { listReferrers, refer, sign } from '../fakes/signed-image.ts';

const NAMES = ['api', 'management-api', 'web', 'web-sidecar', 'management-web', 'management-web-sidecar'];
let registry: FakeRegistry;
let folder: string;
let workspace: string;

beforeEach(async () => {
  registry = await startFakeRegistry();
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  await mkdir(workspace);
  await describeProduct(NAMES);
});
afterEach(() => registry.close());

async function describeProduct(names: readonly string[]): Promise<void> {
  const own = names.map((name) => `    ${name}: { repository: ${name} }`).join('\n');
  const channels = 'stable: { promoteFrom: staging, float: [latest] }, staging: { prerelease: staging }';
  const release = `  tag: "{version}"\n  channels: { ${channels} }\n  hosts: { local: { type: folder, path: ${folder}/host } }`;
  await writeFile(
    join(workspace, 'slipway.yaml'),
    `schema: 1\nproduct: acme\nrelease:\n${release}\nimages:\n  registry: ${registry.host}/acme\n  own:\n${own}\n`,
  );
}

/** An index of two platforms, of its own bytes. */
async function push(name: string, tag: string, bytes = `${name} ${tag}`): Promise<string> {
  const repository = `acme/${name}`;
  const amd = await pushImage(registry, repository, { architecture: 'amd64', layers: [`${bytes} amd64`] });
  const arm = await pushImage(registry, repository, { architecture: 'arm64', layers: [`${bytes} arm64`] });
  const entries = [entryOf(amd, { os: 'linux', architecture: 'amd64' }), entryOf(arm, { os: 'linux', architecture: 'arm64' })];
  return (await pushIndex(registry, repository, { tag, entries })).digest;
}

async function pushAll(counters: Readonly<Record<string, readonly number[]>>, base = '0.1.15'): Promise<void> {
  for (const [name, all] of Object.entries(counters)) for (const n of all) await push(name, `${base}-staging.${n}`);
}

function run(flags: Record<string, string | boolean> = {}): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH }, run: runProgram });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, version: '0.1.15', ...flags };
  return promote.run({ world, flags: all, positionals: [], program: 'slipway', file: import.meta.filename });
}

const writes = (): readonly string[] => registry.requests.map(({ line }) => line).filter((line) => /^(PUT|POST|PATCH|DELETE)/.test(line));
const tagsOf = (name: string): ReadonlyMap<string, string> => registry.repositories.get(`acme/${name}`)?.tags ?? new Map();
const SIX = { api: [5], 'management-api': [5], web: [4], 'web-sidecar': [5], 'management-web': [5], 'management-web-sidecar': [5] };
const FULL = Object.fromEntries(NAMES.map((name) => [name, [3, 4, ...(name === 'web' ? [] : [5])]]));

describe('promote', () => {
  test('M-3: takes the highest N that all six images have, byte for byte, with its floating tag', async () => {
    await pushAll(FULL);
    const { fields } = await run();
    expect(fields).toMatchObject({ from: '0.1.15-staging.4', to: '0.1.15' });
    for (const name of NAMES) {
      const tags = tagsOf(name);
      expect(tags.get('0.1.15'), name).toBe(tags.get('0.1.15-staging.4'));
      expect(tags.get('latest'), name).toBe(tags.get('0.1.15'));
    }
    const receipt = JSON.parse(await readFile(join(workspace, 'dist/promotions/0.1.15.json'), 'utf8')) as { images: unknown[] };
    expect(receipt.images).toHaveLength(6);
  });

  test('signatures and what else belongs to an image are the release’s too, and are no versions', async () => {
    await describeProduct(['api']);
    const digest = await push('api', '0.1.15-staging.1');
    const place = { host: registry.host, repository: 'acme/api' };
    const [tag, signature] = await sign({ ...place, subject: digest });
    const subject = { digest, mediaType: 'application/vnd.oci.image.index.v1+json', size: 1 };
    const listed = await refer({ ...place, api: false, subject, artifactType: 'application/spdx+json' });
    expect((await run()).fields).toMatchObject({ from: '0.1.15-staging.1', images: [{ digest }] });
    const tags = tagsOf('api');
    expect([tags.get('0.1.15'), tags.get(tag)]).toEqual([digest, signature]); // both are found by the digest, which is the same
    expect(await listReferrers(registry.host, 'acme/api', digest)).toMatchObject([{ digest: listed.digest }]);
  });

  test('M-3: with --strict the newest N of the one that is behind must be on all', async () => {
    await pushAll(FULL);
    expect((await run({ strict: true })).fields.from).toBe('0.1.15-staging.4');
    await pushAll(SIX, '0.2.0');
    const refused = run({ strict: true, version: '0.2.0' });
    await expect(refused).rejects.toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining('web: 4') });
  });

  test('M-3: holes leave the highest common one, or nothing: never a half promotion', async () => {
    await describeProduct(['api', 'web']);
    await pushAll({ api: [0, 1], web: [0, 2] });
    expect((await run({ plan: true })).fields.plan).toMatchObject({ command: 'promote' });
    await expect(run({ strict: true })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect((await run()).fields.from).toBe('0.1.15-staging.0');
  });

  test('M-3: an image without any tag of the version stops everything before the first write', async () => {
    await pushAll({ ...SIX, web: [] });
    await push('web', '0.1.14-staging.5');
    const before = writes().length;
    await expect(run()).rejects.toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining('web: none') });
    expect(writes()).toHaveLength(before);
  });

  test('M-4: promoted again with the same images nothing is done; with another one under the release tag it is refused before the first write', async () => {
    await pushAll(FULL);
    await run();
    const before = writes().length;
    expect((await run()).fields.images).toMatchObject(NAMES.map(() => ({ outcome: 'present' })));
    expect(writes()).toHaveLength(before);
    await pushAll({ web: [5] });
    await expect(run()).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS', message: expect.stringContaining('0.1.15') });
    expect(tagsOf('api').get('0.1.15')).toBe(tagsOf('api').get('0.1.15-staging.4'));
  });

  test('M-4: a base that was never promoted gets its first release tag, and nothing else of it changes', async () => {
    await pushAll(FULL);
    await push('api', '0.1.14', 'the release before');
    const before = Object.fromEntries(NAMES.map((name) => [name, new Map(tagsOf(name))]));
    expect((await run()).fields.images).toMatchObject(NAMES.map((name) => ({ name, outcome: 'promoted' })));
    for (const name of NAMES) {
      const { '0.1.15': released, latest, ...others } = Object.fromEntries(tagsOf(name));
      expect([released, latest]).toEqual([others['0.1.15-staging.4'], others['0.1.15-staging.4']]);
      expect(others).toEqual(Object.fromEntries(before[name] ?? []));
    }
  });

  test('a floating tag stays with a newer release', async () => {
    await describeProduct(['api']);
    await pushAll({ api: [1] });
    const newer = await push('api', '0.2.0');
    await push('api', 'latest', 'api 0.2.0');
    await run();
    expect(tagsOf('api').get('latest')).toBe(newer);
    expect(tagsOf('api').get('0.1.15')).toBe(tagsOf('api').get('0.1.15-staging.1'));
  });

  test('an index whose child is gone is not promoted', async () => {
    await describeProduct(['api']);
    await pushAll({ api: [1] });
    const repository = registry.repositories.get('acme/api');
    const [child = ''] = [...(repository?.manifests.keys() ?? [])];
    repository?.manifests.delete(child);
    await expect(run()).rejects.toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining('not whole') });
  });

  test('the release is reserved on the commit that its prerelease was reserved on', async () => {
    await describeProduct(['api']);
    await writeFile(join(workspace, '.gitignore'), 'dist/\n.slipway/\n');
    const git = (...words: string[]): string =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example', ...words], { cwd: workspace, encoding: 'utf8' });
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'built');
    const built = git('rev-parse', 'HEAD').trim();
    const world = quietWorld({ env: { PATH: process.env.PATH }, run: runProgram });
    const flags = { config: join(workspace, 'slipway.yaml'), yes: true, version: '0.1.15-staging.0' };
    await reserve.run({ world, flags, positionals: [], program: 'slipway', file: import.meta.filename });
    await pushAll({ api: [0] });
    await writeFile(join(workspace, 'later.txt'), 'later');
    git('add', '.');
    git('commit', '-q', '-m', 'later');
    expect((await run()).fields).toMatchObject({ commit: built });
    const reservation = JSON.parse(await readFile(join(folder, 'host/reservations/0.1.15.json'), 'utf8')) as { commit: string };
    expect(reservation.commit).toBe(built);
  });

  test('without a channel to promote to it says what is missing', async () => {
    await expect(run({ channel: 'staging' })).rejects.toMatchObject({ code: 'E_CONFIG', hint: expect.stringContaining('promoteFrom') });
  });
});
