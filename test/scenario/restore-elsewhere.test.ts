// A backup brought up on a host that has nothing yet. Rule: as it was there, in its own volumes; what cannot be trusted is refused before anything changes, and what fails leaves nothing.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { status } from '../../src/commands/operator/status.ts';
import { failure } from '../failure.ts';
import { fakeEngine, isEffect } from '../fakes/engine.ts';
import { fileNode, treeText } from '../fakes/file-tree.ts';
import { type InstallStage, imageOf, makeInstallStage } from '../fakes/install-stage.ts';

let stage: InstallStage;
/** Another machine: its own folder and its own engine. */
let root: string;
let engine: ReturnType<typeof fakeEngine>;
let saved: string;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0');
  await stage.install({ set: ['DB_PASSWORD=of-the-old-host'] });
  await writeFile(join(stage.root, 'data/uploads/picture'), 'uploaded\n');
  await writeFile(join(stage.root, 'configs/api.conf'), 'edited there\n');
  await chmod(join(stage.root, 'configs/api.conf'), 0o640);
  await writeFile(join(stage.root, 'docker-compose.override.yml'), 'services:\n  api:\n    environment: { EXTRA: "1" }\n');
  const tree = stage.engine.state().volumes.get('acme_pgdata')?.tree;
  tree?.set('rows', fileNode('row 1\n', 0o600, 70)).set('rows.link', { kind: 'link', mode: 0o777, uid: 70, gid: 70, content: 'rows' });
  saved = await makeBackup();
  root = join(stage.place, 'elsewhere/acme');
  await mkdir(join(stage.place, 'elsewhere'));
  engine = fakeEngine({
    images: [imageOf('db'), imageOf('api')],
    programs: { db: { version: 'db' }, api: { version: 'api' } },
  });
});

async function makeBackup(flags = {}): Promise<string> {
  stage.engine.wait(60_000);
  const { fields } = await stage.run(backup, { yes: true, ...flags });
  const there = join(stage.place, 'brought', String(fields.backup).split('/').at(-1) ?? '');
  await cp(join(stage.root, String(fields.backup)), there, { recursive: true });
  return there;
}

const bringUp = (flags = {}, parts = {}) =>
  stage.install(
    { dir: root, restore: saved, ...flags },
    { run: engine.client(), env: { ...stage.env, DOCKER_CONTEXT: 'elsewhere' }, sleep: async (ms: number) => engine.wait(ms), ...parts },
  );
const dataOf = (from: ReturnType<typeof fakeEngine>, name: string): string => treeText(from.state().volumes.get(name)?.tree ?? new Map());

describe('install --restore', () => {
  test('brings up release, files with their modes, settings with their secrets, record and data', async () => {
    const done = await bringUp();
    expect(done.fields).toMatchObject({ outcome: 'restored', version: '1.0.0', folder: root });
    expect(await readFile(join(root, '.env'), 'utf8')).toContain('DB_PASSWORD=of-the-old-host');
    expect(await readFile(join(root, 'configs/api.conf'), 'utf8')).toBe('edited there\n');
    expect((await stat(join(root, 'configs/api.conf'))).mode & 0o777).toBe(0o640);
    expect(await readFile(join(root, 'docker-compose.override.yml'), 'utf8')).toContain('EXTRA');
    expect(await readFile(join(root, 'data/uploads/picture'), 'utf8')).toBe('uploaded\n');
    expect(dataOf(engine, 'acme_pgdata')).toBe(dataOf(stage.engine, 'acme_pgdata'));
    expect([...engine.state().containers.values()].map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      'acme-api-1 running',
      'acme-db-1 running',
    ]);
    expect(engine.state().violations).toEqual([]);
    const { fields } = await stage.run(status, { dir: root, offline: true }, { run: engine.client() });
    expect(fields).toMatchObject({ version: '1.0.0', openOperation: null, localEdits: [{ path: 'configs/api.conf', change: 'edited' }] });
  });

  test('takes a tar file of the folder, another project and other answers for this host', async () => {
    const tar = join(stage.place, 'brought.tar.gz');
    execFileSync('tar', ['-czf', tar, '-C', join(saved, '..'), saved.split('/').at(-1) ?? '']);
    await bringUp({ restore: tar, project: 'second', set: ['PORT=19090'] });
    const env = await readFile(join(root, '.env'), 'utf8');
    expect(env).toContain('COMPOSE_PROJECT_NAME=second');
    expect(env).toContain('PORT=19090');
    expect(dataOf(engine, 'second_pgdata')).toBe(dataOf(stage.engine, 'acme_pgdata'));
    expect(engine.state().volumes.get('second_pgdata')?.labels).toMatchObject({ 'com.docker.compose.project': 'second' });
  });

  test('opens an encrypted backup with its key, and leaves nothing of it readable but the install', async () => {
    const identity = await generateX25519Identity();
    const key = join(stage.place, 'key.txt');
    await writeFile(key, `${identity}\n`);
    saved = await makeBackup({ 'encrypt-to': [await identityToRecipient(identity)] });
    expect(await failure(bringUp())).toMatchObject({ code: 'E_USAGE' });
    expect(existsSync(root)).toBe(false);
    expect((await bringUp({ identity: key, plan: true })).fields.plan).toMatchObject({ command: 'install' });
    expect(existsSync(root)).toBe(false);
    await bringUp({ identity: key });
    expect(dataOf(engine, 'acme_pgdata')).toBe(dataOf(stage.engine, 'acme_pgdata'));
    expect((await stat(root)).mode & 0o777).toBe(0o755);
    expect(existsSync(join(root, '.slipway/cache/opened'))).toBe(false);
  });

  test('refuses what is damaged, no backup, another product’s, of a release that is gone or another one, each with what to do, and changes nothing', async () => {
    const item = join(saved, 'data/pgdata.tar.gz');
    const bytes = await readFile(item);
    await writeFile(item, bytes.subarray(0, bytes.length - 9));
    expect(await failure(bringUp())).toMatchObject({
      code: 'E_BACKUP',
      message: expect.stringContaining('data/pgdata.tar.gz has another size'),
    });
    await writeFile(item, bytes);
    expect(await failure(bringUp({ restore: stage.host }))).toMatchObject({
      code: 'E_BACKUP',
      message: expect.stringContaining('has no backup.json'),
    });
    expect(await failure(bringUp({ restore: join(stage.place, 'nowhere') }))).toMatchObject({ code: 'E_NOT_FOUND' });
    const text = await readFile(join(saved, 'backup.json'), 'utf8');
    const with_ = async (from: RegExp, to: string) => {
      await writeFile(join(saved, 'backup.json'), text.replace(from, to));
      return failure(bringUp());
    };
    expect(await with_(/"product": "acme"/, '"product": "other"')).toMatchObject({ code: 'E_WRONG_PRODUCT' });
    expect(await with_(/"version": "1.0.0"/, '"version": "0.9.0"')).toMatchObject({
      code: 'E_NOT_FOUND',
      message: expect.stringContaining('the backup is of 0.9.0'),
      hint: expect.stringContaining('--channel'),
    });
    expect(await with_(/"manifest": "sha256:..../, '"manifest": "sha256:0000')).toMatchObject({ code: 'E_DIGEST' });
    expect(existsSync(root)).toBe(false);
    expect(engine.state().volumes.size).toBe(0);
  });

  test('never goes over data: an install, a volume or a file that is there is refused, and stays', async () => {
    expect((await stage.install({ restore: saved })).fields).not.toMatchObject({ outcome: 'restored' });
    await engine.client()(['docker', 'volume', 'create', '--driver', 'local', 'acme_pgdata'], { env: {} });
    engine.state().volumes.get('acme_pgdata')?.tree.set('precious', fileNode('theirs\n'));
    const refused = await failure(bringUp());
    expect(JSON.stringify((refused as { details?: object }).details)).toContain('the volume acme_pgdata exists already');
    expect(engine.state().volumes.get('acme_pgdata')?.tree.get('precious')).toEqual(fileNode('theirs\n'));
    expect(existsSync(root)).toBe(false);
    await mkdir(join(root, 'configs'), { recursive: true });
    await writeFile(join(root, 'configs/api.conf'), 'somebody’s\n');
    expect(await failure(bringUp({ project: 'second' }))).toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringContaining('configs/api.conf'),
    });
    expect(await readdir(root)).toEqual(['configs']);
  });

  test('that is cut off at any call to the engine ends, with `recover`, as if it had never begun', async () => {
    for (let cut = 1; ; cut += 5) {
      let left = cut;
      const run = engine.client();
      const dying: typeof run = async (argv, options) => {
        if (isEffect(argv)) left -= 1;
        if (left <= 0) throw new Error('the power is gone');
        return run(argv, options);
      };
      const ended = await bringUp({}, { run: dying }).then(
        () => true,
        () => false,
      );
      if (ended) break;
      if (existsSync(join(root, '.slipway/journal.ndjson'))) await stage.run(recover, { dir: root, yes: true }, { run: engine.client() });
      expect({ cut, root: existsSync(root), volumes: engine.state().volumes.size, containers: engine.state().containers.size }).toEqual({
        ...{ cut, root: false, volumes: 0, containers: 0 },
      });
    }
    expect(dataOf(engine, 'acme_pgdata')).toBe(dataOf(stage.engine, 'acme_pgdata'));
  });
});
