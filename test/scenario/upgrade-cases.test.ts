// Cases that older updaters were held to, by their names. Rule: each is what an operator would see, from the command line to the rows of the database.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { history } from '../../src/commands/operator/history.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { status } from '../../src/commands/operator/status.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { exitCodeOf } from '../../src/model/error.ts';
import { lockPath } from '../../src/model/layout.ts';
import { printLock } from '../../src/model/lock.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { bootId, processStart } from '../../src/world/processes.ts';
import { failure } from '../failure.ts';
import { fakeEngine } from '../fakes/engine.ts';
import { type Inside, treeAt } from '../fakes/engine-state.ts';
import { fileNode, treeText } from '../fakes/file-tree.ts';
import { type InstallStage, imageOf, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';

const OLD = imageOf('api').pinned;
const NEW = imageOf('api', '2').pinned;
let stage: InstallStage;
let engine: ReturnType<typeof fakeEngine>;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  engine = fakeEngine({
    images: [imageOf('db'), imageOf('api'), { ...imageOf('api', '2'), program: 'api-2' }],
    programs: {
      db: { version: 'db' },
      api: { version: 'api', healthyAfter: 2 },
      'api-2': {
        version: 'api-2',
        healthyAfter: Infinity,
        work: ([verb = ''], inside) =>
          verb === 'migrate' ? { parts: [() => migrateHalf(inside), () => undefined], exitCode: 1 } : undefined,
      },
    },
  });
  await stage.publish('1.0.0', { backup: { keep: 5 } });
  await stage.install({}, parts());
  rows().set('rows', fileNode('row 1\n', 0o600, 70));
});

const parts = (more = {}) => ({
  run: engine.client(),
  sleep: async (milliseconds: number) => engine.wait(milliseconds),
  now: () => new Date(engine.state().clock),
  ...more,
});
const rows = () => engine.state().volumes.get('acme_pgdata')?.tree ?? new Map();

/** The migration reaches the database, and writes half of what it should. */
function migrateHalf({ state }: Inside): void {
  treeAt(state, { type: 'volume', source: 'acme_pgdata', target: '/data' }).set('rows', fileNode('row 1 +\nhalf of row', 0o600, 70));
}

const publishNext = (more: Partial<Manifest['upgrade']> = {}) => {
  const [reference = '', digest = ''] = NEW.split('@');
  const images = (PRODUCT.images ?? []).map((image) =>
    image.name === 'api' ? { ...image, reference, digest: digest as Manifest['operator'] } : image,
  );
  const files = { ...PRODUCT_FILES, 'docker-compose.yml': (PRODUCT_FILES['docker-compose.yml'] ?? '').replace(OLD, NEW) };
  const rules = { from: '>=1.0.0', stop: false, entry: [], timeout: 2, probation: 0, migrate: [], health: [], ...more };
  return stage.publish('1.1.0', { images, backup: { keep: 5 }, upgrade: rules }, files);
};
const MIGRATION = [
  { service: 'api', command: ['migrate'], needs: ['db'], on: ['upgrade' as const], timeout: null },
] as unknown as Manifest['upgrade']['migrate'];
const running = () => [...engine.state().containers.values()].map(({ name, image, state }) => `${name} ${image} ${state}`).sort();

describe('C-7', () => {
  test('a migration that fails leaves the old version running on the old data, and the result says so', async () => {
    await publishNext({ migrate: MIGRATION });
    const [before, data] = [running(), treeText(rows())];
    const failed = await failure(stage.run(upgrade, { yes: true }, parts()));
    expect(failed).toMatchObject({
      code: 'E_STEP_FAILED',
      message: expect.stringContaining('everything is as before'),
      details: { outcome: 'rolled-back', from: '1.0.0', to: '1.1.0', reason: expect.stringContaining('migrate ended with exit code 1') },
    });
    expect(running()).toEqual(before);
    expect(treeText(rows())).toBe(data);
  });

  test('a migration that was cut off half-way is detected on the next run, which does nothing but name the way out', async () => {
    await publishNext({ migrate: MIGRATION });
    const [before, data] = [running(), treeText(rows())];
    let dead = false;
    const client = engine.client(async (what) => {
      dead = dead || (what === 'run' && (rows().get('rows')?.content ?? '').includes('half'));
      if (dead) throw new Error('the power is gone');
    });
    const dying: typeof client = async (argv, options) => {
      if (dead) throw new Error('the power is gone');
      return client(argv, options);
    };
    await failure(stage.run(upgrade, { yes: true }, parts({ run: dying })));
    expect(rows().get('rows')?.content).toContain('half of row');
    const next = await failure(stage.run(upgrade, { yes: true }, parts()));
    expect(next).toMatchObject({ code: 'E_OPEN_OPERATION', hint: expect.stringContaining('recover') });
    expect(exitCodeOf(next)).toBe(6);
    expect(rows().get('rows')?.content).toContain('half of row');
    expect((await stage.run(recover, { yes: true }, parts())).fields).toMatchObject({ outcome: 'undone', version: '1.0.0' });
    expect(treeText(rows())).toBe(data);
    expect(running()).toEqual(before);
  });
});

describe('C-9', () => {
  const backups = async () => (await readdir(join(stage.root, '.slipway/backups'))).sort();
  const make = async (flags = {}) => {
    engine.wait(60_000);
    return stage.run(backup, { yes: true, ...flags }, parts());
  };

  test('the sixth backup deletes the oldest of five, and no other', async () => {
    for (let count = 0; count < 5; count += 1) await make();
    const five = await backups();
    expect(five).toHaveLength(5);
    const { fields } = await make();
    const left = await backups();
    expect(left).toHaveLength(5);
    expect(left.slice(0, 4)).toEqual(five.slice(1));
    expect(fields.pruned).toEqual([`.slipway/backups/${five[0]}`]);
  });

  test('the lock of a process that is gone is no lock; that of a living one is, and says whose', async () => {
    const started = (await processStart(process.ppid)) ?? 'unknown';
    const lock = { command: 'upgrade', pid: process.ppid, started, boot: await bootId(), nonce: 'n', since: '2026-03-15T10:00:00Z' };
    await writeFile(lockPath(stage.root), printLock(lock));
    const refused = await failure(make());
    expect(refused).toMatchObject({ code: 'E_LOCKED', message: expect.stringContaining(`${process.ppid}`) });
    await writeFile(lockPath(stage.root), printLock({ ...lock, started: 'an earlier process of this number' }));
    expect((await make()).fields).toMatchObject({ outcome: 'made' });
    await writeFile(lockPath(stage.root), printLock({ ...lock, boot: 'before the last boot' }));
    expect((await make()).fields).toMatchObject({ outcome: 'made' });
    await rm(lockPath(stage.root), { force: true });
  });
});

describe('E-3', () => {
  test('a release that never becomes healthy gives way: image and pin are the old ones, history tells both, and it is not taken again by itself', async () => {
    await publishNext();
    const before = running();
    const failed = await failure(stage.run(upgrade, { yes: true }, parts()));
    expect(failed).toMatchObject({ code: 'E_STEP_FAILED', details: { outcome: 'rolled-back', reason: expect.stringMatching(/api/) } });
    expect(running()).toEqual(before);
    expect(running().join()).toContain(OLD);
    const compose = await readFile(join(stage.root, 'docker-compose.yml'), 'utf8');
    expect(compose).toContain(OLD);
    expect(compose).not.toContain(NEW);
    const told = await stage.run(history, {}, parts());
    expect(JSON.stringify(told.fields)).toMatch(/"command":"upgrade".*"from":"1.0.0".*"to":"1.1.0".*"outcome":"rolled-back"/);
    expect((await stage.run(status, { offline: true }, parts())).fields).toMatchObject({
      version: '1.0.0',
      held: ['1.1.0'],
      openOperation: null,
    });
    expect(await failure(stage.run(upgrade, { yes: true }, parts()))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('failed here before'),
    });
  });
});
