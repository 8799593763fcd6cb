// Secrets that are made from others, shown once, and rotated.
import { createHmac } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configure } from '../../src/commands/operator/configure.ts';
import { rotate } from '../../src/commands/operator/rotate.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { envValues, parseEnvFile } from '../../src/model/env-file.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';
import { type InstallStage, openInstallStage } from './install-stage.ts';

const ENV: Manifest['env'] = {
  LEVEL: { default: 'info' },
  JWT_SECRET: { secret: 'hex' },
  ANON_KEY: { secret: { jwt: 'JWT_SECRET', claims: { role: 'anon' }, expires: 3600 } },
  ADMIN_PASS: { secret: 'password', reveal: 'once' },
  ADMIN_HASH: { secret: { bcrypt: 'ADMIN_PASS' }, file: 'env/api.env' },
  DB_PASSWORD: { secret: 'password', immutable: true, rotate: { service: 'db', command: ['rotate-password'] } },
  DATA_KEY: { secret: 'hex', immutable: true },
};
let stage: InstallStage;
let refuses = false;
let insists: string | undefined;

beforeEach(async () => {
  [refuses, insists] = [false, undefined];
  stage = await openInstallStage({ refuses: () => refuses, insists: () => insists });
  await stage.release('1.0.0', ENV);
});
afterEach(() => stage.close());

async function values(): Promise<Record<string, string>> {
  const files = await Promise.all(['.env', 'env/api.env'].map((path) => stage.read(path)));
  return Object.fromEntries(files.flatMap((text) => [...envValues(parseEnvFile(text))]));
}

/** Every file below the install but its env files. */
async function everythingElse(): Promise<string> {
  const entries = await readdir(stage.root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !/(^|\/)(\.?env|api\.env)$/.test(join(entry.parentPath, entry.name)));
  return (await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')))).join('\n');
}

describe('a derived secret', () => {
  test('is made at install from what was generated or given', async () => {
    await stage.install({ set: ['ADMIN_PASS=correct horse'] });
    const { ANON_KEY = '', JWT_SECRET = '', ADMIN_HASH } = await values();
    const [head, body = '', signature] = ANON_KEY.split('.');
    expect(signature).toBe(createHmac('sha256', JWT_SECRET).update(`${head}.${body}`).digest('base64url'));
    expect(JSON.parse(Buffer.from(body, 'base64url').toString())).toMatchObject({ role: 'anon' });
    expect(ADMIN_HASH).toMatch(/^\$2b\$10\$.{53}$/);
    expect(stage.container('api').environment.ADMIN_HASH).toBe(ADMIN_HASH);
  });

  test('stays the same through other changes and upgrades, and is made again when its origin changes', async () => {
    await stage.install();
    const first = await values();
    await stage.operate(configure, { set: ['LEVEL=warn'] });
    await stage.release('2.0.0', { ...ENV, NEW: { default: 1 } });
    await stage.operate(upgrade);
    expect(await values()).toMatchObject({ ANON_KEY: first.ANON_KEY, ADMIN_HASH: first.ADMIN_HASH, NEW: '1' });
    const { fields } = await stage.operate(configure, { set: ['ADMIN_PASS=another'] });
    expect(fields.changed).toEqual(['ADMIN_PASS', 'ADMIN_HASH']);
    const last = await values();
    expect(last.ANON_KEY).toBe(first.ANON_KEY);
    expect(last.ADMIN_HASH).not.toBe(first.ADMIN_HASH);
  });

  test('is made again at the next change after its origin was edited by hand', async () => {
    await stage.install();
    const before = await values();
    await writeFile(join(stage.root, '.env'), (await stage.read('.env')).replace(/^JWT_SECRET=.*$/m, 'JWT_SECRET=by-hand'));
    const { fields } = await stage.operate(configure, { set: ['LEVEL=warn'] });
    expect(fields.changed).toEqual(['LEVEL', 'ANON_KEY']);
    expect((await values()).ANON_KEY).not.toBe(before.ANON_KEY);
    expect((await stage.operate(configure, { set: ['LEVEL=warn'] })).fields.outcome).toBe('unchanged');
  });

  test('that is new in a release is made at the upgrade, from the secret that is there', async () => {
    const { ANON_KEY: anon = {}, ...old } = ENV;
    await stage.close();
    stage = await openInstallStage();
    await stage.release('1.0.0', old);
    await stage.install();
    await stage.release('2.0.0', { ...old, ANON_KEY: anon });
    await stage.operate(upgrade);
    const { ANON_KEY = '', JWT_SECRET = '' } = await values();
    expect(ANON_KEY.split('.')[2]).toBe(
      createHmac('sha256', JWT_SECRET)
        .update(ANON_KEY.slice(0, ANON_KEY.lastIndexOf('.')))
        .digest('base64url'),
    );
  });
});

describe('a secret to be revealed', () => {
  test('is shown once, to the person at the terminal, and stands nowhere but in its env file', async () => {
    const terminal = scriptedTerminal([]);
    const reports: string[] = [];
    const result = await stage.install({}, { terminal, report: (event) => reports.push(JSON.stringify(event)) });
    const { ADMIN_PASS = '?', DB_PASSWORD = '?' } = await values();
    expect(terminal.shown().split(ADMIN_PASS)).toHaveLength(2);
    expect(terminal.shown()).not.toContain(DB_PASSWORD);
    for (const text of [JSON.stringify(result), reports.join('\n'), stage.words(), await everythingElse()])
      expect(text).not.toContain(ADMIN_PASS);
    const again = scriptedTerminal([]);
    await stage.operate(configure, { set: ['LEVEL=warn'] }, [], { terminal: again });
    expect(again.shown()).not.toContain(ADMIN_PASS);
  });

  test('is only named where nobody looks on, in JSON, and in a plan', async () => {
    const planned = scriptedTerminal([]);
    const plan = await stage.install({ plan: true }, { terminal: planned });
    expect(planned.shown() + JSON.stringify(plan)).not.toContain('ADMIN_PASS  ');
    const [nobody, json] = [scriptedTerminal(), scriptedTerminal([])];
    await stage.install({}, { terminal: nobody });
    const { ADMIN_PASS = '?' } = await values();
    expect(nobody.shown()).toContain('ADMIN_PASS was generated; it is in .env');
    expect(nobody.shown()).not.toContain(ADMIN_PASS);
    await stage.operate(rotate, { json: true }, ['ADMIN_PASS'], { terminal: json });
    expect(json.shown()).not.toContain((await values()).ADMIN_PASS);
  });

  test('that a person gave is not repeated to them', async () => {
    const terminal = scriptedTerminal([]);
    await stage.install({ set: ['ADMIN_PASS=my-own-choice'] }, { terminal });
    expect(terminal.shown()).not.toContain('my-own-choice');
  });
});

describe('rotate', () => {
  test('has the service take the new value, then writes it down and restarts what uses it', async () => {
    await stage.install();
    const [before, web, record] = [await values(), stage.container('web').id, await stage.record()];
    const { fields } = await stage.operate(rotate, {}, ['DB_PASSWORD']);
    const after = await values();
    expect(fields).toMatchObject({ outcome: 'rotated', name: 'DB_PASSWORD', derived: [] });
    expect(after).toEqual({ ...before, DB_PASSWORD: after.DB_PASSWORD });
    expect(after.DB_PASSWORD).not.toBe(before.DB_PASSWORD);
    expect([stage.password(), stage.container('api').environment.PASSWORD]).toEqual([after.DB_PASSWORD, after.DB_PASSWORD]);
    expect(stage.container('web').id).toBe(web);
    expect((await stage.record()).secrets.DB_PASSWORD).not.toEqual(record.secrets.DB_PASSWORD);
    await stage.operate(configure, { set: ['LEVEL=warn'] }); // the new one is the one that counts from now on
  });

  test('never puts a value into a command line, a journal, a plan or a result', async () => {
    await stage.install();
    const before = await values();
    const terminal = scriptedTerminal([]);
    const result = await stage.operate(rotate, {}, ['DB_PASSWORD'], { terminal });
    const after = await values();
    for (const secret of [before.DB_PASSWORD ?? '?', after.DB_PASSWORD ?? '?'])
      for (const text of [stage.words(), JSON.stringify(result), terminal.shown(), await everythingElse()])
        expect(text).not.toContain(secret);
  });

  test('changes nothing when the command refuses, and does not repeat what it said', async () => {
    await stage.install();
    const [before, api] = [await stage.read('.env'), stage.container('api').id];
    refuses = true;
    const error = await stage.operate(rotate, {}, ['DB_PASSWORD']).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'E_STEP_FAILED',
      details: { reason: expect.stringContaining('did not take DB_PASSWORD: exit code 3') },
    });
    expect(JSON.stringify(error) + String((error as Error).cause)).not.toContain('ALTER ROLE');
    expect(await stage.read('.env')).toBe(before);
    expect([stage.password(), stage.container('api').id]).toEqual([(await values()).DB_PASSWORD, api]);
  });

  test('goes back to the former value, in the service too, when the product is not well with the new one', async () => {
    await stage.install();
    const before = await values();
    insists = before.DB_PASSWORD;
    await expect(stage.operate(rotate, {}, ['DB_PASSWORD'])).rejects.toMatchObject({ code: 'E_STEP_FAILED' });
    expect([await values(), stage.password()]).toEqual([before, before.DB_PASSWORD]);
    expect(stage.container('api').environment.PASSWORD).toBe(before.DB_PASSWORD);
  });

  test('makes what is derived from a secret again', async () => {
    await stage.install();
    const before = await values();
    const { fields } = await stage.operate(rotate, {}, ['JWT_SECRET']);
    expect(fields).toMatchObject({ name: 'JWT_SECRET', derived: ['ANON_KEY'] });
    const after = await values();
    expect(after).toEqual({ ...before, JWT_SECRET: after.JWT_SECRET, ANON_KEY: after.ANON_KEY });
    expect(after.ANON_KEY).not.toBe(before.ANON_KEY);
  });

  test('shows what it would do, and does not do it', async () => {
    await stage.install();
    const before = await stage.read('.env');
    const { text } = await stage.operate(rotate, { plan: true }, ['DB_PASSWORD']);
    expect(text).toMatch(/Plan: rotate, .*db takes the new DB_PASSWORD into use \[db: rotate-password\]/s);
    expect(await stage.read('.env')).toBe(before);
  });

  test.each([
    [[], 'E_USAGE', /name of one secret/],
    [['LEVEL'], 'E_USAGE', /LEVEL is no secret/],
    [['ANON_KEY'], 'E_POLICY', /made from JWT_SECRET/],
    [['DATA_KEY'], 'E_POLICY', /cannot be rotated/],
  ])('refuses %j', async (names, code, message) => {
    await stage.install();
    await expect(stage.operate(rotate, {}, names)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('refuses while the service that must take the value does not run', async () => {
    await stage.install();
    const { stop } = await import('../../src/commands/operator/daily.ts');
    await stage.operate(stop);
    await expect(stage.operate(rotate, {}, ['DB_PASSWORD'])).rejects.toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('db does not run'),
    });
  });
});
