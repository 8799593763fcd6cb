// reserve --channel: the next version, counted over every tag of the authority.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import type { Event } from '../../src/model/event.ts';
import type { World } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { commitFiles, git, runCommand } from '../fakes/git-workspace.ts';

let folder: string;
let workspace: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  await makeWorkspace();
});

const CHANNELS = '{ stable: {}, staging: { prerelease: staging }, lts-2.3: { versions: "2.3.x" } }';

function makeWorkspace(release = '  base: package.json#version\n', channels = CHANNELS): Promise<string> {
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  channels: ${channels}
${release}  hosts: { other: { type: folder, path: ../other }, local: { type: folder, path: ../host } }
  publishTo: [other, local]
  authority: local
`;
  return commitFiles(workspace, { 'slipway.yaml': yaml, 'package.json': '{ "version": "2.4.0-dev" }\n', '.gitignore': '.slipway\n' });
}

function next(flags: Record<string, string | boolean>, root = workspace, world: Partial<World> = {}): Promise<Record<string, unknown>> {
  return runCommand(reserve, flags, { root, world }).then(({ fields }) => ({ ...fields }));
}

/** Another person: the same commits, another identity. */
async function cloneOf(name: string): Promise<string> {
  const clone = join(folder, name);
  await cp(workspace, clone, { recursive: true });
  await rm(join(clone, '.slipway'), { recursive: true, force: true });
  return clone;
}

describe('a prerelease channel', () => {
  test('counts from 0, commit by commit, at the authority and nowhere else', async () => {
    const commit = git(workspace, 'rev-parse', 'HEAD');
    expect(await next({ channel: 'staging' })).toEqual({
      version: '2.4.0-staging.0',
      tag: 'v2.4.0-staging.0',
      commit,
      outcome: 'reserved',
    });
    const second = await commitFiles(workspace, { a: '1' });
    expect(await next({ channel: 'staging' })).toMatchObject({ version: '2.4.0-staging.1', commit: second, outcome: 'reserved' });
    expect((await readdir(join(folder, 'host/reservations'))).sort()).toEqual(['v2.4.0-staging.0.json', 'v2.4.0-staging.1.json']);
    expect(await readdir(folder)).not.toContain('other');
  });

  test('gives the same version again to who has it for this commit, also when others came since', async () => {
    await next({ channel: 'staging' });
    expect(await next({ channel: 'staging' }, await cloneOf('other-person'))).toMatchObject({ version: '2.4.0-staging.1' });
    expect(await next({ channel: 'staging' })).toMatchObject({ version: '2.4.0-staging.0', outcome: 'already-yours' });
  });

  test('counts tags that only the checkout has', async () => {
    for (const tag of ['v2.4.0-staging.9', 'v2.4.0-staging.10', 'v2.4.0-staging.x', 'other-99']) git(workspace, 'tag', tag);
    expect(await next({ channel: 'staging' })).toMatchObject({ version: '2.4.0-staging.11' });
  });

  test('is closed once its X.Y.Z is reserved or released', async () => {
    await next({ channel: 'stable' });
    await commitFiles(workspace, { a: '1' });
    expect(await failure(next({ channel: 'staging' }))).toMatchObject({ code: 'E_POLICY', hint: expect.stringContaining('slipway bump') });
    expect(await failure(next({ version: '2.4.0-staging.7' }))).toMatchObject({ code: 'E_POLICY' });
  });

  test('shows in its plan which version it would take, and takes nothing', async () => {
    const { version, plan } = await next({ channel: 'staging', plan: true });
    expect(version).toBe('2.4.0-staging.0');
    expect(plan).toMatchObject({ command: 'reserve', steps: [{ kind: 'reserve-tag', reservation: { tag: 'v2.4.0-staging.0' } }] });
    expect(await readdir(folder)).toEqual(['workspace']);
  });

  test('has one winner a counter when twenty reserve at once for the same commit, and everybody is told who was first', async () => {
    const clones = await Promise.all(Array.from({ length: 20 }, (_, index) => cloneOf(`clone-${index}`)));
    const notes: string[] = [];
    const report = (event: Event): void => void (event.type === 'note' && notes.push(event.text));
    const results = await Promise.all(clones.map((clone) => next({ channel: 'staging' }, clone, { report })));
    const versions = results
      .map(({ version }) => String(version))
      .sort((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)));
    expect(versions).toEqual(Array.from({ length: 20 }, (_, n) => `2.4.0-staging.${n}`));
    expect(results.map(({ outcome }) => outcome)).toEqual(Array(20).fill('reserved'));
    for (const { tag } of results) {
      const kept = JSON.parse(await readFile(join(folder, 'host/reservations', `${String(tag)}.json`), 'utf8')) as { by: string };
      expect(kept.by).toMatch(/^id:/);
    }
    for (const text of notes)
      expect(text).toMatch(/is reserved as acme 2\.4\.0-staging\.\d+ .*by id:.* Going on to 2\.4\.0-staging\.\d+\./);
  });
});

describe('plain and dated versions', () => {
  test('a plain one is what release.base says, and is refused to another commit', async () => {
    expect(await next({ channel: 'stable' })).toMatchObject({ version: '2.4.0', outcome: 'reserved' });
    expect(await next({ channel: 'stable' })).toMatchObject({ version: '2.4.0', outcome: 'already-yours' });
    const clone = await cloneOf('other-person');
    await commitFiles(clone, { a: '1' });
    expect(await failure(next({ channel: 'stable' }, clone))).toMatchObject({ code: 'E_RESERVED_ELSEWHERE' });
  });

  test('a dated one counts on with the day of today in UTC', async () => {
    await makeWorkspace('  versions: dated\n  formerTags: [{ tag: "v{version}", versions: semver }]\n', '{ stable: {} }');
    for (const tag of ['v2.4.0', 'v2.9.20260101', 'v2.10.20260228', 'v2.11.20260231']) git(workspace, 'tag', tag);
    const late = new Date('2026-03-31T23:59:59-05:00');
    expect(await next({}, workspace, { now: () => late })).toMatchObject({ version: '2.11.20260401', outcome: 'reserved' });
    expect(await failure(next({ version: '2.12.20260230' }))).toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('a day that exists'),
    });
  });

  test('a maintenance line goes on from its own releases', async () => {
    await makeWorkspace('  base: git\n');
    for (const tag of ['v2.3.9', 'v2.5.0']) git(workspace, 'tag', tag);
    expect(await next({ channel: 'lts-2.3' })).toMatchObject({ version: '2.3.10' });
    await commitFiles(workspace, { a: '1' });
    expect(await next({ channel: 'stable' })).toMatchObject({ version: '2.5.1' });
  });
});

describe('an explicit version', () => {
  test('is joined on the same commit by another, and refused on another commit before anything is written', async () => {
    await next({ version: '2.4.0' });
    const clone = await cloneOf('other-person');
    expect(await next({ version: '2.4.0' }, clone)).toMatchObject({ outcome: 'already-yours' });
    await commitFiles(clone, { a: '1' });
    const refused = await failure(next({ version: '2.4.0' }, clone));
    expect(refused).toMatchObject({ code: 'E_RESERVED_ELSEWHERE', hint: expect.stringContaining('nothing was changed') });
    expect(await readdir(join(folder, 'host/reservations'))).toEqual(['v2.4.0.json']);
  });

  test('whose tag the checkout has on another commit is refused', async () => {
    git(workspace, 'tag', 'v2.4.0');
    await commitFiles(workspace, { a: '1' });
    expect(await failure(next({ version: '2.4.0' }))).toMatchObject({
      code: 'E_RESERVED_ELSEWHERE',
      message: expect.stringContaining('v2.4.0 is on'),
    });
    expect(await readdir(folder)).toEqual(['workspace']);
  });
});

describe('nothing is guessed', () => {
  test('a listing that fails is not an empty one', async () => {
    await writeFile(join(folder, 'host'), 'not a folder');
    const { code } = await failure(next({ channel: 'staging' }));
    expect(code).toBeDefined();
    expect(await readFile(join(folder, 'host'), 'utf8')).toBe('not a folder');
  });

  test('without --channel and --version it asks which, and a base without a version is named', async () => {
    expect(await failure(next({}))).toMatchObject({ code: 'E_USAGE', hint: expect.stringContaining('stable, staging, lts-2.3') });
    await writeFile(join(workspace, 'package.json'), '{ "version": "v2" }');
    expect(await failure(next({ channel: 'staging' }))).toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringContaining('package.json#version is "v2"'),
    });
  });
});
