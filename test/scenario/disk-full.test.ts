// Disks that are full, run out of files or may only be read, under an upgrade. Rule: real small file systems; the old release is whole whatever happens, the
// message names the disk, and once there is room the same command succeeds.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import type { Command } from '../../src/commands/command.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import type { Digest } from '../../src/model/digest.ts';
import { diskTrouble } from '../../src/model/disk-trouble.ts';
import { exitCodeOf, ToolError } from '../../src/model/error.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { personsView, takeImage } from '../campaign/folder-image.ts';
import { COMPOSE, type InstallStage, imageOf, makeInstallStage, PRODUCT, PRODUCT_FILES } from '../fakes/install-stage.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../fakes/small-disk.ts';

/** Where the small disk is. */
type Place = 'install' | 'backups' | 'temporary';

interface Machine {
  readonly stage: InstallStage;
  readonly disk: SmallDisk;
  /** The folder that the disk is mounted at. */
  readonly folder: string;
}

interface Told {
  /** The outcome, or the error's code. */
  readonly how: string;
  readonly exit: number;
  readonly text: string;
}

describe.runIf(canMount)('an upgrade on a small disk (needs root)', () => {
  test('with whatever room there is ends at the old or the new release, and says which disk is full', async (context) => {
    const machine = await installOn(context, 'install');
    const seen: string[] = [];
    for (const kilobytes of [0, 150, 300, 450, 600, 900, 1500, 8000]) {
      if (seen.at(-1) === 'upgraded') break;
      machine.disk.leave(kilobytes * 1024);
      seen.push(await tryOnce(machine));
    }
    expect(seen[0]).toMatch(/E_PREFLIGHT|E_DISK_FULL/);
    expect(seen.at(-1)).toBe('upgraded');
  });

  test('with whatever number of files is left ends at the old or the new release', async (context) => {
    const machine = await installOn(context, 'install');
    const seen: string[] = [];
    for (const count of [0, 12, 30, 45, 60, 75, 90, 500]) {
      if (seen.at(-1) === 'upgraded') break;
      machine.disk.leaveFiles(count);
      seen.push(await tryOnce(machine));
    }
    expect(seen[0]).toBe('E_DISK_FULL');
    expect(seen).toContain('E_STEP_FAILED');
    expect(seen.at(-1)).toBe('upgraded');
  });

  test.for<readonly [Place, string]>([
    ['install', 'stop'],
    ['backups', 'cp'],
  ])('whose disk (%s) is filled by somebody when `docker %s` is called goes back by itself', async ([place, word], context) => {
    const machine = await installOn(context, place);
    const run = before(machine.stage, word, () => machine.disk.leave(0));
    const [old, told] = [lookAt(machine), await attempt(machine.stage, upgrade, { to: '2.0.0' }, { run })];
    expect(told).toMatchObject({ how: 'E_STEP_FAILED', exit: 5 });
    expect(told.text).toContain(`the disk that holds ${machine.folder}`);
    expect(lookAt(machine)).toEqual(old);
    await comesRight(machine);
  });

  test('that is filled when the new release starts goes on: its journal has space set aside', async (context) => {
    const machine = await installOn(context, 'install');
    const run = before(machine.stage, 'up', () => machine.disk.leave(0));
    expect(await attempt(machine.stage, upgrade, {}, { run })).toMatchObject({ how: 'upgraded' });
    machine.disk.free();
    expect(await attempt(machine.stage, upgrade)).toMatchObject({ how: 'up-to-date' });
  });

  test('whose disk for backups has no room for the data is refused before anything stops', async (context) => {
    const machine = await installOn(context, 'backups');
    machine.disk.leave(100 * 1024);
    const [old, told] = [lookAt(machine), await attempt(machine.stage, upgrade)];
    expect(told).toMatchObject({ how: 'E_PREFLIGHT', exit: 3 });
    expect(told.text).toMatch(/backups has \S+ kB free, and \S+ kB are needed/);
    expect(lookAt(machine)).toEqual(old);
    await comesRight(machine);
  });

  test('whose folder for temporary files is full changes nothing, and says where', async (context) => {
    const machine = await installOn(context, 'temporary');
    machine.disk.leave(0);
    const [old, told] = [lookAt(machine), await attempt(machine.stage, upgrade)];
    expect(told).toMatchObject({ how: 'E_DISK_FULL', exit: 5 });
    expect(told.text).toContain(`the disk that holds ${machine.folder}`);
    expect(lookAt(machine)).toEqual(old);
    await comesRight(machine);
  });

  test('that may only be read changes nothing, and says so', async (context) => {
    const machine = await installOn(context, 'install');
    const old = lookAt(machine);
    machine.disk.readOnly(true);
    const told = await attempt(machine.stage, upgrade);
    machine.disk.readOnly(false);
    expect(told).toMatchObject({ how: 'E_DISK', exit: 5 });
    expect(told.text).toContain(`the disk that holds ${machine.folder}`);
    expect(lookAt(machine)).toEqual(old);
    await comesRight(machine);
  });

  test('that may only be read from the middle on is left to recover, which goes back', async (context) => {
    const machine = await installOn(context, 'install');
    const old = lookAt(machine);
    const told = await attempt(machine.stage, upgrade, {}, { run: before(machine.stage, 'up', () => machine.disk.readOnly(true)) });
    expect(told).toMatchObject({ how: 'E_WAY_BACK_FAILED', exit: 6 });
    expect(told.text).toContain('may only be read');
    machine.disk.readOnly(false);
    rmSync(join(machine.folder, '.slipway/lock')); // stale once its process has ended; here that is the test's own
    expect(await attempt(machine.stage, recover)).toMatchObject({ how: 'undone' });
    expect(lookAt(machine)).toEqual(old);
    await comesRight(machine);
  });
});

/** Release 1 runs, release 2 is published, and one place is on a small disk. */
async function installOn(context: TestContext, place: Place): Promise<Machine> {
  const stage = await makeInstallStage(context);
  const folder = place === 'install' ? stage.root : join(stage.place, place);
  const disk = mountSmallDisk(folder, context);
  const backup: Partial<Manifest> = place === 'backups' ? { backup: { keep: 5, to: folder } } : {};
  await stage.publish('1.0.0', backup, filesOf('1.0.0'));
  await stage.install();
  writeFileSync(join(stage.root, 'data/uploads/picture'), randomBytes(200 * 1024));
  const images = (PRODUCT.images ?? []).map((image) => {
    const [reference = '', digest = ''] = imageOf(image.name, '2').pinned.split('@');
    return { ...image, reference, digest: digest as Digest };
  });
  await stage.publish('2.0.0', { ...backup, images }, filesOf('2.0.0'));
  if (place === 'temporary') {
    const { TMPDIR } = process.env;
    process.env.TMPDIR = folder;
    context.onTestFinished(() => {
      process.env.TMPDIR = TMPDIR;
    });
  }
  return { stage, disk, folder };
}

function filesOf(version: string): Readonly<Record<string, string>> {
  const compose =
    version === '1.0.0'
      ? COMPOSE
      : ['db', 'api'].reduce((text, name) => text.replaceAll(imageOf(name).pinned, imageOf(name, '2').pinned), COMPOSE);
  return {
    ...PRODUCT_FILES,
    'docker-compose.yml': compose,
    'configs/api.conf': `${version}\n`,
    'configs/big': version.repeat(20_000),
    [`configs/of-${version}`]: 'x',
  };
}

/** One upgrade: whatever is refused leaves the old release as it was, on the disk that is still full. Gives how it ended. */
async function tryOnce(machine: Machine): Promise<string> {
  const [old, told] = [lookAt(machine), await attempt(machine.stage, upgrade, { to: '2.0.0' })];
  machine.disk.free();
  if (told.how === 'upgraded') return told.how;
  expect(told.exit, told.text).toBeGreaterThanOrEqual(3);
  expect(told.text).toContain(machine.folder);
  expect(lookAt(machine)).toEqual(old);
  expect(await attempt(machine.stage, recover)).toMatchObject({ how: 'nothing-open' });
  return told.how;
}

/** With room, nothing is open and the same upgrade succeeds. */
async function comesRight(machine: Machine): Promise<void> {
  machine.disk.free();
  expect(await attempt(machine.stage, recover)).toMatchObject({ how: 'nothing-open' });
  expect(await attempt(machine.stage, upgrade, { to: '2.0.0' })).toMatchObject({ how: 'upgraded' });
  expect(readFileSync(join(machine.stage.root, 'configs/api.conf'), 'utf8')).toBe('2.0.0\n');
}

/** Does something before the first call of docker with this word. */
function before(stage: InstallStage, word: string, action: () => void): Run {
  const client = stage.engine.client();
  let done = false;
  return async (argv, options) => {
    if (!done && argv.includes(word)) {
      done = true;
      action();
    }
    return client(argv, options);
  };
}

async function attempt(
  stage: InstallStage,
  command: Command,
  flags: Readonly<Record<string, string>> = {},
  parts: Partial<World> = {},
): Promise<Told> {
  try {
    const { fields } = await stage.run(command, { yes: true, ...flags }, parts);
    return { how: String(fields.outcome), exit: 0, text: '' };
  } catch (error) {
    const told = diskTrouble(error) ?? error; // as the program's entry does
    if (!(told instanceof ToolError)) throw error;
    return {
      how: told.code,
      exit: exitCodeOf(told),
      text: `${told.code}: ${told.message} ${told.details.reason} ${told.hint}`,
    };
  }
}

/** What a person sees of the install, and what runs. */
function lookAt({ stage }: Machine): object {
  const files = [...personsView(takeImage(stage.root))].filter(([path]) => path !== 'ballast');
  const containers = [...stage.engine.state().containers.values()].map(({ name, imageId, state }) => `${name} ${imageId} ${state}`);
  return { files, containers: containers.sort(), open: existsSync(join(stage.root, '.slipway/journal.ndjson')) };
}
