// publish, reserve, verify and keys as a maintainer calls them.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import type { Handlers } from '../../src/apply/handler.ts';
import { beginJournal } from '../../src/apply/journal.ts';
import { releaseSteps } from '../../src/apply/steps/release.ts';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { keys as keysCommand } from '../../src/commands/slipway/keys.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { reserve } from '../../src/commands/slipway/reserve.ts';
import { verify } from '../../src/commands/slipway/verify.ts';
import { digestOf } from '../../src/model/digest.ts';
import { exitCodeOf } from '../../src/model/error.ts';
import type { Event } from '../../src/model/event.ts';
import type { World } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { type BuiltRelease, buildRelease, makeKeys, planRelease, quietWorld, siteOf } from '../fakes/release-builder.ts';

const keys = makeKeys();
let folder: string;
let workspace: string;
let host: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  host = join(folder, 'host');
  await makeWorkspace(workspace);
});

async function makeWorkspace(root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  channels: { stable: {}, staging: { prerelease: staging } }
  publicKey: ${keys.publicKey}
  hosts: { local: { type: folder, path: ../host } }
  publishTo: [local]
`;
  await writeFile(join(root, 'slipway.yaml'), yaml);
}

function run(
  command: Command,
  flags: Record<string, string | boolean>,
  more: { positionals?: string[]; world?: Partial<World>; root?: string } = {},
): Promise<CommandResult> {
  const env = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText };
  const world = quietWorld({ env, run: runProgram, ...more.world });
  const known = 'config' in command.flags ? { config: join(more.root ?? workspace, 'slipway.yaml') } : {};
  const confirmed = 'yes' in command.flags ? { yes: true } : {};
  return command.run({
    world,
    flags: { ...known, ...confirmed, ...flags },
    positionals: more.positionals ?? [],
    program: 'slipway',
    file: import.meta.filename,
  });
}

/** A publisher whose process ends right before it changes the channel; its journal stays open. */
async function cutOffBeforeTheChannel(built: BuiltRelease): Promise<void> {
  const { plan } = await planRelease(built, host);
  const { id, operation, command } = plan;
  const head = { type: 'slipway/journal@1', id, operation, command, operator: digestOf('me'), at: '2026-03-15T10:00:00Z', plan } as const;
  const journal = await beginJournal(workspace, head);
  await new Promise<void>((resolve) => {
    const dying = { done: async () => false, run: () => new Promise(() => resolve()) };
    const handlers = { ...releaseSteps, 'put-channel': dying } as unknown as Handlers;
    void applyPlan({ journal, handlers, site: siteOf(built) });
  });
}

async function refusal(
  promise: Promise<unknown>,
): Promise<{ code: string; exit: number; message: string; details: Record<string, unknown> }> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { code, message, details } = error as { code: string; message: string; details: Record<string, unknown> };
  return { code: code ?? String(error), exit: exitCodeOf(error), message, details };
}

function commitAll(root: string, tag?: string): string {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example', ...args], { cwd: root, encoding: 'utf8' });
  git('init', '-q');
  git('add', 'slipway.yaml');
  git('commit', '-q', '--allow-empty', '-m', 'x');
  if (tag !== undefined) git('tag', tag);
  return git('rev-parse', 'HEAD').trim();
}

describe('publish', () => {
  test('publishes a packed release, and says so a second time without a change', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    const url = `file://${host}/releases/v1.0.0`;
    expect((await run(publish, { tag: 'v1.0.0' })).fields).toEqual({
      version: '1.0.0',
      tag: 'v1.0.0',
      hosts: [{ name: 'local', outcome: 'published', url }],
    });
    expect((await run(publish, { tag: 'v1.0.0' })).fields.hosts).toEqual([{ name: 'local', outcome: 'already-published', url }]);
    const left = await readdir(join(workspace, '.slipway'));
    for (const name of ['lock', 'journal.ndjson']) expect(left).not.toContain(name);
  });

  test('shows its plan and touches nothing', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    const { fields, exit } = await run(publish, { tag: 'v1.0.0', plan: true, 'exit-code': true });
    expect(fields.plan).toMatchObject({
      command: 'publish',
      steps: expect.arrayContaining([expect.objectContaining({ kind: 'put-channel' })]),
    });
    expect(exit).toBe(4);
    expect((await readdir(folder)).sort()).toEqual(['workspace']);
    expect((await readdir(workspace)).sort()).toEqual(['dist', 'slipway.yaml']);
  });

  test('refuses other content under a published version with exit 5, and changes nothing', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    await run(publish, { tag: 'v1.0.0' });
    const before = await readFile(join(host, 'channels/stable.signed.json'), 'utf8');
    const other = join(folder, 'other');
    await makeWorkspace(other);
    await buildRelease({ workspace: other, version: '1.0.0', keys, files: { VERSION: 'other\n' } });
    expect(await refusal(run(publish, { tag: 'v1.0.0' }, { root: other }))).toMatchObject({ code: 'E_PUBLISHED_DIFFERS', exit: 5 });
    expect(await readFile(join(host, 'channels/stable.signed.json'), 'utf8')).toBe(before);
  });

  test('takes the tag on HEAD, and refuses a release packed from another commit', async () => {
    const commit = commitAll(workspace, 'v1.0.0');
    await buildRelease({ workspace, version: '1.0.0', keys, manifest: { commit: 'ffffffffffffffffffffffffffffffffffffffff' } });
    expect(await refusal(run(publish, {}))).toMatchObject({ code: 'E_NOT_PACKED', exit: 2 });
    const other = join(folder, 'again');
    await makeWorkspace(other);
    await buildRelease({ workspace: other, version: '1.0.0', keys, manifest: { commit } });
    execFileSync('sh', ['-c', `rm -r dist && cp -r ${other}/dist .`], { cwd: workspace });
    expect((await run(publish, {})).fields).toMatchObject({ tag: 'v1.0.0', hosts: [{ outcome: 'published' }] });
  });

  test('refuses a snapshot, and a tag that is on another commit than HEAD', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys, channel: 'snapshot' });
    expect(await refusal(run(publish, { tag: 'v1.0.0' }))).toMatchObject({ code: 'E_DIRTY', exit: 2 });
    commitAll(workspace, 'v1.1.0');
    const commit = commitAll(workspace);
    await buildRelease({ workspace, version: '1.1.0', keys, manifest: { commit } });
    expect(await refusal(run(publish, { tag: 'v1.1.0' }))).toMatchObject({ code: 'E_NOT_PACKED', exit: 2 });
    expect((await readdir(folder)).sort()).toEqual(['workspace']);
  });

  test('leaves a channel file beside the signed one that the real minisign accepts', async (context) => {
    if (!existsSync('/usr/bin/minisign')) return context.skip();
    await buildRelease({ workspace, version: '1.0.0', keys });
    await run(publish, { tag: 'v1.0.0' });
    const file = join(host, 'channels/stable.json');
    const said = execFileSync('minisign', ['-V', '-m', file, '-P', keys.publicKey], { encoding: 'utf8' });
    expect(said).toContain(`slipway channel acme stable ${digestOf(await readFile(file)).slice(7)}`);
  });

  test('names what is missing: a tag, a packed release, a host, the key', async () => {
    expect(await refusal(run(publish, {}))).toMatchObject({ code: 'E_USAGE', exit: 2 });
    expect(await refusal(run(publish, { tag: '1.0.0' }))).toMatchObject({ code: 'E_USAGE', exit: 2 });
    expect(await refusal(run(publish, { tag: 'v1.0.0', plan: true }))).toMatchObject({ code: 'E_NOT_PACKED', exit: 2 });
    await buildRelease({ workspace, version: '1.0.0', keys });
    expect(await refusal(run(publish, { tag: 'v1.0.0' }, { world: { env: {} } }))).toMatchObject({ code: 'E_CONFIG', exit: 2 });
    const env = { SLIPWAY_SECRET_KEY: makeKeys().secretKeyText };
    expect(await refusal(run(publish, { tag: 'v1.0.0' }, { world: { env } }))).toMatchObject({ code: 'E_CONFIG', exit: 2 });
    expect((await readdir(folder)).sort()).toEqual(['workspace']);
  });

  test('takes the secret key from a file, and never writes it anywhere', async () => {
    await writeFile(join(folder, 'secret.key'), keys.secretKeyText);
    await buildRelease({ workspace, version: '1.0.0', keys });
    await run(publish, { tag: 'v1.0.0', key: join(folder, 'secret.key') }, { world: { env: { PATH: process.env.PATH } } });
    const secret = keys.secretKeyText.split('\n')[1] ?? '';
    for (const path of await readdir(folder, { recursive: true })) {
      if (path === 'secret.key' || !(await stat(join(folder, path))).isFile()) continue;
      expect(await readFile(join(folder, path), 'utf8'), path).not.toContain(secret);
    }
  });

  test('finishes what was cut off before, then finds nothing to do', async () => {
    await cutOffBeforeTheChannel(await buildRelease({ workspace, version: '1.0.0', keys }));
    expect(await readdir(host)).not.toContain('channels');
    const notes: string[] = [];
    const report = (event: Event): void => void (event.type === 'note' && notes.push(event.text));
    const env = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText };
    expect((await run(publish, { tag: 'v1.0.0' }, { world: { env, report } })).fields.hosts).toMatchObject([
      { outcome: 'already-published' },
    ]);
    expect(notes).toEqual(['An earlier publish that was cut off was finished.']);
    expect(await readdir(join(host, 'channels'))).toContain('stable.signed.json');
  });
});

describe('reserve', () => {
  test('reserves a version for this workspace, again for the same, and not for another', async () => {
    expect((await run(reserve, { version: '1.0.0' })).fields).toEqual({
      version: '1.0.0',
      tag: 'v1.0.0',
      commit: null,
      outcome: 'reserved',
    });
    expect((await run(reserve, { version: '1.0.0' })).fields.outcome).toBe('already-yours');
    const other = join(folder, 'other');
    await makeWorkspace(other);
    expect(await refusal(run(reserve, { version: '1.0.0' }, { root: other }))).toMatchObject({ code: 'E_RESERVED_ELSEWHERE', exit: 5 });
    await buildRelease({ workspace: other, version: '1.0.0', keys });
    expect(await refusal(run(publish, { tag: 'v1.0.0' }, { root: other }))).toMatchObject({ code: 'E_RESERVED_ELSEWHERE', exit: 5 });
  });

  test('is the same for every attempt of one CI run', async () => {
    const ci = { GITHUB_ACTIONS: 'true', GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'acme/acme', GITHUB_RUN_ID: '123456' };
    const attempt = (n: string): Partial<World> => ({ env: { PATH: process.env.PATH, ...ci, GITHUB_RUN_ATTEMPT: n } });
    await run(reserve, { version: '1.0.0' }, { world: attempt('1') });
    const other = join(folder, 'other');
    await makeWorkspace(other);
    expect((await run(reserve, { version: '1.0.0' }, { root: other, world: attempt('2') })).fields.outcome).toBe('already-yours');
    expect(JSON.parse(await readFile(join(host, 'reservations/v1.0.0.json'), 'utf8'))).toMatchObject({
      by: 'ci:github:acme/acme:run:123456',
    });
  });

  test('refuses what is no version, or not of the channel', async () => {
    expect(await refusal(run(reserve, {}))).toMatchObject({ code: 'E_USAGE' });
    expect(await refusal(run(reserve, { version: 'v1' }))).toMatchObject({ code: 'E_USAGE' });
    expect(await refusal(run(reserve, { version: '1.0.0', channel: 'staging' }))).toMatchObject({ code: 'E_USAGE' });
    expect((await run(reserve, { version: '1.0.0-staging.1', channel: 'staging' })).fields.outcome).toBe('reserved');
  });
});

describe('verify', () => {
  const files = ['acme-bundle-1.0.0.tar.gz', 'bundle.json', 'SHA256SUMS'];

  test('says yes to everything that was published', async () => {
    const built = await buildRelease({ workspace, version: '1.0.0', keys });
    await run(publish, { tag: 'v1.0.0' });
    const channel = ['stable.signed.json', 'stable.json'].map((name) => join(host, 'channels', name));
    for (const file of [...files.map((name) => join(built.folder, name)), ...channel]) {
      expect((await run(verify, {}, { positionals: [file] })).fields).toEqual({ file, verified: true, key: keys.keyId, problems: [] });
    }
    expect((await run(verify, { key: keys.publicKey }, { positionals: channel, root: folder })).fields.files).toHaveLength(2);
  });

  test('says no to each, by name, when something about it is wrong', async () => {
    const { folder: packed } = await buildRelease({ workspace, version: '1.0.0', keys });
    const path = (name: string): string => join(packed, name);
    const no = async (name: string, flags = {}): Promise<unknown> => refusal(run(verify, flags, { positionals: [path(name)] }));
    const wrong = (code: string, exit = 5): object => ({ code, exit, details: expect.objectContaining({ verified: false }) });
    for (const name of files) expect(await no(name, { key: makeKeys().publicKey })).toMatchObject(wrong('E_SIGNATURE'));
    await writeFile(path('operator.js'), 'changed');
    expect(await no('SHA256SUMS')).toMatchObject(wrong('E_DIGEST'));
    await copyFile(path('SHA256SUMS.minisig'), path('bundle.json.minisig'));
    expect(await no('bundle.json')).toMatchObject(wrong('E_SIGNATURE'));
    const bytes = await readFile(path('acme-bundle-1.0.0.tar.gz'));
    await writeFile(path('acme-bundle-1.0.0.tar.gz'), bytes.subarray(0, bytes.length - 40));
    expect(await no('acme-bundle-1.0.0.tar.gz')).toMatchObject(wrong('E_ARCHIVE'));
    await writeFile(path('install.sh'), 'not signed');
    expect(await no('install.sh')).toMatchObject(wrong('E_UNSIGNED', 3));
    expect(await no('nothing')).toMatchObject({ code: 'E_USAGE', exit: 2 });
  });

  test('finds a bundle whose files are not those of its own signed manifest', async () => {
    const good = await buildRelease({ workspace, version: '1.0.0', keys });
    const files = good.manifest.files.map((file) => (file.path === 'VERSION' ? { ...file, mode: '0755' as const } : file)).slice(0, 2);
    const bad = await buildRelease({ workspace: join(folder, 'bad'), version: '1.0.0', keys, manifest: { files } });
    const result = await refusal(run(verify, {}, { positionals: [join(bad.folder, 'acme-bundle-1.0.0.tar.gz')] }));
    expect(result).toMatchObject({ code: 'E_DIGEST' });
    expect(result.message).toContain('VERSION has the mode 0644, not 0755');
    expect(result.message).toContain('acmectl is not in the manifest');
  });
});

describe('keys', () => {
  test('makes a private key file once, and shows the public half', async () => {
    const file = join(folder, 'slipway.key');
    const made = await run(keysCommand, { key: file }, { positionals: ['new'] });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const secret = (await readFile(file, 'utf8')).split('\n')[1] ?? '';
    expect(JSON.stringify(made)).not.toContain(secret);
    expect((await run(keysCommand, { key: file }, { positionals: ['show'] })).fields).toMatchObject({ publicKey: made.fields.publicKey });
    expect(await refusal(run(keysCommand, { key: file }, { positionals: ['new'] }))).toMatchObject({ code: 'E_CONFLICT' });
    expect((await readFile(file, 'utf8')).split('\n')[1]).toBe(secret);
  });

  test('shows the key of the environment, and says where one comes from when there is none', async () => {
    expect((await run(keysCommand, {}, { positionals: ['show'] })).fields).toEqual({ publicKey: keys.publicKey, keyId: keys.keyId });
    expect(await refusal(run(keysCommand, { key: join(folder, 'none') }, { positionals: ['show'] }))).toMatchObject({ code: 'E_CONFIG' });
    expect(await refusal(run(keysCommand, { key: join(folder, 'no/folder') }, { positionals: ['new'] }))).toMatchObject({
      code: 'E_USAGE',
    });
    expect(await refusal(run(keysCommand, {}, { positionals: ['newer'] }))).toMatchObject({ code: 'E_USAGE' });
  });
});
