// Looking after a real install: status, doctor, support bundle, a folder that moves, uninstall and what it keeps. Rule: a second install of the product stays untouched by all of it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addNote, freePort, type Installed, install, installedAt, openStage, type Ran, run, runningImages, type Stage } from './stage.ts';

let stage: Stage;
let one: Installed;
let two: Installed;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1);
  one = await install(stage, 'one', { project: 'house-one' });
  two = await install(stage, 'two', { project: 'house-two' });
  await addNote(one, 'kept through all of it');
});

afterAll(async () => {
  await one?.remove();
  await two?.remove();
  await stage?.close();
});

interface Finding {
  readonly severity: string;
  readonly code: string;
}

const worries = ({ result }: Ran): string[] =>
  (result.findings as Finding[]).filter(({ severity }) => severity !== 'info').map(({ code }) => code);
const notes = async (): Promise<string> => (await one.http('/api/notes')).text();

describe('a real install', () => {
  test('is found sound by doctor and status, and both name a service that is stopped by hand', async () => {
    expect(worries(await one.ctl('doctor'))).toEqual([]);
    expect((await run([join(one.root, 'acmectl'), 'status', '--offline'])).stdout).toContain(': all well\n');
    const [service = ''] = Object.keys(await runningImages('house-one')).filter((name) => name !== 'db');
    await one.compose('stop', service);
    expect(worries(await one.ctl('doctor'))).toContain('not-running');
    await one.ctl('start');
    expect(worries(await one.ctl('doctor'))).toEqual([]);
  });

  test('gives a support bundle without any of its secrets, with the logs of every service', async () => {
    const out = join(stage.folder, 'support.tar.gz');
    expect((await one.ctl('support-bundle', '--out', out)).result).toMatchObject({ ok: true, file: out });
    const bytes = gunzipSync(await readFile(out)).toString('latin1');
    const secrets = [
      ...(await readFile(join(one.root, '.env'), 'utf8')).matchAll(/^(\w*(?:PASSWORD|SECRET|KEY|TOKEN)\w*)=['"]?([^'"\n]{4,})/gm),
    ];
    expect(secrets.length).toBeGreaterThan(0);
    for (const [, , value = ''] of secrets) expect(bytes).not.toContain(value);
    const names = execFileSync('tar', ['tzf', out]).toString();
    for (const service of Object.keys(await runningImages('house-one'))) expect(names).toContain(`/logs/house-one-${service}-1.log`);
  });

  test('whose folder is moved is refused until relocate, and then serves the same data', async () => {
    const moved = join(stage.folder, 'moved');
    await rename(one.root, moved);
    one = installedAt(moved, one.port, one.project);
    expect((await one.ctl('status')).result).toMatchObject({ ok: false, code: 'E_POLICY' });
    expect((await one.ctl('relocate', '--yes')).result).toMatchObject({ ok: true, outcome: 'relocated' });
    expect(await notes()).toContain('kept through all of it');
  });
});

describe('uninstall on a real engine', () => {
  test('keeps the data, and a later install takes it up', async () => {
    const settings = await readFile(join(one.root, '.env'), 'utf8');
    expect((await one.ctl('uninstall', '--yes')).result).toMatchObject({ ok: true, outcome: 'uninstalled' });
    expect(await runningImages('house-one')).toEqual({});
    expect(existsSync(join(one.root, 'docker-compose.yml'))).toBe(false);
    expect(await readFile(join(one.root, '.env'), 'utf8')).toBe(settings);
    one = await install(stage, 'moved', { project: 'house-one', port: await freePort() });
    expect(await notes()).toContain('kept through all of it');
  });

  test('--purge-data leaves nothing of it, and the other install runs on', async () => {
    expect((await one.ctl('uninstall', '--purge-data', '--yes')).result).toMatchObject({ ok: false, code: 'E_NOT_CONFIRMED' });
    expect((await one.ctl('uninstall', '--purge-data', '--yes', '--confirm', 'acme')).result).toMatchObject({
      ok: true,
      outcome: 'purged',
    });
    for (const list of [
      ['ps', '--all', '--quiet'],
      ['volume', 'ls', '--quiet'],
      ['network', 'ls', '--quiet'],
    ]) {
      const { stdout } = await run(['docker', ...list, '--filter', 'label=com.docker.compose.project=house-one']);
      expect(stdout).toBe('');
    }
    expect(existsSync(one.root) ? await readdir(one.root) : []).toEqual([]);
    expect((await two.http('/api/health')).status).toBe(200);
    expect(worries(await two.ctl('doctor'))).toEqual([]);
  });
});
