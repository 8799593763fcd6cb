// An install of older scripts is taken over. Rule: what ran goes on running, what lay there lies there; everything else is said before it is done.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { diff } from '../../src/commands/operator/diff.ts';
import { install } from '../../src/commands/operator/install.ts';
import { status } from '../../src/commands/operator/status.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Run } from '../../src/model/seams.ts';
import { matchesFingerprint } from '../../src/model/secret.ts';
import { failure } from '../failure.ts';
import { FOUND_ENV, type FoundInstall, foundInstall, NEXT_FILES, nextImages, RELEASE_FILES } from '../fakes/found-install.ts';
import { type InstallStage, imageOf, makeInstallStage } from '../fakes/install-stage.ts';

let stage: InstallStage;
let found: FoundInstall;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  found = foundInstall(stage);
  await stage.publish('1.0.0', {}, RELEASE_FILES);
  const { 'configs/more.conf': _, ...there } = RELEASE_FILES;
  await found.lay({ ...there, '.env': FOUND_ENV, 'configs/api.conf': 'edited\n', 'notes.txt': 'mine\n', 'data/uploads/a.png': 'a' });
  await found.up(['db', 'api']);
});

describe('an install of older scripts, with VERSION and compose file', () => {
  test('is taken over without a container, a file or a volume being touched, and a second time is nothing', async () => {
    const [running, files] = [found.containers(), found.tree()];
    const { fields, text } = await found.take();
    expect(fields).toMatchObject({ product: 'acme', version: '1.0.0', outcome: 'adopted', from: 'release', project: 'acme' });
    expect(text).toContain('nothing was restarted');
    expect([found.containers(), found.tree()]).toEqual([running, files]);
    const { project, volumes, secrets, folder, adopted } = await found.record();
    expect({ project, volumes, folder }).toEqual({ project: 'acme', volumes: { pgdata: 'acme_pgdata' }, folder: stage.root });
    expect(matchesFingerprint('old secret', secrets.DB_PASSWORD ?? { salt: '', fingerprint: '' })).toBe(true);
    expect(adopted).toMatchObject({ from: 'release', missing: ['acmectl', 'configs/more.conf'] });
    expect(await found.read('.slipway/releases/1.0.0/configs/api.conf')).toBe('shipped\n');
    expect(stage.engine.state().images.get('slipway.local/acme/api:1.0.0')).toBe(imageOf('api').id);
    expect(await readFile(join(stage.bin, 'acmectl'), 'utf8')).toContain(`# install folder: ${stage.root}\n`);
    expect((await found.take()).fields).toMatchObject({ outcome: 'installed-already' });
    expect((await stage.run(status, { offline: true })).text).toContain('all well');
    // What was never here was not removed by anybody.
    expect((await stage.run(diff)).fields.files).toMatchObject([{ path: 'configs/api.conf', change: 'edited', conflict: false }]);
  });

  test('is shown file by file and image by image first, and --plan leaves nothing behind', async () => {
    const [running, files] = [found.containers(), found.tree()];
    const { fields, text } = await found.take({ plan: true });
    expect(fields.files).toEqual(
      expect.arrayContaining([
        { path: 'configs/api.conf', state: 'edited' },
        { path: 'configs/more.conf', state: 'missing' },
        { path: 'docker-compose.yml', state: 'same' },
        { path: 'notes.txt', state: 'yours' },
      ]),
    );
    const same = (name: string): object => ({ name, state: 'same', found: imageOf(name).pinned });
    expect(fields.images).toEqual([same('db'), same('api')]);
    expect(text).toMatch(/Plan: adopt, 5 steps[\s\S]*VERSION says so; 2 of 2 images and 3 of 6 files[\s\S]*pgdata = acme_pgdata/);
    expect(text).toContain('notes.txt: yours only');
    expect(text).not.toContain('old secret');
    expect([found.containers(), found.tree()]).toEqual([running, files]);
    expect(await readdir(stage.root)).not.toContain('.slipway');
  });

  test('goes on to the next release with its edits, its rows and its own values, and gets what it never had', async () => {
    await found.take();
    await stage.publish('1.1.0', nextImages(), NEXT_FILES);
    expect((await stage.run(upgrade, { yes: true })).fields).toMatchObject({ from: '1.0.0', to: '1.1.0', outcome: 'upgraded' });
    expect(await found.read('configs/api.conf')).toBe('edited\n');
    expect(await found.read('configs/more.conf')).toBe('shipped anew\n');
    expect(await found.read('notes.txt')).toBe('mine\n');
    expect(await found.read('.env')).toContain(FOUND_ENV);
    expect(stage.engine.state().volumes.get('acme_pgdata')?.tree.get('rows')?.content).toBe('row 1');
    expect((await found.record()).adopted?.missing).toEqual([]);
  });

  test('is what `install` finds in its folder, too, and in the folder that it is called in', async () => {
    const running = found.containers();
    expect((await stage.install({ plan: true })).fields.plan).toMatchObject({ command: 'adopt' });
    const before = process.cwd();
    try {
      process.chdir(stage.root);
      const { fields } = await stage.run(install, { dir: '', yes: true, product: 'acme', releases: [stage.host] });
      expect(fields).toMatchObject({ outcome: 'adopted', folder: stage.root });
    } finally {
      process.chdir(before);
    }
    expect(found.containers()).toEqual(running);
    expect((await stage.install()).fields).toMatchObject({ outcome: 'installed-already', version: '1.0.0' });
  });

  test('is compared with the files that a release renders from its own values, too', async () => {
    const hostFiles = [{ path: 'configs/site.conf', template: 'templates/site.tmpl', mode: '0644' }];
    await stage.publish('1.0.5', { hostFiles }, { ...RELEASE_FILES, VERSION: '1.0.5\n', 'templates/site.tmpl': 'listen {{PORT}};\n' });
    await found.lay({ VERSION: '1.0.5\n', 'configs/site.conf': 'listen 19090;\n' });
    expect((await found.take()).fields.files).toContainEqual({ path: 'configs/site.conf', state: 'same' });
    await found.lay({ 'configs/site.conf': 'listen 19090; # mine\n' });
    expect((await stage.run(diff)).fields.files).toContainEqual(
      expect.objectContaining({ path: 'configs/site.conf', change: 'edited', conflict: false }),
    );
  });

  test('of another product is none of the business of an `install` that is called in its folder', async () => {
    const stranger = await makeInstallStage({ onTestFinished: () => undefined });
    const other = foundInstall(stranger);
    const compose = (RELEASE_FILES['docker-compose.yml'] ?? '').replace('name: acme', 'name: other');
    await other.lay({ 'docker-compose.yml': compose, '.env': FOUND_ENV });
    await other.up(['db']);
    const before = process.cwd();
    try {
      process.chdir(stranger.root);
      const refused = stranger.run(install, { dir: '', plan: true, product: 'acme', releases: [stage.host], 'release-version': '9.9.9' });
      expect(await failure(refused)).toMatchObject({ code: 'E_NOT_FOUND', message: expect.stringContaining('9.9.9') });
    } finally {
      process.chdir(before);
    }
  });

  test('that cannot be taken over to the end is as it was', async () => {
    const files = found.tree();
    const client = stage.engine.client();
    const run: Run = async (argv, options) =>
      argv[1] === 'tag' ? { code: 1, stdout: '', stderr: 'no space left' } : client(argv, options);
    expect(await failure(found.take({}, { run }))).toMatchObject({ code: 'E_STEP_FAILED', message: expect.stringContaining('as before') });
    expect(found.tree()).toBe(files);
    expect(await readdir(stage.root)).not.toContain('.slipway');
    expect(await readdir(stage.bin)).toEqual([]);
    expect([...stage.engine.state().images.keys()].some((name) => name.startsWith('slipway.local/'))).toBe(false);
  });

  test('can be uninstalled like any other, and keeps what was there before', async () => {
    await found.take();
    await stage.run(uninstall, { yes: true });
    expect(stage.engine.state().volumes.has('acme_pgdata')).toBe(true);
    expect(stage.engine.state().images.has(imageOf('api').pinned)).toBe(true);
    expect(await found.read('notes.txt')).toBe('mine\n');
  });

  test('whose settings lack what the release needs is told so, with the next step and without values', async () => {
    const compose = (RELEASE_FILES['docker-compose.yml'] ?? '').replace(':?set it', '-');
    await found.lay({ '.env': 'PORT=many\nDB_PASSWORD=\n', 'docker-compose.yml': compose });
    const { text } = await found.take({ plan: true });
    expect(text).toContain('DB_PASSWORD has no value in .env: write the one that is in use into .env');
    expect(text).toContain('PORT must be a port number from 1 to 65535 (.env); `configure --set PORT=VALUE` changes it');
    expect(text).not.toContain('many');
  });
});
