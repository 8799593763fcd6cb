// What stops a publication, said clearly and before anything is written wherever that can be known. Rule: every refusal has a real cause.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { publish } from '../../src/commands/slipway/publish.ts';
import { ToolError } from '../../src/model/error.ts';
import type { Event } from '../../src/model/event.ts';
import { runProgram } from '../../src/world/run.ts';
import { type FakeGitea, startGitea } from '../fakes/gitea.ts';
import { type FakeGithub, startGithub } from '../fakes/github.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
const SECRETS = { GITEA_TOKEN: 'good-token', GITHUB_TOKEN: 'good-token' };
const mounted: string[] = [];
let folder: string;
let workspace: string;
let commit: string;
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
});

afterEach(async () => {
  for (const path of mounted.splice(0)) execFileSync('umount', [path]);
  await gitea.close();
  await github.close();
});

/** A packed release for these hosts, whose commit both forges have. */
async function prepare(hosts: Readonly<Record<string, unknown>>, bytes = 'x'): Promise<void> {
  const lines = Object.entries(hosts).map(([name, host]) => `    ${name}: ${JSON.stringify(host)}`);
  const release = `  tag: v{version}\n  publicKey: ${keys.publicKey}\n  hosts:\n${lines.join('\n')}\n  publishTo: [${Object.keys(hosts).join(', ')}]`;
  await writeFile(join(workspace, 'slipway.yaml'), `schema: 1\nproduct: acme\nrelease:\n${release}\n`);
  await writeFile(join(workspace, '.gitignore'), 'dist/\n.slipway/\n');
  const git = (...words: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example', ...words], { cwd: workspace, encoding: 'utf8' });
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'product');
  commit = git('rev-parse', 'HEAD').trim();
  for (const { state } of [gitea, github]) state.commits.add(commit);
  await buildRelease({ workspace, version: '1.0.0', keys, manifest: { commit }, files: { 'data.bin': bytes } });
}

const hub = (parts: object = {}): object => ({ type: 'github', repository: 'acme/acme', url: github.url, token: 'GITHUB_TOKEN', ...parts });
const forge = (parts: object = {}): object => ({ type: 'gitea', repository: 'acme/acme', url: gitea.url, token: 'GITEA_TOKEN', ...parts });

/** The refusal; a test that gets none fails. */
async function refusal(env: Record<string, string | undefined> = {}): Promise<ToolError> {
  const report = (event: Event): void => {
    said += JSON.stringify(event);
  };
  const all = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText, ...SECRETS, ...env };
  const world = quietWorld({ env: all, run: runProgram, report });
  const flags = { config: join(workspace, 'slipway.yaml'), yes: true, tag: 'v1.0.0' };
  try {
    await publish.run({ world, flags, positionals: [], program: 'slipway', file: import.meta.filename });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    said += JSON.stringify([error.message, error.hint, error.details, String(error.cause)]);
    return error;
  }
  throw new Error('it was published');
}

/** All but questions, and the one deletion of what can never be there, by which Gitea tells whether a token may write. */
const writes = (): readonly string[] =>
  [...gitea.requests, ...github.requests].map(({ line }) => line).filter((line) => !/^(GET|HEAD)|^DELETE .*\/releases\/0$/.test(line));

describe('before anything is written', () => {
  test.each<[string, () => object, Record<string, string | undefined>, RegExp, RegExp]>([
    ['GitHub: a wrong token', hub, { GITHUB_TOKEN: 'wrong-token' }, /GITHUB_TOKEN/, /https?:\/\/\S+tokens/],
    ['Gitea: a wrong token', forge, { GITEA_TOKEN: 'wrong-token' }, /GITEA_TOKEN/, /https?:\/\/\S+applications/],
    ['GitHub: no token', hub, { GITHUB_TOKEN: undefined }, /GITHUB_TOKEN/, /https?:\/\/\S+tokens/],
    ['Gitea: no token', forge, { GITEA_TOKEN: undefined }, /GITEA_TOKEN/, /https?:\/\/\S+applications/],
  ])('%s names its variable, and where one is made', async (_, host, env, message, hint) => {
    await prepare({ host: host() });
    const error = await refusal(env);
    expect(['E_AUTH', 'E_PREFLIGHT']).toContain(error.code);
    expect(`${error.message} ${error.hint}`).toMatch(message);
    expect(error.hint).toMatch(hint);
    expect(writes()).toEqual([]);
    expect(said).not.toMatch(/wrong-token|good-token/);
  });

  test('GitHub: a classic token without the scope names the scope', async () => {
    github.state.settings.scopes = 'read:org';
    await prepare({ hub: hub() });
    expect(await refusal()).toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringMatching(/repo/) });
    expect(writes()).toEqual([]);
  });

  test('Gitea: a token that may only read names the scope', async () => {
    const token = gitea.state.tokens.get('good-token');
    if (token !== undefined) gitea.state.tokens.set('good-token', { ...token, scopes: ['read:repository'] });
    await prepare({ forge: forge() });
    expect(await refusal()).toMatchObject({ message: expect.stringMatching(/write:repository/) });
    expect(writes()).toEqual([]);
  });

  test.each([
    ['GitHub', hub],
    ['Gitea', forge],
  ])('%s: a repository that is not there says so, and that a private one looks the same', async (_, host) => {
    await prepare({ host: host({ repository: 'acme/other' }) });
    const error = await refusal();
    expect(['E_NOT_FOUND', 'E_AUTH']).toContain(error.code);
    expect(`${error.message} ${error.hint}`).toMatch(/acme\/other/);
    expect(writes()).toEqual([]);
  });

  test('no network: nothing listens there', async () => {
    await prepare({ hub: hub({ url: 'http://127.0.0.1:9' }) });
    expect(await refusal()).toMatchObject({
      code: 'E_NETWORK',
      message: expect.stringContaining('refused'),
      hint: expect.stringContaining('listens'),
    });
  });

  test('no network: the name is not known', async () => {
    await prepare({ hub: hub({ url: 'https://forge.invalid/api/v3' }) });
    expect(await refusal()).toMatchObject({
      code: 'E_NETWORK',
      message: expect.stringContaining('forge.invalid'),
      hint: expect.stringContaining('DNS'),
    });
  });

  test('a proxy in between that refuses is named', async () => {
    const proxy = createServer();
    proxy.on('connect', (_, client) => client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'));
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    await prepare({ hub: hub({ url: 'https://forge.invalid/api/v3' }) });
    const address = `http://me:hidden@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const error = await refusal({ HTTPS_PROXY: address });
    expect(error).toMatchObject({ code: 'E_NETWORK', hint: expect.stringContaining('HTTPS_PROXY') });
    expect(said).not.toContain('hidden');
    proxy.close();
  });

  test('an asset above the limit of the forge', async () => {
    gitea.state.settings.maxSize = 1;
    await prepare({ forge: forge() }, randomBytes(1_500_000).toString('base64'));
    expect(await refusal()).toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringMatching(/takes attachments of at most|takes no/) });
    expect(writes()).toEqual([]);
  });

  test.skipIf(process.getuid?.() !== 0)('a disk that is too small for the release', async (context) => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'pipe' });
    } catch {
      return context.skip('this machine lets nobody mount');
    }
    mounted.push(disk);
    await prepare({ local: { type: 'folder', path: join(disk, 'releases') } }, 'x'.repeat(100));
    expect(await refusal()).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('left'),
      hint: expect.stringContaining('room'),
    });
    expect(execFileSync('ls', ['-A', disk], { encoding: 'utf8' })).toBe('');
  });

  test('several hosts tell everything that is wrong at once', async () => {
    github.state.settings.archived = true;
    gitea.state.settings.archived = true;
    await prepare({ hub: hub(), forge: forge() });
    const error = await refusal();
    expect(error.code).toBe('E_PREFLIGHT');
    expect(error.message).toMatch(/hub: .*\n\s+forge: /s);
    expect(writes()).toEqual([]);
  });
});

describe('through a proxy', () => {
  test('the forge is asked, and an error behind it is the forge’s own', async () => {
    const tunnels: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, client) => {
      tunnels.push(request.url ?? '');
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.end('no TLS here');
      client.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    await prepare({ hub: hub({ url: 'https://forge.invalid/api/v3' }) });
    const error = await refusal({ HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
    expect(tunnels).toContain('forge.invalid:443');
    expect(error).toMatchObject({ code: 'E_NETWORK', message: expect.stringContaining('forge.invalid: it does not speak TLS') });
    proxy.close();
  });
});
