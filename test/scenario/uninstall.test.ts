// Taking a product off a machine. Rule: what is left is compared with what was there before, file by file and container by container.
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { recover } from '../../src/commands/operator/recover.ts';
import { status } from '../../src/commands/operator/status.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { failure } from '../failure.ts';
import { isEffect } from '../fakes/engine.ts';
import { type InstallStage, imageOf, makeInstallStage } from '../fakes/install-stage.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';

let stage: InstallStage;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0');
  await stage.install();
});

const names = (): string[] => [...stage.engine.state().containers.values()].map(({ name }) => name);
const images = (): string[] => [...stage.engine.state().images.keys()];
const environment = (): Promise<string> => readFile(join(stage.root, '.env'), 'utf8');

async function makeItMine(): Promise<void> {
  await writeFile(join(stage.root, 'configs/api.conf'), 'my own\n');
  await writeFile(join(stage.root, 'notes.txt'), 'mine\n');
  await writeFile(join(stage.root, 'data/uploads/picture'), 'a picture\n');
}

describe('uninstall', () => {
  test('keeps data, settings, backups and what is the person’s, removes all else, and says so before and after', async () => {
    await makeItMine();
    const secrets = await environment();
    const planned = await stage.run(uninstall, { plan: true });
    expect(planned.text).toContain('goes: the container acme-api-1');
    expect(planned.text).toContain('stays: the volume acme_pgdata, with its data');
    expect(planned.text).toContain(`stays: ${stage.root}/configs/api.conf: it is yours`);
    expect(names()).toHaveLength(2);
    const done = await stage.run(uninstall, { yes: true });
    expect(done.fields).toMatchObject({ outcome: 'uninstalled', version: '1.0.0', folder: stage.root });
    expect(done.text).toContain('uninstall --purge-data');
    expect({ names: names(), images: images(), networks: [...stage.engine.state().networks.keys()] }).toEqual({
      names: [],
      images: [],
      networks: [],
    });
    expect([...stage.engine.state().volumes.keys()]).toEqual(['acme_pgdata']);
    expect((await readdir(stage.root)).sort()).toEqual(['.env', '.slipway', 'configs', 'data', 'notes.txt']);
    expect(await readdir(join(stage.root, 'configs'))).toEqual(['api.conf']);
    expect(await readFile(join(stage.root, 'data/uploads/picture'), 'utf8')).toBe('a picture\n');
    expect(await environment()).toBe(secrets);
    expect(existsSync(join(stage.bin, 'acmectl'))).toBe(false);
  });

  test('is told by every other command, and a second one has nothing to do', async () => {
    await stage.run(uninstall, { yes: true });
    expect(await failure(stage.run(status))).toMatchObject({ code: 'E_NO_INSTALL', message: expect.stringContaining('was uninstalled') });
    expect((await stage.run(uninstall, { yes: true })).fields).toMatchObject({ outcome: 'nothing' });
  });

  test('leaves what a later install takes up: secrets, project and volumes are the same', async () => {
    const secrets = await environment();
    await stage.run(uninstall, { yes: true });
    expect((await stage.install()).fields).toMatchObject({ outcome: 'installed' });
    expect(await environment()).toContain(/DB_PASSWORD=.*/.exec(secrets)?.[0] ?? 'no secret');
    expect([...stage.engine.state().volumes.keys()]).toEqual(['acme_pgdata']);
    expect((await stage.run(status, { offline: true })).fields).toMatchObject({ version: '1.0.0', localEdits: [] });
  });

  test('leaves data that a later install without its secret, or under another project name, is refused', async () => {
    const settings = join(stage.root, '.env');
    const secrets = await environment();
    await stage.run(uninstall, { yes: true });
    const other = await failure(stage.install({ project: 'acme2' }));
    expect(other).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('compose project acme; as acme2 it would start empty'),
    });
    await rename(settings, join(stage.place, 'kept.env'));
    expect(await failure(stage.install())).toMatchObject({ code: 'E_POLICY', message: expect.stringContaining('DB_PASSWORD') });
    await writeFile(settings, secrets.replace(/DB_PASSWORD=.*/, 'DB_PASSWORD=another-one-entirely'));
    expect(await failure(stage.install())).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('not what the data was made with'),
    });
    expect(names()).toEqual([]);
    await rename(join(stage.place, 'kept.env'), settings);
    expect((await stage.install()).fields).toMatchObject({ outcome: 'installed' });
  });

  test('a failed later install leaves what was kept', async () => {
    await stage.run(uninstall, { yes: true });
    const before = await readFile(join(stage.root, '.slipway/install.json'), 'utf8');
    const client = stage.engine.client();
    const broken = await failure(
      stage.install(
        {},
        { run: async (argv, options) => (argv.includes('up') ? { code: 1, stdout: '', stderr: 'no' } : client(argv, options)) },
      ),
    );
    expect(broken.code).toBe('E_STEP_FAILED');
    expect(await readFile(join(stage.root, '.slipway/install.json'), 'utf8')).toBe(before);
    expect((await stage.install()).fields).toMatchObject({ outcome: 'installed' });
  });

  test('without a terminal and without --yes changes nothing', async () => {
    expect(await failure(stage.run(uninstall))).toMatchObject({ code: 'E_NOT_CONFIRMED' });
    expect(names()).toHaveLength(2);
  });
});

describe('uninstall --purge-data', () => {
  test('asks for the product’s name, and anything else changes nothing', async () => {
    const terminal = scriptedTerminal(['yes']);
    const refused = await failure(stage.run(uninstall, { 'purge-data': true, yes: true }, { terminal }));
    expect(refused).toMatchObject({ code: 'E_NOT_CONFIRMED', message: expect.stringContaining('not the product’s name') });
    expect(terminal.shown()).toContain('the volume acme_pgdata, with its data');
    expect(await failure(stage.run(uninstall, { data: true, yes: true }))).toMatchObject({
      code: 'E_NOT_CONFIRMED',
      hint: expect.stringContaining('--confirm acme'),
    });
    expect(await failure(stage.run(uninstall, { data: true, yes: true, confirm: 'acme2' }))).toMatchObject({ code: 'E_NOT_CONFIRMED' });
    expect(names()).toHaveLength(2);
  });

  test('then removes everything that is the product’s, and nothing else', async () => {
    await makeItMine();
    const terminal = scriptedTerminal(['acme', 'y']);
    const done = await stage.run(uninstall, { 'purge-data': true }, { terminal });
    expect(done.fields).toMatchObject({ outcome: 'purged' });
    const { containers, volumes, networks } = stage.engine.state();
    expect([containers.size, volumes.size, networks.size, images().length]).toEqual([0, 0, 0, 0]);
    expect(await readdir(stage.root)).toEqual(['notes.txt']);
  });

  test('removes the folder too when nothing else is in it; after an ordinary uninstall as well', async () => {
    await stage.run(uninstall, { yes: true });
    await stage.run(uninstall, { 'purge-data': true, yes: true, confirm: 'acme' });
    expect(existsSync(stage.root)).toBe(false);
    expect(stage.engine.state().volumes.size).toBe(0);
  });
});

describe('what is not ours', () => {
  test('stays: another instance of the product, the images it uses, and images that were here before', async () => {
    const second = join(stage.place, 'second');
    expect(await failure(stage.install({ dir: second }))).toMatchObject({
      code: 'E_PROJECT_ELSEWHERE',
      message: expect.stringContaining(`belongs to ${stage.root}`),
    });
    expect(await failure(stage.install({ project: 'acme2' }))).toMatchObject({ hint: expect.stringContaining('--project acme2 --dir') });
    await stage.install({ dir: second, project: 'acme2', set: ['PORT=18081'] });
    expect(names().sort()).toEqual(['acme-api-1', 'acme-db-1', 'acme2-api-1', 'acme2-db-1']);
    const done = await stage.run(uninstall, { yes: true });
    expect(done.text).toContain('the container acme2-');
    expect(names().sort()).toEqual(['acme2-api-1', 'acme2-db-1']);
    expect(images()).toContain(imageOf('api').pinned);
    expect((await stage.run(status, { dir: second, offline: true })).text).toContain('all well');
    await stage.run(uninstall, { dir: second, yes: true, 'purge-data': true, confirm: 'acme' });
    expect([...stage.engine.state().volumes.keys()]).toEqual(['acme_pgdata']);
  });

  test('stays: an image that was pulled before the product came', async () => {
    await stage.run(uninstall, { yes: true, 'purge-data': true, confirm: 'acme' });
    await stage.engine.client()(['docker', 'pull', '--quiet', imageOf('db').pinned], { env: {} });
    await stage.install();
    await stage.run(uninstall, { yes: true, 'purge-data': true, confirm: 'acme' });
    expect(images()).toEqual([imageOf('db').pinned]);
  });

  test('stays: a command of that name that starts something else by now', async () => {
    await writeFile(join(stage.bin, 'acmectl'), '#!/bin/sh\necho mine\n');
    await stage.run(uninstall, { yes: true });
    expect(await readFile(join(stage.bin, 'acmectl'), 'utf8')).toContain('mine');
  });

  test('stops the uninstall: containers of the project that belong to another folder', async () => {
    const other = join(stage.place, 'other');
    for (const container of stage.engine.state().containers.values())
      Object.assign(container.labels, { 'com.docker.compose.project.working_dir': other });
    expect(await failure(stage.run(uninstall, { yes: true }))).toMatchObject({
      code: 'E_PROJECT_ELSEWHERE',
      message: expect.stringContaining(other),
    });
    expect(names()).toHaveLength(2);
  });
});

describe('uninstall cut off', () => {
  test.each([false, true])('at any effect (purge: %s) ends after recover at all or nothing, and can be run again', async (purge) => {
    const flags = purge ? { yes: true, 'purge-data': true, confirm: 'acme' } : { yes: true };
    const snapshot = stage.engine.snapshot();
    const aside = join(stage.place, 'aside');
    await copyTree(stage.root, aside);
    const outcomes = new Set<unknown>();
    for (let fatal = 1; ; fatal += 1) {
      stage.engine.restore(snapshot);
      await copyTree(aside, stage.root);
      let effects = 0;
      const client = stage.engine.client();
      const ended = stage.run(uninstall, flags, {
        run: async (argv, options) => {
          effects += isEffect(argv) ? 1 : 0;
          if (isEffect(argv) && effects >= fatal) throw new Error('killed');
          return client(argv, options);
        },
      });
      const result = await ended.then(
        () => 'done',
        () => 'cut off',
      );
      if (result === 'done') break;
      if (existsSync(join(stage.root, '.slipway/journal.ndjson'))) outcomes.add((await stage.run(recover)).fields.outcome);
      const present = names().length;
      expect([0, 2]).toContain(present);
      await stage.run(uninstall, flags);
      expect(names()).toEqual([]);
      expect(stage.engine.state().volumes.size).toBe(purge ? 0 : 1);
      expect(existsSync(stage.root)).toBe(!purge);
    }
    expect(outcomes.size).toBeGreaterThan(0);
  });
});

async function copyTree(from: string, to: string): Promise<void> {
  const { cp, rm } = await import('node:fs/promises');
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  await cp(from, to, { recursive: true });
}
