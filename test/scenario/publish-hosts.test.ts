// publish onto several hosts, as a draft, and in place of a published version, as a maintainer calls it.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { verify } from '../../src/commands/slipway/verify.ts';
import { parseChannel, parseSignedChannel } from '../../src/model/channel.ts';
import { measureFolder } from '../../src/world/folder-source.ts';
import { runProgram } from '../../src/world/run.ts';
import { buildRelease, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const keys = makeKeys();
let folder: string;
let workspace: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = await makeWorkspace('workspace');
});

async function makeWorkspace(name: string, more = ''): Promise<string> {
  const root = join(folder, name);
  await mkdir(root, { recursive: true });
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  publicKey: ${keys.publicKey}
  hosts:
    local: { type: folder, path: ${folder}/host }
    mirror: { type: folder, path: ${folder}/mirror }
  publishTo: [mirror, local]
  authority: local
${more}`;
  await writeFile(join(root, 'slipway.yaml'), yaml);
  return root;
}

function run(command: Command, flags: Record<string, string | boolean | string[]>, root = workspace): Promise<CommandResult> {
  const env = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText };
  const world = quietWorld({ env, run: runProgram });
  const all = { config: join(root, 'slipway.yaml'), ...('yes' in command.flags ? { yes: true } : {}), ...flags };
  return command.run({ world, flags: all, positionals: [], program: 'slipway', file: import.meta.filename });
}

const outcomes = (result: CommandResult): unknown =>
  (result.fields.hosts as { name: string; outcome: string }[]).map(({ name, outcome }) => `${name}: ${outcome}`);

const path = (...parts: string[]): string => join(folder, ...parts);

describe('two hosts', () => {
  test('get the same bytes and the same channel file, and say so the second time', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    expect(outcomes(await run(publish, { tag: 'v1.0.0' }))).toEqual(['local: published', 'mirror: published']);
    expect(await measureFolder(path('mirror/releases/v1.0.0'))).toEqual(await measureFolder(path('host/releases/v1.0.0')));
    for (const name of ['stable.signed.json', 'stable.json', 'stable.json.minisig']) {
      expect(await readFile(path('mirror/channels', name))).toEqual(await readFile(path('host/channels', name)));
    }
    expect(outcomes(await run(publish, { tag: 'v1.0.0' }))).toEqual(['local: already-published', 'mirror: already-published']);
  });

  test('a mirror gets nothing before its authority, and everything it missed after it', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    await expect(run(publish, { tag: 'v1.0.0', to: ['mirror'] })).rejects.toMatchObject({ code: 'E_POLICY' });
    expect(await readdir(folder)).not.toContain('mirror');
    await run(publish, { tag: 'v1.0.0', to: ['local'] });
    await buildRelease({ workspace, version: '1.1.0', keys });
    await run(publish, { tag: 'v1.1.0', to: ['local'] });
    expect(outcomes(await run(publish, { tag: 'v1.1.0', to: ['mirror'] }))).toEqual(['mirror: published']);
    expect(outcomes(await run(publish, { tag: 'v1.0.0', to: ['mirror'] }))).toEqual(['mirror: published']);
    expect(await readFile(path('mirror/channels/stable.signed.json'))).toEqual(await readFile(path('host/channels/stable.signed.json')));
  });

  test('that lost a file are found by name, and mended by publishing again', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    await run(publish, { tag: 'v1.0.0' });
    expect((await run(verify, { 'all-hosts': true, tag: 'v1.0.0' })).fields).toMatchObject({ verified: true, problems: [] });
    await writeFile(path('mirror/releases/v1.0.0/operator.js'), 'forged');
    await expect(run(verify, { 'all-hosts': true, tag: 'v1.0.0' })).rejects.toMatchObject({
      code: 'E_DIGEST',
      message: expect.stringContaining('mirror: operator.js'),
    });
    await rm(path('mirror'), { recursive: true });
    await run(publish, { tag: 'v1.0.0' });
    expect((await run(verify, { 'all-hosts': true, tag: 'v1.0.0' })).fields.verified).toBe(true);
  });

  test('an unknown host is refused before anything is written', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    await expect(run(publish, { tag: 'v1.0.0', to: ['lcoal'] })).rejects.toMatchObject({ code: 'E_CONFIG' });
    expect(await readdir(folder)).toEqual(['workspace']);
  });
});

describe('--draft', () => {
  test('uploads everything, shows nothing, and publish goes on with it without uploading again', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    expect(outcomes(await run(publish, { tag: 'v1.0.0', draft: true }))).toEqual(['local: drafted', 'mirror: drafted']);
    expect(await readdir(path('host'))).not.toContain('releases');
    const [draft = ''] = (await readdir(path('host'))).filter((name) => name.startsWith('.slipway-tmp-'));
    expect(draft).not.toBe('');
    expect(outcomes(await run(publish, { tag: 'v1.0.0' }))).toEqual(['local: published', 'mirror: published']);
    expect((await readdir(path('host'))).filter((name) => name.startsWith('.slipway-tmp-'))).toEqual([]);
  });
});

describe('--replace', () => {
  const other = { files: { VERSION: 'other\n' } };

  test('is refused unless the product allows it, and without a reason', async () => {
    await buildRelease({ workspace, version: '1.0.0', keys });
    const replace = { tag: 'v1.0.0', replace: true, reason: 'a wrong port' };
    await expect(run(publish, replace)).rejects.toMatchObject({ code: 'E_POLICY' });
    const allowing = await makeWorkspace('allowing', '  allowReplace: true\n');
    await expect(run(publish, { tag: 'v1.0.0', replace: true }, allowing)).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(run(publish, { tag: 'v1.0.0', reason: 'x' }, allowing)).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  test('gives the version other content on every host, keeps the old bytes, and the channel says it', async () => {
    const allowing = await makeWorkspace('allowing', '  allowReplace: true\n');
    const first = await buildRelease({ workspace, version: '1.0.0', keys });
    await run(publish, { tag: 'v1.0.0' });
    const second = await buildRelease({ workspace: allowing, version: '1.0.0', keys, ...other });
    await expect(run(publish, { tag: 'v1.0.0' }, allowing)).rejects.toMatchObject({ code: 'E_PUBLISHED_DIFFERS' });
    const replace = { tag: 'v1.0.0', replace: true, reason: 'a wrong port' };
    expect(outcomes(await run(publish, replace, allowing))).toEqual(['local: replaced', 'mirror: replaced']);
    const { payload } = parseSignedChannel(await readFile(path('mirror/channels/stable.signed.json'), 'utf8'), 'test');
    const [release] = parseChannel(payload, 'test').releases;
    expect(release).toMatchObject({
      manifest: second.manifestDigest,
      replaced: [expect.objectContaining({ manifest: first.manifestDigest })],
    });
    expect((await readdir(path('host/releases'))).some((name) => name.startsWith('.superseded-v1.0.0-'))).toBe(true);
    expect(outcomes(await run(publish, replace, allowing))).toEqual(['local: already-published', 'mirror: already-published']);
  });
});
