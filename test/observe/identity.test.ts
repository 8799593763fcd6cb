import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { observeCheckout } from '../../src/observe/checkout.ts';
import { identityOfRun, observeIdentity } from '../../src/observe/identity.ts';
import { runProgram } from '../../src/world/run.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-'));
});

describe('the identity', () => {
  const run = { GITHUB_REPOSITORY: 'acme/acme', GITHUB_RUN_ID: '123456', GITHUB_RUN_ATTEMPT: '2' };

  test.each([
    ['a GitHub run', { ...run, GITHUB_ACTIONS: 'true', GITHUB_SERVER_URL: 'https://github.com' }, 'ci:github:acme/acme:run:123456'],
    [
      'a GitHub Enterprise run',
      { ...run, GITHUB_ACTIONS: 'true', GITHUB_SERVER_URL: 'https://git.acme.example' },
      'ci:github:git.acme.example/acme/acme:run:123456',
    ],
    [
      'a Gitea run, which sets the GitHub variables too',
      { ...run, GITHUB_ACTIONS: 'true', GITEA_ACTIONS: 'true', GITHUB_SERVER_URL: 'https://git.acme.example/' },
      'ci:gitea:git.acme.example/acme/acme:run:123456',
    ],
  ])('of %s is the run without its attempt', (_name, env, identity) => {
    expect(identityOfRun(env)).toBe(identity);
  });

  test('outside of CI is a random id that the workspace keeps for itself', async () => {
    const first = await observeIdentity(root, quietWorld());
    expect(first).toMatch(/^id:[0-9a-f]{32}$/);
    expect(await observeIdentity(root, quietWorld())).toBe(first);
    expect((await stat(join(root, '.slipway/identity'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(root, '.slipway'))).toEqual(['identity']);
  });

  test('is one, even when many processes make it at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => observeIdentity(root, quietWorld())));
    expect(new Set(all).size).toBe(1);
  });

  test('that was cut short by a crash is made again, and a look at the plan leaves no file', async () => {
    await observeIdentity(root, quietWorld(), true);
    expect(await readdir(root)).toEqual([]);
    await observeIdentity(root, quietWorld());
    await writeFile(join(root, '.slipway/identity'), 'id:ab');
    const again = await observeIdentity(root, quietWorld());
    expect(again).toMatch(/^id:[0-9a-f]{32}$/);
    expect(await observeIdentity(root, quietWorld())).toBe(again);
  });
});

describe('the checkout', () => {
  const world = quietWorld({ env: { PATH: process.env.PATH }, run: runProgram });
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example', ...args], { cwd: root, encoding: 'utf8' });

  test('of a folder without a repository, or without a commit, has no commit', async () => {
    expect(await observeCheckout(root, world)).toEqual({ commit: null, tags: [] });
    git('init', '-q');
    expect(await observeCheckout(root, world)).toEqual({ commit: null, tags: [] });
  });

  test('has the commit and all tags on it, annotated ones too, and no others', async () => {
    git('init', '-q');
    git('commit', '-q', '--allow-empty', '-m', 'one');
    git('tag', 'v0.9.0');
    git('commit', '-q', '--allow-empty', '-m', 'two');
    git('tag', 'v1.0.0');
    git('tag', '-a', '-m', 'x', 'bundle-v1.0.0');
    expect(await observeCheckout(root, world)).toEqual({ commit: git('rev-parse', 'HEAD').trim(), tags: ['bundle-v1.0.0', 'v1.0.0'] });
  });

  test('that git cannot read is an error, not an absent one', async () => {
    git('init', '-q');
    await writeFile(join(root, '.git/config'), 'not a config [');
    await expect(observeCheckout(root, world)).rejects.toMatchObject({ code: 'E_COMMAND' });
  });
});
