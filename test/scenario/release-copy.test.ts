// A history of releases onto another host. Rule: the same bytes and the same signed files, and nothing is written where they come from.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { keys as keysCommand } from '../../src/commands/slipway/keys.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import type { Event } from '../../src/model/event.ts';
import { fetchChannel } from '../../src/observe/channel.ts';
import { openSource } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { FIRST } from '../fakes/gitea-stage.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const [keys, next] = [makeKeys(), makeKeys()];
const VERSIONS = ['1.0.0', '1.1.0', '2.0.0'];
const TOKENS = { GITEA_TOKEN: 'good-token', GITHUB_TOKEN: 'good-token' };
let folder: string;
let workspace: string;
let gitea: FakeGitea;
let github: FakeGithub;
let said: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  said = '';
  gitea = await startGitea();
  github = await startGithub();
  for (const { state } of [gitea, github]) state.commits.add(FIRST);
  await mkdir(workspace);
  await describeProduct();
  for (const version of VERSIONS) {
    await buildRelease({ workspace, version, keys, manifest: { commit: null } });
    await run(publish, [], { tag: `v${version}` });
  }
});

afterEach(async () => {
  await gitea.close();
  await github.close();
});

async function describeProduct({ publicKey = keys.publicKey, publishTo = 'local' } = {}): Promise<void> {
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  publicKey: ${publicKey}
  channels: { stable: {}, staging: { prerelease: staging, includes: [stable] } }
  hosts:
    local: { type: folder, path: ${folder}/local }
    other: { type: folder, path: ${folder}/other }
    forge: { type: gitea, repository: acme/acme, url: "${gitea.url}", token: GITEA_TOKEN }
    github: { type: github, repository: acme/acme, url: "${github.url}", token: GITHUB_TOKEN }
    plain: { type: git, url: "file://${folder}/plain.git" }
  publishTo: [${publishTo}]
`;
  await writeFile(join(workspace, 'slipway.yaml'), yaml);
}

async function run(
  command: Command,
  positionals: string[],
  flags: Record<string, string | boolean | string[]> = {},
  env: Record<string, string> = {},
): Promise<CommandResult> {
  const report = (event: Event): void => {
    said += JSON.stringify(event);
  };
  const all = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText, ...TOKENS, ...env };
  const world = quietWorld({ env: all, run: runProgram, report });
  const given = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  const result = await command.run({ world, flags: given, positionals, program: 'slipway', file: import.meta.filename });
  said += JSON.stringify(result);
  return result;
}

const copy = (from: string, to: string, flags: Record<string, string | boolean> = {}): Promise<CommandResult> =>
  run(release, ['copy'], { from, to: [to], ...flags });

/** Every file below a folder, with its contents. */
function treeOf(path: string): string {
  return execFileSync('sh', ['-c', 'find . -type f -not -path "*/reservations/*" -not -path "*/.*/*" | sort | xargs sha256sum'], {
    cwd: path,
    encoding: 'utf8',
  });
}

describe('a history of releases', () => {
  test('is on the other host byte for byte, with its channel files and install.sh, and a second copy has nothing to do', async () => {
    const before = treeOf(join(folder, 'local'));
    const { fields } = await copy('local', 'other');
    expect(fields.releases).toEqual(VERSIONS.map((version) => ({ version, tag: `v${version}`, outcome: 'copied' })));
    expect(fields.channels).toEqual([
      { name: 'stable', sequence: 3 },
      { name: 'staging', sequence: 3 },
    ]);
    expect(treeOf(join(folder, 'other'))).toEqual(before);
    expect(treeOf(join(folder, 'local'))).toEqual(before);
    expect((await copy('local', 'other')).fields.releases).toMatchObject(VERSIONS.map(() => ({ outcome: 'present' })));
    expect(await readdir(join(workspace, '.slipway/staged')).catch(() => [])).toEqual([]);
  });

  test('goes on at the new host when that one decides from now on', async () => {
    await copy('local', 'other');
    await describeProduct({ publishTo: 'other' });
    await buildRelease({ workspace, version: '2.1.0', keys });
    await run(publish, [], { tag: 'v2.1.0' });
    const source = openSource(join(folder, 'other'), quietWorld());
    const trust = { key: keys.publicKey, signed: true, sequences: {} };
    const { channel } = await fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
    expect([channel.sequence, channel.latest, channel.releases.length]).toEqual([4, '2.1.0', 4]);
  });

  test('is stopped before the first write when the other host has something else under one of its tags', async () => {
    await mkdir(join(folder, 'other/releases/v2.0.0'), { recursive: true });
    await writeFile(join(folder, 'other/releases/v2.0.0/bundle.json'), '{}');
    const before = treeOf(join(folder, 'other'));
    await expect(copy('local', 'other')).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS', message: expect.stringContaining('v2.0.0') });
    expect(treeOf(join(folder, 'other'))).toBe(before);
  });

  test('is not copied when a file of it was changed', async () => {
    const [name = ''] = (await readdir(join(folder, 'local/releases/v1.1.0'))).filter((each) => each.endsWith('.tar.gz'));
    await writeFile(join(folder, 'local/releases/v1.1.0', name), 'tampered');
    await expect(copy('local', 'other')).rejects.toMatchObject({ code: 'E_DIGEST' });
    expect(await readdir(join(folder, 'other/releases'))).toEqual(['v1.0.0']); // what was right before it stays
  });

  test('takes the statements of former keys along', async () => {
    await run(keysCommand, ['rotate'], {}, { SLIPWAY_NEW_SECRET_KEY: next.secretKeyText });
    await describeProduct({ publicKey: next.publicKey });
    await copy('local', 'other');
    const source = openSource(join(folder, 'other'), quietWorld());
    const trust = { key: keys.publicKey, signed: true, sequences: {} };
    const found = await fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
    expect(found.trust.key).toBe(next.publicKey);
  });

  test('needs two hosts that hold releases', async () => {
    await expect(copy('local', 'local')).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(copy('local', 'plain')).rejects.toMatchObject({ code: 'E_NOT_SUPPORTED' });
    await expect(copy('loca', 'other')).rejects.toMatchObject({ code: 'E_CONFIG', hint: expect.stringContaining('local, other') });
    await expect(copy('other', 'local')).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('nothing is published'),
    });
  });

  test('that was cut off in the middle is the same in the end', async () => {
    const before = treeOf(join(folder, 'local'));
    for (let round = 1; round <= 12; round += 1) {
      await rm(join(folder, 'other'), { recursive: true, force: true });
      await expect(copyCutOff(round)).resolves.toBeDefined();
      await copy('local', 'other');
      expect(treeOf(join(folder, 'other')), `cut off at file ${round}`).toEqual(before);
    }
  });

  /** Ends as a killed process does at the n-th downloaded file: nothing after it is done. */
  async function copyCutOff(n: number): Promise<string> {
    let files = 0;
    const stop = new AbortController();
    const report = (event: Event): void => {
      if (event.type !== 'progress' || event.done !== event.total) return;
      files += 1;
      if (files === n) stop.abort();
    };
    const env = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText };
    const world = quietWorld({ env, run: runProgram, report, stop: stop.signal });
    const flags = { config: join(workspace, 'slipway.yaml'), yes: true, from: 'local', to: ['other'] };
    return release.run({ world, flags, positionals: ['copy'], program: 'slipway', file: import.meta.filename }).then(
      () => 'done',
      (error: unknown) => String(error),
    );
  }
});

describe('between forges', () => {
  test('a history goes from a forge to a folder and to another forge, and no token is said', async () => {
    await rm(join(folder, 'local'), { recursive: true });
    for (const version of VERSIONS) {
      await rm(join(workspace, 'dist', `v${version}`), { recursive: true });
      await buildRelease({ workspace, version, keys, manifest: { commit: FIRST } });
    }
    await publishAll();
    await copy('local', 'forge');
    await copy('forge', 'github');
    await copy('github', 'other');
    expect(treeOf(join(folder, 'other'))).toEqual(treeOf(join(folder, 'local')));
    expect(
      github.state.releases
        .filter(({ draft }) => !draft)
        .map(({ tag }) => tag)
        .sort(),
    ).toEqual(VERSIONS.map((version) => `v${version}`));
    expect(gitea.state.rows.filter(({ draft }) => draft)).toEqual([]);
    said += JSON.stringify(await copy('local', 'github', { plan: true }));
    for (const path of await readdir(workspace, { recursive: true, withFileTypes: true })) {
      if (path.isFile()) said += await readFile(join(path.parentPath, path.name), 'utf8');
    }
    expect(said).toContain('GITHUB_TOKEN'); // by name alone
    expect(said).not.toContain('good-token');
  });

  /** The workspace itself is no repository, so the packed releases are put there by the steps alone. */
  async function publishAll(): Promise<void> {
    const { publishRelease } = await import('../fakes/release-builder.ts');
    for (const version of VERSIONS) {
      const text = await readFile(join(workspace, 'dist', `v${version}`, 'bundle.json'), 'utf8');
      const { parseManifest } = await import('../../src/model/manifest.ts');
      const { digestOf } = await import('../../src/model/digest.ts');
      const built = { workspace, tag: `v${version}`, folder: join(workspace, 'dist', `v${version}`), keys };
      await publishRelease({ ...built, manifest: parseManifest(text), manifestDigest: digestOf(text) }, join(folder, 'local'));
    }
  }
});
