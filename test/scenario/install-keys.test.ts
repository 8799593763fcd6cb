// An install over its product's change of keys, as a person calls it. Rule: what it trusts changes by the former key's word or by a person's, and by nothing else.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Command, CommandResult, Flags } from '../../src/commands/command.ts';
import { install } from '../../src/commands/operator/install.ts';
import { trust } from '../../src/commands/operator/trust.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { keys as keysCommand } from '../../src/commands/slipway/keys.ts';
import { publish } from '../../src/commands/slipway/publish.ts';
import { type InstallRecord, parseInstall } from '../../src/model/install.ts';
import { runProgram } from '../../src/world/run.ts';
import { fakeEngine } from '../fakes/engine.ts';
import { buildRelease, type Keys, makeKeys, quietWorld } from '../fakes/release-builder.ts';

const OPERATOR = '#!/usr/bin/env node\n// the operator of these releases\n';
const [first, second, third] = [makeKeys(), makeKeys(), makeKeys()];
let folder: string;
let root: string;
let host: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  [root, host] = [join(folder, 'acme'), join(folder, 'host')];
  await mkdir(join(folder, 'workspace'));
  await writeFile(join(folder, 'operator.js'), OPERATOR);
});

async function release(version: string, signer: Keys | null): Promise<void> {
  const workspace = join(folder, 'workspace');
  const publicKey = signer === null ? '' : `  publicKey: ${signer.publicKey}\n`;
  const settings = `  tag: v{version}\n${publicKey}  hosts: { local: { type: folder, path: ${host} } }\n  publishTo: [local]`;
  await writeFile(join(workspace, 'slipway.yaml'), `schema: 1\nproduct: acme\nrelease:\n${settings}\n`);
  const compose = 'name: acme\nservices:\n  web:\n    image: web\n';
  await buildRelease({ workspace, version, keys: signer, operator: OPERATOR, files: { 'docker-compose.yml': compose, VERSION: version } });
  await maintain(publish, { tag: `v${version}` }, signer === null ? {} : { SLIPWAY_SECRET_KEY: signer.secretKeyText });
}

function rotate(from: Keys, to: Keys): Promise<CommandResult> {
  return maintain(keysCommand, {}, { SLIPWAY_SECRET_KEY: from.secretKeyText, SLIPWAY_NEW_SECRET_KEY: to.secretKeyText }, ['rotate']);
}

function maintain(command: Command, flags: Flags, secrets: Record<string, string>, positionals: string[] = []): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH, ...secrets }, run: runProgram });
  const all = { config: join(folder, 'workspace/slipway.yaml'), yes: true, ...flags };
  return command.run({ world, flags: all, positionals, program: 'slipway', file: import.meta.filename });
}

function operate(command: Command, flags: Flags): Promise<CommandResult> {
  const world = quietWorld({ env: { PATH: process.env.PATH }, run: fakeEngine({ images: [], programs: {} }).client() });
  const all = { dir: root, yes: true, ...flags };
  return command.run({ world, flags: all, positionals: [], program: 'acmectl', file: join(folder, 'operator.js') });
}

const setUp = (key: Keys | null, version: string): Promise<CommandResult> =>
  operate(install, {
    ...{ 'no-start': true, product: 'acme', releases: [host], 'release-version': version },
    ...(key === null ? {} : { key: key.publicKey }),
  });
const goUp = (): Promise<CommandResult> => operate(upgrade, { 'no-start': true });

async function record(): Promise<InstallRecord> {
  return parseInstall(await readFile(join(root, '.slipway/install.json'), 'utf8'), 'install.json');
}

describe('an install', () => {
  test('upgrades over a change of keys, and remembers the new key and the one that led to it', async () => {
    await release('1.0.0', first);
    await setUp(first, '1.0.0');
    await rotate(first, second);
    await release('1.1.0', second);
    expect((await goUp()).fields).toMatchObject({ outcome: 'upgraded', to: '1.1.0' });
    expect((await record()).trust).toMatchObject({ key: second.publicKey, former: [first.publicKey], signed: true });
    await rm(join(host, 'keys'), { recursive: true }); // what was followed once is known
    await release('1.2.0', second);
    expect((await goUp()).fields).toMatchObject({ to: '1.2.0' });
  });

  test('that begins with the first key takes a release of before the change, and one of after it', async () => {
    await release('1.0.0', first);
    await rotate(first, second);
    await setUp(first, '1.0.0');
    expect(await record()).toMatchObject({ version: '1.0.0', trust: { key: second.publicKey, former: [first.publicKey] } });
    await release('1.1.0', second);
    expect((await goUp()).fields).toMatchObject({ to: '1.1.0' });
  });

  test('that was given a key which leads nowhere near the releases is not made', async () => {
    await release('1.0.0', first);
    await rotate(first, second);
    await expect(setUp(third, '1.0.0')).rejects.toMatchObject({ code: 'E_SIGNATURE' });
    expect(existsSync(root)).toBe(false);
  });

  test('is the same to the byte after a statement that it refuses', async () => {
    await release('1.0.0', first);
    await setUp(first, '1.0.0');
    await rotate(first, second);
    await release('1.1.0', second);
    const statement = join(host, 'keys', `${first.keyId}.json`);
    await writeFile(statement, (await readFile(statement, 'utf8')).replace(second.publicKey, third.publicKey));
    const before = await readFile(join(root, '.slipway/install.json'), 'utf8');
    await expect(goUp()).rejects.toMatchObject({ code: 'E_SIGNATURE', message: expect.stringContaining(first.keyId) });
    expect(await readFile(join(root, '.slipway/install.json'), 'utf8')).toBe(before);
    expect(await readFile(join(root, 'VERSION'), 'utf8')).toBe('1.0.0');
  });

  test('of an unsigned product knows no keys, and follows none', async () => {
    await release('1.0.0', null);
    await setUp(null, '1.0.0');
    await release('1.1.0', null);
    expect((await goUp()).fields).toMatchObject({ to: '1.1.0' });
    expect((await record()).trust).toMatchObject({ key: null, signed: false });
  });
});

describe('trust --key', () => {
  beforeEach(async () => {
    await release('1.0.0', first);
    await setUp(first, '1.0.0');
  });

  test('makes this install refuse what the former key signs, and take what the new one does', async () => {
    const { fields } = await operate(trust, { key: third.publicKey });
    expect(fields).toMatchObject({ outcome: 'trusted', keyId: third.keyId });
    expect(await record()).toMatchObject({ trust: { key: third.publicKey, former: [], signed: true } });
    expect((await record()).operations.at(-1)).toMatchObject({ command: 'trust', outcome: 'trusted' });
    await release('1.1.0', first);
    await expect(goUp()).rejects.toMatchObject({ code: 'E_SIGNATURE' });
    await rm(host, { recursive: true });
    await release('1.2.0', third); // the vendor begins anew
    expect((await goUp()).fields).toMatchObject({ to: '1.2.0' });
  });

  test('forgets the keys that led to the one that was lost', async () => {
    await rotate(first, second);
    await release('1.1.0', second);
    await goUp();
    await operate(trust, { key: third.publicKey });
    expect((await record()).trust.former).toEqual([]);
  });

  test('shows both keys before it changes anything', async () => {
    const before = await readFile(join(root, '.slipway/install.json'), 'utf8');
    const { text } = await operate(trust, { key: third.publicKey, plan: true });
    expect(text).toContain(first.keyId);
    expect(text).toContain(third.keyId);
    await expect(operate(trust, { key: third.publicKey, yes: false })).rejects.toMatchObject({ code: 'E_NOT_CONFIRMED' });
    expect(await readFile(join(root, '.slipway/install.json'), 'utf8')).toBe(before);
  });

  test('says which key is trusted, and does nothing for the same one', async () => {
    expect((await operate(trust, {})).fields).toEqual({ key: first.publicKey, keyId: first.keyId });
    expect((await operate(trust, { key: first.publicKey })).fields.outcome).toBe('unchanged');
    await expect(operate(trust, { key: 'RWnonsense' })).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  test('waits until an operation that was cut off is ended', async () => {
    const head = { type: 'slipway/journal@1', id: 'x', operation: 'x', command: 'upgrade', operator: `sha256:${'0'.repeat(64)}` };
    const plan = { schema: 1, id: 'x', operation: 'x', command: 'upgrade', basedOn: head.operator, steps: [], commitAfter: -1, notes: [] };
    await writeFile(join(root, '.slipway/journal.ndjson'), `${JSON.stringify({ ...head, at: '2026-03-15T10:00:00Z', plan })}\n`);
    await expect(operate(trust, { key: third.publicKey })).rejects.toMatchObject({ code: 'E_OPEN_OPERATION' });
    expect((await record()).trust.key).toBe(first.publicKey);
  });
});
