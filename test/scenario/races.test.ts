// Twenty publishers of one version at once, with each kind of host as the authority. Rule: one wins, every other is told who, and nothing of a loser is left.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { publish } from '../../src/commands/slipway/publish.ts';
import { type Channel, parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { isToolError } from '../../src/model/error.ts';
import type { HostAddress } from '../../src/model/host.ts';
import { openView } from '../../src/world/hosts.ts';
import { runProgram } from '../../src/world/run.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const MANY = 20;
const keys = makeKeys();
const TOKENS = { GITEA_TOKEN: 'good-token', GITHUB_TOKEN: 'good-token' };
const world = () => quietWorld({ env: { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText, ...TOKENS }, run: runProgram });
let folder: string;
let gitea: FakeGitea;
let github: FakeGithub;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  gitea = await startGitea();
  github = await startGithub();
});

afterEach(async () => {
  await gitea.close();
  await github.close();
});

interface Kind {
  readonly authority: () => HostAddress;
  /** Where the release appears: the authority itself, or the mirror of one that holds none. */
  readonly shown: () => HostAddress;
}

const local = (): HostAddress => ({ type: 'folder', name: 'local', path: join(folder, 'local') });
const plain = (): HostAddress => ({ type: 'git', name: 'plain', url: join(folder, 'remote.git') });
const forge = (): HostAddress => ({ type: 'gitea', name: 'forge', repository: 'acme/acme', url: gitea.url, token: 'GITEA_TOKEN' });
const hub = (): HostAddress => ({ type: 'github', name: 'hub', repository: 'acme/acme', url: github.url, token: 'GITHUB_TOKEN' });
const KINDS: readonly (readonly [string, Kind])[] = [
  ['a folder', { authority: local, shown: local }],
  ['Gitea', { authority: forge, shown: forge }],
  ['GitHub', { authority: hub, shown: hub }],
  ['a git remote', { authority: plain, shown: local }],
];

/** Twenty checkouts of one commit, which every host has. */
async function checkouts({ authority, shown }: Kind): Promise<{ readonly roots: readonly string[]; readonly commit: string }> {
  const first = join(folder, 'first');
  await mkdir(first);
  const hosts = [...new Map([authority(), shown()].map((host) => [host.name, host])).values()];
  const lines = hosts.map(({ name, ...rest }) => `    ${name}: ${JSON.stringify(rest)}`);
  const release = `  tag: v{version}\n  publicKey: ${keys.publicKey}\n  hosts:\n${lines.join('\n')}\n  publishTo: [${hosts.map(({ name }) => name).join(', ')}]`;
  await writeFile(join(first, 'slipway.yaml'), `schema: 1\nproduct: acme\nrelease:\n${release}\n`);
  await writeFile(join(first, '.gitignore'), 'dist/\n.slipway/\n');
  const git = (...words: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example', ...words], { cwd: first, encoding: 'utf8', stdio: 'pipe' });
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-q', '-m', 'product');
  git('clone', '-q', '--bare', first, join(folder, 'remote.git'));
  const commit = git('rev-parse', 'HEAD').trim();
  for (const { state } of [gitea, github]) state.commits.add(commit);
  const roots = Array.from({ length: MANY }, (_, index) => join(folder, `w${index}`));
  for (const root of roots) git('clone', '-q', first, root);
  return { roots, commit };
}

async function race(kind: Kind, text: (index: number) => string): Promise<readonly { readonly code: string; readonly said: string }[]> {
  const { roots, commit } = await checkouts(kind);
  for (const [index, workspace] of roots.entries()) {
    await buildRelease({ workspace, version: '1.0.0', keys, manifest: { commit }, files: { 'notes.txt': text(index) } });
  }
  return Promise.all(
    roots.map(async (root) => {
      const flags = { config: join(root, 'slipway.yaml'), yes: true, tag: 'v1.0.0' };
      try {
        await publish.run({ world: world(), flags, positionals: [], program: 'slipway', file: import.meta.filename });
        return { code: 'published', said: '' };
      } catch (error) {
        if (isToolError(error, 'E_PUBLISHED_DIFFERS') || isToolError(error, 'E_RESERVED_ELSEWHERE'))
          return { code: error.code, said: error.message };
        throw error;
      }
    }),
  );
}

async function channelOf({ shown }: Kind): Promise<Channel | undefined> {
  const text = (await openView(shown(), world()).read('channels/stable.signed.json', 1 << 20))?.toString();
  return text === undefined ? undefined : parseChannel(parseSignedChannel(text, 'stable').payload, 'stable');
}

function leftovers(): readonly unknown[] {
  return [...gitea.state.rows.filter(({ draft }) => draft), ...github.state.releases.filter(({ draft }) => draft)];
}

describe.each(KINDS)('with %s as the authority', (_, kind) => {
  test('of twenty publishers with different bytes one wins, and nineteen are told', async () => {
    const outcomes = await race(kind, (index) => `bytes of ${index}`);
    expect(outcomes.filter(({ code }) => code === 'published')).toHaveLength(1);
    for (const { code, said } of outcomes) if (code !== 'published') expect(said).toMatch(/^v1\.0\.0 is (published already|reserved|held)/);
    const winner = outcomes.findIndex(({ code }) => code === 'published');
    const channel = await channelOf(kind);
    const ours = digestOf(execFileSync('cat', [join(folder, `w${winner}`, 'dist/v1.0.0/bundle.json')]));
    expect(channel?.releases.map(({ manifest }) => manifest)).toEqual([ours]);
    expect((await openView(kind.shown(), world()).listRelease('v1.0.0'))?.find(({ name }) => name === 'bundle.json')?.sha256).toBe(ours);
    expect(leftovers()).toEqual([]);
  });

  test('twenty publishers of the same bytes all succeed, and it is there once', async () => {
    const outcomes = await race(kind, () => 'the same bytes');
    expect(outcomes.map(({ code }) => code)).toEqual(Array.from({ length: MANY }, () => 'published'));
    const channel = await channelOf(kind);
    expect([channel?.sequence, channel?.releases.length]).toEqual([1, 1]);
    expect(leftovers()).toEqual([]);
    const shown = kind.shown();
    if (shown.type === 'folder') expect((await readdir(shown.path)).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
