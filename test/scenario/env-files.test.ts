// Variables that live in an env file of their own, from install to upgrade.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { type InstallStage, openInstallStage } from './install-stage.ts';

const FILE = 'env/api.env';
const ENV: Manifest['env'] = {
  DOMAIN: { default: 'acme.example' },
  LEVEL: { default: 'info' },
  DB_PASSWORD: { secret: 'password', immutable: true },
  API_TIMEOUT: { type: 'integer', default: 30, file: FILE, help: 'Seconds until a call is given up' },
  API_KEY: { secret: 'hex', immutable: true, file: FILE },
  API_URL: { default: 'https://api.{{DOMAIN}}/', file: FILE },
};
let stage: InstallStage;

beforeEach(async () => {
  stage = await openInstallStage();
  await stage.release('1.0.0', ENV);
});
afterEach(() => stage.close());

async function edit(path: string, change: (text: string) => string): Promise<void> {
  await writeFile(join(stage.root, path), change(await stage.read(path)));
}

describe('an env file beside .env', () => {
  test('is made at install, for its owner alone, and holds its variables and no others', async () => {
    await stage.install();
    expect(await stage.read(FILE)).toMatch(/# Seconds until a call is given up\nAPI_TIMEOUT=30\nAPI_URL=https:\/\/api\.acme\.example\/\n/);
    expect(await stage.read(FILE)).toMatch(/\nAPI_KEY=[0-9a-f]{64}\n/);
    expect(await stage.read('.env')).not.toMatch(/API_/);
    expect(await stage.mode(FILE)).toBe(0o600);
    expect(stage.container('api').environment).toMatchObject({ API_TIMEOUT: '30', API_URL: 'https://api.acme.example/' });
    expect((await stage.record()).secrets).toHaveProperty('API_KEY');
  });

  test('of an earlier install keeps its values, and its secret', async () => {
    await mkdir(join(stage.root, 'env'), { recursive: true });
    await writeFile(join(stage.root, FILE), '# mine\r\nAPI_KEY=kept\r\nMY_OWN=1\r\n');
    await stage.install();
    expect(await stage.read(FILE)).toMatch(/^# mine\r\nAPI_KEY=kept\r\nMY_OWN=1\r\n/);
    expect(stage.container('api').environment).toMatchObject({ API_KEY: 'kept', MY_OWN: '1', API_TIMEOUT: '30' });
  });

  test('goes with everything else when an install fails', async () => {
    await stage.release('1.1.0', ENV, {
      upgrade: { ...{ from: '*', stop: false, migrate: [], entry: [], timeout: 1, probation: 0 }, health: [{ tcp: '127.0.0.1:1' }] },
    });
    await expect(stage.install()).rejects.toMatchObject({ code: 'E_STEP_FAILED' });
    await expect(stage.read(FILE)).rejects.toThrow('ENOENT');
  });

  test('takes other answers, line by line, and only the service that reads it is made anew', async () => {
    await stage.install();
    await edit(FILE, (text) => `${text}\n# my own\nMINE='a b'\n`);
    await stage.operate(configure, { set: ['LEVEL=warn'] }); // what was edited by hand is in force
    const [before, web, db] = [await stage.read(FILE), stage.container('web').id, stage.container('db').id];
    const api = stage.container('api').id;
    const { fields } = await stage.operate(configure, { set: ['API_TIMEOUT=60'] });
    expect(fields).toMatchObject({ outcome: 'configured', changed: ['API_TIMEOUT'] });
    expect(await stage.read(FILE)).toBe(before.replace('API_TIMEOUT=30', 'API_TIMEOUT=60'));
    expect(stage.container('api').environment).toMatchObject({ API_TIMEOUT: '60', MINE: 'a b' });
    expect(stage.container('api').id).not.toBe(api);
    expect([stage.container('web').id, stage.container('db').id]).toEqual([web, db]);
  });

  test('is not touched, nor is its service, by a change that is none of its business', async () => {
    await stage.install();
    const api = stage.container('api').id;
    await stage.operate(configure, { set: ['LEVEL=warn'] });
    expect(stage.container('api').id).toBe(api);
    expect((await stage.operate(configure, { set: ['LEVEL=warn'] })).fields).toMatchObject({ outcome: 'unchanged' });
  });

  test('follows an upgrade: new lines come, renamed ones stay in place, removed ones are commented out, edits are kept', async () => {
    await stage.install();
    await edit(FILE, (text) => text.replace('API_TIMEOUT=30', 'API_TIMEOUT="45" # slow line'));
    const { API_TIMEOUT: timeout = {}, API_URL: _, ...rest } = ENV;
    await stage.release('2.0.0', { ...rest, API_LIMIT: { ...timeout, renamedFrom: 'API_TIMEOUT' }, API_NEW: { default: 'n', file: FILE } });
    await stage.operate(upgrade);
    const text = await stage.read(FILE);
    expect(text).toContain('API_LIMIT="45" # slow line\n');
    expect(text).toContain('# removed in 2.0.0\n# API_URL=https://api.acme.example/\n');
    expect(text).toMatch(/# Added in 2\.0\.0\nAPI_NEW=n\n$/);
    expect(await stage.mode(FILE)).toBe(0o600);
  });

  test('gives and takes variables that move between files, with their values', async () => {
    await stage.install();
    const key = /API_KEY=(\w+)/.exec(await stage.read(FILE))?.[1];
    await stage.operate(configure, { set: ['LEVEL=debug'] });
    await stage.release('2.0.0', { ...ENV, LEVEL: { default: 'info', file: FILE }, API_KEY: { secret: 'hex', immutable: true } });
    await stage.operate(upgrade);
    expect(await stage.read('.env')).toContain('# LEVEL moved to env/api.env in 2.0.0\n');
    expect(await stage.read('.env')).toMatch(new RegExp(`\\nAPI_KEY=${key}\\n`));
    expect(await stage.read(FILE)).toContain('\nLEVEL=debug\n');
    expect(await stage.read(FILE)).not.toContain(key);
    expect(stage.container('api').environment.LEVEL).toBe('debug');
  });

  test('comes back as it was with a backup', async () => {
    await stage.install();
    await edit(FILE, (text) => `${text}MINE=before\n`);
    const before = await stage.read(FILE);
    await stage.release('2.0.0', { ...ENV, API_NEW: { default: 'n', file: FILE } });
    await stage.operate(upgrade);
    expect(await stage.read(FILE)).not.toBe(before);
    await stage.operate(restore);
    expect(await stage.read(FILE)).toBe(before);
    expect(stage.container('api').environment.MINE).toBe('before');
  });

  test('stays behind an uninstall, whose data needs its secrets, and goes with the data', async () => {
    await stage.install();
    const key = /API_KEY=(\w+)/.exec(await stage.read(FILE))?.[1];
    await stage.operate(uninstall);
    expect(await stage.read(FILE)).toContain(`API_KEY=${key}`);
    await stage.install();
    expect(stage.container('api').environment.API_KEY).toBe(key);
    await stage.operate(uninstall, { 'purge-data': true, confirm: 'acme' });
    await expect(stage.read(FILE)).rejects.toThrow('ENOENT');
  });

  test('without its immutable secret stops everything, by its name', async () => {
    await stage.install();
    await rm(join(stage.root, FILE));
    await expect(stage.operate(configure, { set: ['LEVEL=warn'] })).rejects.toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('API_KEY'),
    });
  });
});

describe('an env file that would not be read the same by everybody', () => {
  test.each([
    ['bytes that are no UTF-8', Buffer.concat([Buffer.from('A=1\nB='), Buffer.from([0xe9, 0x0a])]), /\.env:2: this is not UTF-8/],
    ['a value of whoever runs the command', Buffer.from('A=1\n\nB=$HOME/x\n'), /\.env:3: HOME is taken from whoever/],
    ['a name that is taken from there', Buffer.from('A=1\nHTTPS_PROXY\n'), /\.env:2: HTTPS_PROXY is taken from whoever/],
  ])('is refused for %s, with its line', async (_, bytes, message) => {
    await mkdir(stage.root, { recursive: true });
    await writeFile(join(stage.root, '.env'), bytes);
    await expect(stage.install()).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/line \d/),
    });
  });
});
