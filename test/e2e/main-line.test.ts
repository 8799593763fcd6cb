// The main job, end to end: publish, install with the one-liner, upgrade, and a bad release that undoes itself.
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKeyPair } from '../../src/model/minisign.ts';
import { addNote, type Installed, install, must, openStage, REPOSITORY, runningImages, type Stage } from './stage.ts';

let stage: Stage;
let acme: Installed;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1);
});

afterAll(async () => {
  await acme?.remove();
  await stage?.close();
});

describe('the main job', () => {
  test('the one-liner installs a running product without a terminal', async () => {
    acme = await install(stage, 'acme');
    const health = await acme.http('/api/health');
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ status: 'ok', version: '1.0.0' });
    expect((await stat(join(acme.root, '.env'))).mode & 0o777).toBe(0o600);
    const { result } = await acme.ctl('status');
    expect(result).toMatchObject({ ok: true, product: 'acme', version: '1.0.0', openOperation: null, localEdits: [] });
  });

  test('what runs is what was published: every image by its digest', async () => {
    const manifest = JSON.parse(await readFile(join(acme.root, 'bundle.json'), 'utf8')) as {
      images: { reference: string; digest: string }[];
    };
    const pinned = manifest.images.map((image) => `${image.reference}@${image.digest}`);
    for (const image of Object.values(await runningImages('acme'))) expect(pinned).toContain(image);
  });

  test('a second run of the one-liner changes nothing', async () => {
    const { result, code } = await acme.ctl('install', '--product', 'acme', '--releases', stage.url, '--dir', acme.root);
    expect(code).toBe(0);
    expect(result.outcome).toBe('installed-already');
  });

  test('without a newer release an upgrade is one quiet line', async () => {
    const { result, code } = await acme.ctl('upgrade', '--yes');
    expect(code).toBe(0);
    expect(result).toMatchObject({ outcome: 'up-to-date', from: '1.0.0' });
  });

  test('--plan shows the upgrade and changes nothing', async () => {
    await addNote(acme, 'written in release 1');
    await stage.publish('2.0.0', 2);
    const before = await acme.dump();
    const { result, code } = await acme.ctl('upgrade', '--plan');
    expect(code).toBe(0);
    const plan = result.plan as { steps: { kind: string; why: string }[] };
    expect(plan.steps.map((step) => step.kind)).toContain('run-job');
    expect(plan.steps.every((step) => step.why !== '')).toBe(true);
    expect(await acme.dump()).toBe(before);
    expect((await acme.ctl('status')).result).toMatchObject({ version: '1.0.0', available: ['2.0.0'] });
  });

  test('the upgrade keeps the rows, migrates the schema and puts the changed proxy configuration in force', async () => {
    const { result, code, stderr } = await acme.ctl('upgrade', '--yes');
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ outcome: 'upgraded', from: '1.0.0', to: '2.0.0', path: ['2.0.0'] });
    expect(result.downtimeMs).toBeGreaterThan(0);
    const health = await acme.http('/api/health');
    expect(await health.json()).toMatchObject({ status: 'ok', version: '2.0.0' });
    expect(health.headers.get('x-acme-release')).toBe('2.0.0');
    expect(await acme.sql("select count(*) from notes where text = 'written in release 1'")).toBe('1');
    expect(await readFile(join(acme.root, '.env'), 'utf8')).toMatch(/^SESSION_SECRET=.+/m);
  });

  test('a bad release is taken back without a person, down to the last byte of the dump', async () => {
    await addNote(acme, 'written in release 2');
    await stage.publish('3.0.0', 3);
    const [dump, images, env] = [await acme.dump(), await runningImages('acme'), await readFile(join(acme.root, '.env'), 'utf8')];
    const { result, code } = await acme.ctl('upgrade', '--yes');
    expect(code).toBe(5);
    expect(result).toMatchObject({ ok: false, outcome: 'rolled-back', from: '2.0.0', to: '3.0.0', exit: 5 });
    expect(await acme.dump()).toBe(dump);
    expect(await runningImages('acme')).toEqual(images);
    expect(await readFile(join(acme.root, '.env'), 'utf8')).toBe(env);
    expect((await acme.http('/api/health')).status).toBe(200);
    expect((await acme.ctl('status')).result).toMatchObject({ version: '2.0.0', held: ['3.0.0'], openOperation: null });
  });

  test('a held version is not tried again by itself, and says how to', async () => {
    const { result, code } = await acme.ctl('upgrade', '--yes');
    expect(code).toBe(3);
    expect(String(result.hint)).toContain('--to 3.0.0');
  });

  test('restore goes back to release 1 on purpose and keeps what was there as a rescue backup', async () => {
    const { result, code, stderr } = await acme.ctl('restore', '--yes');
    expect(code, stderr).toBe(0);
    expect(result).toMatchObject({ outcome: 'restored', version: '1.0.0' });
    expect(await (await acme.http('/api/health')).json()).toMatchObject({ version: '1.0.0' });
    expect(await acme.sql('select string_agg(text, $$,$$) from notes')).toBe('written in release 1');
    const backups = (await acme.ctl('restore', '--list')).result.backups as { rescue: boolean; version: string }[];
    expect(backups.some((backup) => backup.rescue && backup.version === '2.0.0')).toBe(true);
  });

  test('a new signing key is followed, and a person can trust another one by hand', async () => {
    const [next, other] = [generateKeyPair(randomBytes), generateKeyPair(randomBytes)];
    const tree = join(stage.folder, 'source-3.0.0');
    const env = { ...stage.env, SLIPWAY_NEW_SECRET_KEY: next.secretKeyText };
    await must([process.execPath, join(REPOSITORY, 'dist/slipway.mjs'), 'keys', 'rotate', '--yes'], { cwd: tree, env });
    expect((await acme.ctl('status')).result).toMatchObject({ ok: true, version: '1.0.0', available: expect.arrayContaining(['2.0.0']) });
    const shown = await acme.ctl('trust', '--plan', '--key', publicKeyOf(other));
    expect(shown.result.plan).toMatchObject({ command: 'trust' });
    expect((await acme.ctl('trust', '--yes', '--key', publicKeyOf(other))).result).toMatchObject({
      outcome: 'trusted',
      keyId: other.keyId,
    });
    expect((await acme.ctl('trust')).result).toMatchObject({ keyId: other.keyId });
    const refused = await acme.ctl('upgrade', '--yes');
    expect([refused.code, refused.result.code]).toEqual([5, 'E_SIGNATURE']);
    expect((await acme.ctl('trust', '--yes', '--key', publicKeyOf(next))).code).toBe(0);
    expect((await acme.ctl('status')).result).toMatchObject({ ok: true, available: expect.arrayContaining(['2.0.0']) });
  });
});

function publicKeyOf({ publicKeyText }: { readonly publicKeyText: string }): string {
  return publicKeyText.trim().split('\n').at(-1) ?? '';
}
