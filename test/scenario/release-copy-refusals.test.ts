// What a copied history must never do: lose releases, name files that are not there, or pass on what nobody vouches for. Rule: said before the first write.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { keys as keysCommand } from '../../src/commands/slipway/keys.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { release } from '../../src/commands/slipway/release.ts';
import { type Channel, parseChannel, parseSignedChannel, printSignedChannel } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import type { Event } from '../../src/model/event.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { parseSecretKey } from '../../src/model/minisign.ts';
import { signStatement } from '../../src/model/trusted-comment.ts';
import { runProgram } from '../../src/world/run.ts';
import { buildRelease, type Keys, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const [keys, next] = [makeKeys(), makeKeys()];
let folder: string;
let workspace: string;
let said: Event[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  workspace = join(folder, 'workspace');
  said = [];
  await mkdir(workspace);
  await describeProduct('local');
  for (const version of ['1.0.0', '1.1.0']) await publishVersion(version);
});

const path = (...parts: string[]): string => join(folder, ...parts);

async function describeProduct(publishTo: string, publicKey = keys.publicKey): Promise<void> {
  const yaml = `schema: 1
product: acme
release:
  tag: v{version}
  publicKey: ${publicKey}
  channels: { stable: {}, staging: { prerelease: staging } }
  hosts:
    local: { type: folder, path: ${folder}/local }
    other: { type: folder, path: ${folder}/other }
  publishTo: [${publishTo}]
`;
  await writeFile(join(workspace, 'slipway.yaml'), yaml);
}

/** Packs and publishes a version to the host that decides. */
async function publishVersion(version: string, files?: Record<string, string>): Promise<void> {
  await rm(join(workspace, 'dist', `v${version}`), { recursive: true, force: true });
  await buildRelease({ workspace, version, keys, ...(files === undefined ? {} : { files }) });
  await run(publish, [], { tag: `v${version}` });
}

async function run(
  command: Command,
  positionals: string[],
  flags: Record<string, string | boolean | string[]> = {},
  env: Record<string, string> = {},
): Promise<CommandResult> {
  const all = { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText, ...env };
  const world = quietWorld({ env: all, run: runProgram, report: (event) => void said.push(event) });
  const given = { config: join(workspace, 'slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: given, positionals, program: 'slipway', file: import.meta.filename });
}

const copy = (from: string, to: string, flags: Record<string, string | boolean> = {}): Promise<CommandResult> =>
  run(release, ['copy'], { from, to: [to], ...flags });

function treeOf(host: string): string {
  return execFileSync('sh', ['-c', 'find . -type f | sort | xargs -r sha256sum'], { cwd: path(host), encoding: 'utf8' });
}

/** The copy is refused in this way, and the other host is as before. */
async function expectRefused(refusal: object): Promise<void> {
  const before = treeOf('other');
  await expect(copy('local', 'other')).rejects.toMatchObject(refusal);
  expect(treeOf('other')).toBe(before);
}

async function changeChannel(host: string, by: Keys, change: (channel: Channel) => object): Promise<void> {
  const file = path(host, 'channels/stable.signed.json');
  const channel = parseChannel(parseSignedChannel(await readFile(file, 'utf8'), file).payload, file);
  const payload = canonicalJson({ ...channel, ...change(channel) });
  const statement = { role: 'channel', product: 'acme', subject: 'stable', content: Buffer.from(payload) } as const;
  await writeFile(file, printSignedChannel(payload, signStatement(statement, parseSecretKey(by.secretKeyText))));
}

/** Gives a release at `local` another signature, as the genuine channel file names it. */
async function signManifest(version: string, by: Keys, content?: string): Promise<void> {
  const manifest = await readFile(path('local/releases', `v${version}`, 'bundle.json'), 'utf8');
  const statement = { role: 'bundle', product: 'acme', subject: version, content: Buffer.from(content ?? manifest) } as const;
  const minisig = signStatement(statement, parseSecretKey(by.secretKeyText));
  await writeFile(path('local/releases', `v${version}`, 'bundle.json.minisig'), minisig);
  const asset = { name: 'bundle.json.minisig', size: Buffer.byteLength(minisig), sha256: digestOf(minisig) };
  await changeChannel('local', keys, ({ releases }) => ({
    releases: releases.map((each) =>
      each.version === version ? { ...each, assets: each.assets.map((old) => (old.name === asset.name ? asset : old)) } : each,
    ),
  }));
}

describe('the other host', () => {
  test('that went on from the same history keeps its newer channel file, and there is nothing to do', async () => {
    await copy('local', 'other');
    await describeProduct('other');
    await publishVersion('2.0.0');
    const before = treeOf('other');
    const { fields } = await copy('local', 'other');
    expect(fields.channels).toEqual([{ name: 'stable', sequence: 3 }]);
    expect((await copy('local', 'other', { plan: true })).fields.plan).toMatchObject({ steps: [] });
    expect(treeOf('other')).toBe(before);
    expect((await copy('other', 'local')).fields).toMatchObject({ channels: [{ name: 'stable', sequence: 3 }] });
    expect(await readFile(path('local/channels/stable.signed.json'))).toEqual(await readFile(path('other/channels/stable.signed.json')));
  });

  test('with a release that the copied channel file would drop is left alone', async () => {
    await describeProduct('other');
    await publishVersion('9.0.0');
    await expectRefused({ code: 'E_POLICY', message: expect.stringContaining('other has 9.0.0 in it, and local has not') });
  });

  test('with more releases of its own than the copied history is left alone', async () => {
    await describeProduct('other');
    for (const version of ['7.0.0', '8.0.0', '9.0.0']) await publishVersion(version);
    await expectRefused({ code: 'E_POLICY', message: expect.stringContaining('local has 1.1.0 in it, and other has not') });
  });

  test('with another channel file of the same sequence is left alone', async () => {
    await copy('local', 'other');
    await changeChannel('other', keys, () => ({ moved: 'https://elsewhere.example' }));
    await expectRefused({ code: 'E_EQUIVOCATION' });
  });

  test('with the same manifest and other bytes beside it is left alone', async () => {
    await copy('local', 'other');
    await writeFile(path('other/releases/v1.0.0/operator.js'), 'other bytes');
    await expectRefused({ code: 'E_PUBLISHED_DIFFERS', message: expect.stringContaining('operator.js has other content') });
  });

  test('that lost its install.sh gets it back', async () => {
    await copy('local', 'other');
    const before = treeOf('other');
    await rm(path('other/install.sh'));
    await copy('local', 'other');
    expect(treeOf('other')).toBe(before);
  });
});

describe('what is copied', () => {
  test('can be one release, which brings no channel file with it', async () => {
    const { fields } = await copy('local', 'other', { only: '1.0.0' });
    expect(fields).toEqual({ releases: [{ version: '1.0.0', tag: 'v1.0.0', outcome: 'copied' }], channels: [] });
    expect([await readdir(path('other')), await readdir(path('other/releases'))]).toEqual([['releases'], ['v1.0.0']]);
    await expect(copy('local', 'other', { only: '1.0.1' })).rejects.toMatchObject({ code: 'E_NOT_FOUND', hint: 'Did you mean 1.0.0?' });
    expect((await copy('local', 'other', { resume: true })).fields.releases).toMatchObject([{ outcome: 'present' }, { outcome: 'copied' }]);
  });

  test('is of a channel and between hosts that exist', async () => {
    await expect(copy('local', 'other', { channel: 'stabel' })).rejects.toMatchObject({ code: 'E_USAGE', hint: 'Did you mean stable?' });
    await expect(copy('loca', 'other')).rejects.toMatchObject({ code: 'E_CONFIG', hint: expect.stringContaining('Did you mean local?') });
    expect((await copy('local', 'other', { channel: 'stable' })).fields.channels).toHaveLength(1);
  });

  test('carries what is said of a release along', async () => {
    await run(release, ['yank', '1.1.0'], { reason: 'loses uploads' });
    await copy('local', 'other');
    const { payload } = parseSignedChannel(await readFile(path('other/channels/stable.signed.json'), 'utf8'), 'test');
    expect(parseChannel(payload, 'test')).toMatchObject({ latest: '1.0.0', releases: [{ status: 'yanked', reason: 'loses uploads' }, {}] });
  });

  test('is not begun with a manifest whose signature is of something else', async () => {
    await signManifest('1.0.0', keys, 'something else');
    await mkdir(path('other'));
    await expectRefused({ code: 'E_SIGNATURE' });
  });

  test('can be a release by a lost key: its digest is signed, and its signature is said to be unknown', async () => {
    await signManifest('1.0.0', next);
    expect((await copy('local', 'other')).fields.releases).toMatchObject([{ outcome: 'copied' }, { outcome: 'copied' }]);
    const texts = said.map((event) => ('text' in event ? event.text : ''));
    expect(texts.filter((text) => text.includes(`v1.0.0 is signed by the key ${next.keyId}`))).toHaveLength(1);
  });

  test('is not begun with a key statement that was tampered with, nor over another one', async () => {
    await run(keysCommand, ['rotate'], {}, { SLIPWAY_NEW_SECRET_KEY: next.secretKeyText });
    await describeProduct('local', next.publicKey);
    await mkdir(path('other'));
    await cp(path('local'), path('genuine'), { recursive: true });
    const statement = path('local/keys', `${keys.keyId}.json`);
    await writeFile(statement, (await readFile(statement, 'utf8')).replace('"reason":', '"Reason":'));
    await expectRefused({ code: 'E_SIGNATURE' });
    await cp(path('genuine'), path('local'), { recursive: true });
    await mkdir(path('other/keys'));
    await writeFile(path('other/keys', `${keys.keyId}.json`), '{}');
    await expectRefused({ code: 'E_PUBLISHED_DIFFERS', message: expect.stringContaining('keys/') });
  });

  test('is a state that its channel file names, whatever is published meanwhile', async () => {
    await cp(path('local'), path('before'), { recursive: true });
    await publishVersion('2.0.0');
    await cp(path('local'), path('later'), { recursive: true });
    await cp(path('before/channels/stable.signed.json'), path('local/channels/stable.signed.json'));
    let once = true;
    const world = quietWorld({
      env: { PATH: process.env.PATH, SLIPWAY_SECRET_KEY: keys.secretKeyText },
      run: runProgram,
      report: (event) => {
        if (event.type !== 'step' || !once) return;
        once = false;
        execFileSync('cp', [path('later/channels/stable.signed.json'), path('local/channels/stable.signed.json')]);
      },
    });
    const flags = { config: join(workspace, 'slipway.yaml'), yes: true, from: 'local', to: ['other'] };
    await release.run({ world, flags, positionals: ['copy'], program: 'slipway', file: import.meta.filename });
    const { payload } = parseSignedChannel(await readFile(path('other/channels/stable.signed.json'), 'utf8'), 'test');
    const named = parseChannel(payload, 'test').releases.map(({ tag }) => tag);
    expect(named.sort()).toEqual((await readdir(path('other/releases'))).sort());
  });
});
