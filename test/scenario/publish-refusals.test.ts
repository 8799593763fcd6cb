// Publishing where something is in the way: what is said, what to do next, and that nothing was written before it.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { exitCodeOf, type ToolError } from '../../src/model/error.ts';
import type { Event } from '../../src/model/event.ts';
import type { World } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { makePublishers, scratchFolder } from '../fakes/authority-stage.ts';
import { PROXIED_HOST, startForwardProxy } from '../fakes/forward-proxy.ts';
import { gitEnvironment, runCommand } from '../fakes/git-workspace.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { buildRelease, makeKeys } from '../fakes/release-builder.ts';

const keys = makeKeys();
let folder: string;
let github: FakeGithub;
let gitea: FakeGitea;

beforeEach(async () => {
  folder = await scratchFolder();
  github = await startGithub();
  gitea = await startGitea();
});
afterEach(async () => {
  await github.close();
  await gitea.close();
  await rm(folder, { recursive: true, force: true });
});

interface Forge {
  readonly type: 'github' | 'gitea';
  readonly variable: string;
  /** Where a token is made. */
  readonly page: RegExp;
  readonly fake: () => FakeGithub | FakeGitea;
}

const FORGES: readonly Forge[] = [
  { type: 'github', variable: 'GITHUB_TOKEN', page: /\/settings\/tokens/, fake: () => github },
  { type: 'gitea', variable: 'GITEA_TOKEN', page: /\/user\/settings\/applications/, fake: () => gitea },
];

describe.each(FORGES)('publishing to $type', ({ type, variable, page, fake }) => {
  test('with a token that is wrong (401) names the variable, what the token must be allowed, and where to make one', async () => {
    const error = await refused({ env: { [variable]: 'wrong-token' } });
    expect(error).toMatchObject({ code: 'E_AUTH', message: expect.stringContaining('401') });
    expect(error.hint).toContain(`$${variable}`);
    expect(error.hint).toMatch(page);
  });

  test('with a token that may too little (403) says what is missing', async () => {
    if (type === 'github') github.state.settings.scopes = 'read:user';
    else gitea.state.tokens.set('reader', { user: 'publisher', scopes: ['read:repository'], access: 'write' });
    const error = await refused({ env: { [variable]: type === 'github' ? 'good-token' : 'reader' } });
    expect(error).toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringContaining('scope') });
    expect(error.hint).toMatch(/scope/);
    expect(exitCodeOf(error)).toBe(3);
  });

  test('as a person who may read alone says that the repository is not theirs to write', async () => {
    if (type === 'github') github.state.settings.push = false;
    else gitea.state.tokens.set('guest', { user: 'guest', scopes: ['write:repository'], access: 'read' });
    const error = await refused({ env: { [variable]: type === 'github' ? 'good-token' : 'guest' } });
    expect(error).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringMatching(/write/),
      hint: expect.stringContaining('write access'),
    });
  });

  test('without the variable says which, and where its token is made', async () => {
    const error = await refused({ env: { [variable]: undefined } });
    expect(error.message).toContain(`$${variable} is not set`);
    expect(error.hint).toMatch(page);
    expect(['E_AUTH', 'E_PREFLIGHT']).toContain(error.code);
  });

  test('into a repository that is not there asks for its spelling, and whether the token may see it', async () => {
    const error = await refused({ repository: 'acme/typo' });
    expect(error).toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('404'),
      hint: expect.stringContaining('acme/typo'),
    });
    expect(error.hint).toContain(`$${variable}`);
  });

  test('without a network says that nobody answers, and where', async () => {
    const error = await refused({ url: 'http://127.0.0.1:9' });
    expect(error).toMatchObject({ code: 'E_NETWORK', message: '127.0.0.1:9: the connection was refused' });
    expect(error.hint).toContain('something listens on 127.0.0.1:9');
  });

  test('through a proxy works, and the proxy is asked for that host', async () => {
    const proxy = await startForwardProxy(portOf(fake().url));
    const { fields } = await attempt({ url: `https://${PROXIED_HOST}`, env: proxy.env });
    expect(fields.hosts).toMatchObject([{ outcome: 'published' }]);
    expect(new Set(proxy.asked)).toEqual(new Set([`${PROXIED_HOST}:443`]));
    expect(writes().length).toBeGreaterThan(3);
  });

  test.each([
    [407, /wants a login/, /user and password in HTTPS_PROXY/],
    [502, /did not connect/, /may and can reach/],
  ])('through a proxy that answers %i names the proxy, without its password', async (status, message, hint) => {
    const proxy = await startForwardProxy(portOf(fake().url), status);
    const error = await refused({ url: `https://${PROXIED_HOST}`, env: proxy.env });
    expect(error).toMatchObject({ code: 'E_NETWORK', message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
    expect(error.message).toContain(`the proxy ${proxy.address}`);
    expect(error.message).toContain(String(status));
    expect(error.hint).toContain('NO_PROXY');
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('proxy-password');
  });

  test('through a proxy that does not run names the proxy', async () => {
    const { env } = await startForwardProxy(1);
    const error = await refused({ url: `https://${PROXIED_HOST}`, env: { ...env, HTTPS_PROXY: 'http://127.0.0.1:9' } });
    expect(error).toMatchObject({ code: 'E_NETWORK', message: `${PROXIED_HOST}: the proxy 127.0.0.1:9 cannot be reached` });
  });

  test('of a file that the host refuses for its size in the middle says so, publishes nothing, and goes on once the limit is raised', async () => {
    const on = /^POST .*\/assets/;
    fake().faults.add({ on, times: 99, answer: { status: 413, headers: { connection: 'close' }, body: '{"message":"too large"}' } });
    const error = await failure(attempt({}));
    expect(error).toMatchObject({ code: 'E_TOO_LARGE', message: expect.stringMatching(/413|takes no file of/), hint: expect.any(String) });
    expect(published()).toEqual([]);
    fake().faults.clear();
    expect((await attempt({})).fields.hosts).toMatchObject([{ outcome: 'published' }]);
  });

  /** The refusal of a publish before its first write. */
  async function refused(parts: Attempt): Promise<ToolError> {
    const error = await failure(attempt(parts));
    expect(writes()).toEqual([]);
    expect(error.hint).toBeDefined();
    expect(exitCodeOf(error)).toBeGreaterThan(1);
    return error;
  }

  interface Attempt {
    readonly url?: string;
    readonly repository?: string;
    readonly env?: Readonly<Record<string, string | undefined>>;
  }

  async function attempt({ url = fake().url, repository = 'acme/acme', env = {} }: Attempt): Promise<CommandResult> {
    const host = `{ type: ${type}, repository: ${repository}, url: "${url}", token: ${variable} }`;
    const root = await workspace(`  hosts: { forge: ${host} }\n  publishTo: [forge]\n`);
    return run(root, { [variable]: 'good-token', ...env });
  }

  /** Everything that would change something, but for the request that finds out whether a token may. */
  function writes(): readonly string[] {
    return fake()
      .requests.map(({ line }) => line)
      .filter((line) => !/^(GET|HEAD) |^DELETE .*\/releases\/0$/.test(line));
  }

  function published(): readonly unknown[] {
    if (type === 'github') return github.state.releases.filter(({ draft }) => !draft);
    return gitea.state.rows.filter(({ draft, isTag }) => !draft && !isTag);
  }
});

test('a file above the limit that Gitea shows is refused before the first write, with both sizes and the setting', async () => {
  gitea.state.settings.maxSize = 0.0001;
  const host = `{ type: gitea, repository: acme/acme, url: "${gitea.url}", token: GITEA_TOKEN }`;
  const error = await failure(run(await workspace(`  hosts: { forge: ${host} }\n  publishTo: [forge]\n`), { GITEA_TOKEN: 'good-token' }));
  expect(error).toMatchObject({
    code: 'E_PREFLIGHT',
    message: expect.stringContaining('acme-bundle-1.0.0.tar.gz has'),
    hint: expect.stringContaining('MAX_SIZE'),
  });
  expect(gitea.requests.filter(({ line }) => /^(POST|PUT|PATCH)/.test(line))).toEqual([]);
});

test('a release without room in the folder of the host is refused before the first write, with both sizes', async ({ skip }) => {
  const disk = await smallDisk('1m');
  skip(disk === undefined, 'mounting is not allowed here');
  const error = await failure(run(await folderWorkspace(disk as string)));
  expect(error).toMatchObject({
    code: 'E_PREFLIGHT',
    message: expect.stringMatching(/has .* left, and the release needs/),
    hint: expect.stringContaining('Make room'),
  });
  expect(await readdir(disk as string)).toEqual([]);
});

test('a disk of the host that fills up in the middle is said to be full, nothing of the release stays, and the next run publishes it', async ({
  skip,
}) => {
  const disk = await smallDisk('12m');
  skip(disk === undefined, 'mounting is not allowed here');
  const ballast = join(disk as string, 'ballast');
  const fill = (event: Event): void => {
    if (event.type === 'step' && event.kind === 'upload-assets' && event.direction === 'forward')
      spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4k']);
  };
  const root = await folderWorkspace(disk as string);
  const error = await failure(run(root, {}, fill));
  expect(error).toMatchObject({
    code: 'E_DISK_FULL',
    message: expect.stringContaining(disk as string),
    hint: expect.stringContaining('Make room'),
  });
  expect((await readdir(disk as string)).filter((name) => name.startsWith('.slipway-tmp-') || name === 'releases')).toEqual([]);
  await rm(ballast);
  expect((await run(root)).fields.hosts).toMatchObject([{ outcome: 'published' }]);
});

test('a folder of the host that cannot be written to is refused before the first write, and named', async ({ skip }) => {
  const disk = await smallDisk('64m');
  skip(disk === undefined, 'mounting is not allowed here');
  execFileSync('mount', ['-o', 'remount,ro', disk as string]);
  const error = await failure(run(await folderWorkspace(disk as string)));
  expect(error).toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringContaining(`${disk} cannot be written to`) });
  expect(error.hint).toContain('permissions');
});

/** A packed release in a repository of its own, at a commit that both forges have. */
async function workspace(yaml: string): Promise<string> {
  const push = (_: string, commits: readonly string[]): void => {
    for (const { state } of [github, gitea]) for (const commit of commits) state.commits.add(commit);
  };
  const release = `  publicKey: ${keys.publicKey}\n`;
  const { workspaces, commits } = await makePublishers({ yaml, push }, { folder: await scratchFolder(), count: 1, commits: 1, release });
  const [root = ''] = workspaces;
  await buildRelease({ workspace: root, version: '1.0.0', keys, manifest: { commit: commits[0] as string } });
  return root;
}

function folderWorkspace(path: string): Promise<string> {
  return workspace(`  hosts: { local: { type: folder, path: "${path}" } }\n  publishTo: [local]\n`);
}

function run(
  root: string,
  env: Readonly<Record<string, string | undefined>> = {},
  report: World['report'] = () => {},
): Promise<CommandResult> {
  return runCommand(
    publish,
    { tag: 'v1.0.0' },
    { root, world: { report, env: { ...gitEnvironment, SLIPWAY_SECRET_KEY: keys.secretKeyText, ...env } } },
  );
}

/** A file system of this size until the test ends; undefined where mounting is not allowed. */
async function smallDisk(size: string): Promise<string | undefined> {
  const path = join(folder, 'disk');
  await mkdir(path);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]).status !== 0) return undefined;
  mounted.push(path);
  return path;
}

const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync('umount', ['-l', path]);
});

function portOf(url: string): number {
  return Number(new URL(url).port);
}
