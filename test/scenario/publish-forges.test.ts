// publish onto Gitea and GitHub at once, and what installs read there.

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import type { Event } from '../../src/model/event.ts';
import type { World } from '../../src/model/seams.ts';
import { fetchChannel } from '../../src/observe/channel.ts';
import { openSource } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { FIRST } from '../fakes/gitea-stage.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { type BuiltRelease, buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
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
  await mkdir(workspace);
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  publicKey: ${keys.publicKey}
  hosts:
    github: { type: github, repository: acme/acme, url: "${github.url}", token: GITHUB_TOKEN }
    forge: { type: gitea, repository: acme/acme, url: "${gitea.url}", token: GITEA_TOKEN }
  publishTo: [forge, github]
`;
  await writeFile(join(workspace, 'slipway.yaml'), yaml);
});

afterEach(async () => {
  await gitea.close();
  await github.close();
});

async function run(
  command: Command,
  flags: Record<string, string | boolean>,
  more: { tokens?: object; positionals?: string[] } = {},
): Promise<CommandResult> {
  const env = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText, ...(more.tokens ?? TOKENS) };
  const report = (event: Event): void => {
    said += JSON.stringify(event);
  };
  const world = quietWorld({ env, run: runProgram, report });
  const all = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  const positionals = more.positionals ?? [];
  try {
    const result = await command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
    said += JSON.stringify(result);
    return result;
  } catch (error) {
    said += JSON.stringify([String(error), error]);
    throw error;
  }
}

/** Makes the workspace a repository. */
async function gitWorkspace(): Promise<{ readonly commit: string }> {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example', ...args], { cwd: workspace, encoding: 'utf8' });
  git('init', '-q');
  await writeFile(join(workspace, '.gitignore'), 'dist/\n.slipway/\n');
  git('add', '.');
  git('commit', '-q', '-m', 'product');
  return { commit: git('rev-parse', 'HEAD').trim() };
}

/** A release of a commit that both forges have; the workspace itself is no repository. */
function build(version: string): Promise<BuiltRelease> {
  github.state.commits.add(FIRST);
  gitea.state.commits.add(FIRST);
  return buildRelease({ workspace, version, keys });
}

test('one publish puts the same release, the same channel file and install.sh on both, and installs read them without a token', async () => {
  const { commit } = await gitWorkspace();
  for (const { state } of [gitea, github]) state.commits.add(commit);
  await buildRelease({ workspace, version: '1.0.0', keys, manifest: { commit } });
  const { fields } = await run(publish, { tag: 'v1.0.0' });
  expect(fields.hosts).toMatchObject([
    { name: 'forge', outcome: 'published', url: `${gitea.url}/acme/acme/releases/tag/v1.0.0` },
    { name: 'github', outcome: 'published' },
  ]);
  const peeled = github.state.tagObjects.get(github.state.refs.get('tags/v1.0.0')?.sha ?? '')?.object.sha;
  expect([gitea.state.tags.get('v1.0.0')?.commit, peeled]).toEqual([commit, commit]);
  const signed = gitea.state.branches.get('channels')?.files.get('channels/stable.signed.json');
  expect(github.state.files?.get('channels/stable.signed.json')).toEqual(signed);
  expect(github.state.files?.get('install.sh')?.toString()).toContain('installs acme 1.0.0');
  const trust = { key: keys.publicKey, signed: true, sequences: {} };
  const source = openSource(`${gitea.url}/acme/acme`, quietWorld());
  const found = await fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
  expect(found.channel.latest).toBe('1.0.0');
  const [bundle] = found.channel.releases[0]?.assets ?? [];
  if (bundle === undefined) throw new Error('no bundle');
  await source.download('v1.0.0', bundle.name, { to: join(folder, 'bundle'), maxBytes: bundle.size, sha256: bundle.sha256 });
  expect((await run(publish, { tag: 'v1.0.0' })).fields.hosts).toMatchObject([
    { outcome: 'already-published' },
    { outcome: 'already-published' },
  ]);
});

test('without a commit nothing is tagged, and every host says what it needs at once', async () => {
  await build('1.0.0');
  await expect(run(publish, { tag: 'v1.0.0' })).rejects.toMatchObject({
    code: 'E_PREFLIGHT',
    message: expect.stringMatching(/github: .*commit/),
  });
  expect([gitea.state.rows.length, github.state.releases.length, github.state.refs.size]).toEqual([0, 0, 0]);
});

test('a missing token stops everything before the first write, on the other host too', async () => {
  await build('1.0.0');
  const refused = run(publish, { tag: 'v1.0.0' }, { tokens: { GITEA_TOKEN: 'good-token' } });
  await expect(refused).rejects.toMatchObject({ code: 'E_AUTH', message: expect.stringContaining('GITHUB_TOKEN') });
  expect([...gitea.requests, ...github.requests].filter(({ line }) => !line.startsWith('GET'))).toEqual([]);
});

test('a token is never said, stored or shown', async () => {
  await build('1.0.0');
  const tokens = { GITEA_TOKEN: 'secret-one', GITHUB_TOKEN: 'secret-two' };
  for (const command of [publish, reserve])
    await run(command, command === publish ? { tag: 'v1.0.0' } : { version: '2.0.0' }, { tokens }).catch(() => undefined);
  await run(release, {}, { tokens, positionals: ['list'] }).catch(() => undefined);
  for (const path of await readdir(workspace, { recursive: true })) {
    if ((await stat(join(workspace, path))).isFile()) said += await readFile(join(workspace, path), 'utf8');
  }
  expect(said).not.toMatch(/secret-one|secret-two/);
  expect(said).toContain('GITEA_TOKEN');
});

test('what is read behind a repository’s page is the folder layout’s, found by trying, without the API', async () => {
  const source = openSource(`${gitea.url}/acme/acme`, quietWorld());
  const trust = { key: keys.publicKey, signed: true, sequences: {} };
  const fetching = fetchChannel({ sources: [source], product: 'acme', channel: 'stable', trust, now: new Date() });
  await expect(fetching).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  expect(gitea.requests.some(({ line }) => line.includes('/api/'))).toBe(false);
});

test('a private repository is read with SLIPWAY_TOKEN, and is not there without it', async () => {
  gitea.state.settings.private = true;
  const { commit } = await gitWorkspace();
  for (const { state } of [gitea, github]) state.commits.add(commit);
  await buildRelease({ workspace, version: '1.0.0', keys, manifest: { commit } });
  await run(publish, { tag: 'v1.0.0' });
  const read = (env: World['env']): Promise<Buffer | undefined> =>
    openSource(`${gitea.url}/acme/acme`, quietWorld({ env })).read('channels/stable.signed.json', 1 << 20);
  expect(await read({})).toBeUndefined();
  expect(await read({ SLIPWAY_TOKEN: 'good-token' })).toEqual(
    gitea.state.branches.get('channels')?.files.get('channels/stable.signed.json'),
  );
});

test('a forge that shows nothing before signing in says so, and its sign-in page is not taken for a file', async () => {
  gitea.state.settings.signIn = true;
  const reading = openSource(`${gitea.url}/acme/acme`, quietWorld()).read('channels/stable.signed.json', 1 << 20);
  await expect(reading).rejects.toMatchObject({ code: 'E_AUTH', hint: expect.stringContaining('SLIPWAY_TOKEN') });
});
