// What an install starts by itself: backups and recovery at boot. Rule: offered in the plan, left out when told, gone with the install, and never another's.
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { configure } from '../../src/commands/operator/configure.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { status } from '../../src/commands/operator/status.ts';
import { uninstall } from '../../src/commands/operator/uninstall.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { parseInstall } from '../../src/model/install.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { type InstallStage, makeInstallStage, PRODUCT } from '../fakes/install-stage.ts';
import { type FakeSystemd, makeFakeSystemd } from '../fakes/systemctl.ts';

const DAILY = { backup: { keep: 2, schedule: 'daily' } } as const;
const ALL = ['acmectl-backup.service', 'acmectl-backup.timer', 'acmectl-recover.service'];
let stage: InstallStage;
let systemd: FakeSystemd;

beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  systemd = await makeFakeSystemd(join(stage.place, 'systemd'));
  await stage.publish('1.0.0', DAILY);
});

const parts = (run: Run = stage.engine.client()): Partial<World> => ({
  env: { ...stage.env, SLIPWAY_SYSTEMD: systemd.units },
  run: systemd.around(run),
});
const unit = (name: string): Promise<string> => readFile(join(systemd.units, name), 'utf8');
const record = async () => parseInstall(await readFile(join(stage.root, '.slipway/install.json'), 'utf8'), 'install.json');

describe('where systemd runs, an install', () => {
  test('shows the units in its plan, and has them started: the timer now, recovery at the next boot', async () => {
    const planned = await stage.install({ plan: true }, parts());
    expect(planned.text).toContain('backups are made by themselves; what is cut off is ended at the next boot');
    expect(planned.text).toContain(join(systemd.units, 'acmectl-backup.timer'));
    expect(await systemd.files()).toEqual([]);
    await stage.install({}, parts());
    expect(await systemd.files()).toEqual(ALL);
    expect(await systemd.enabled()).toEqual(['acmectl-backup.timer', 'acmectl-recover.service']);
    expect(await systemd.active(), 'recovery must not run beside the install').toEqual(['acmectl-backup.timer']);
    expect(await unit('acmectl-recover.service')).toContain(`ConditionPathExists=${stage.root}/.slipway/journal.ndjson\n`);
    expect(await unit('acmectl-backup.service')).toContain(`ExecStart=${stage.bin}/acmectl backup --scheduled --dir ${stage.root}\n`);
    expect(await unit('acmectl-backup.timer')).toContain('OnCalendar=*-*-* 03:00:00\nRandomizedDelaySec=1h\nPersistent=true\n');
    expect((await stage.run(status, { offline: true }, parts())).fields).toMatchObject({ schedule: 'daily', backupFailure: null });
  });

  test('leaves out what is told to be left out, and has a backup of every week when that is said', async () => {
    await stage.install({ backups: 'off', 'at-boot': 'off' }, parts());
    expect(await systemd.files()).toEqual([]);
    expect((await record()).schedule).toBeUndefined();
    const second = { dir: join(stage.place, 'second'), project: 'acme2', set: ['PORT=18081'], backups: 'weekly' };
    await stage.install(second, {
      ...parts(),
      env: { ...stage.env, SLIPWAY_SYSTEMD: systemd.units, SLIPWAY_BIN: join(stage.place, 'bin2') },
    });
    expect(await systemd.files()).toEqual(ALL.map((name) => name.replace('acmectl', 'acmectl-acme2')));
    expect(await unit('acmectl-acme2-backup.timer')).toContain('OnCalendar=Sun *-*-* 03:00:00');
    expect(await failure(stage.run(configure, { yes: true, backups: 'hourly' }, parts()))).toMatchObject({ code: 'E_USAGE' });
  });

  test('that fails leaves no unit behind', async () => {
    await stage.publish('1.1.0', { ...DAILY, upgrade: { ...UPGRADE, health: [{ tcp: '127.0.0.1:1' }] } });
    expect(await failure(stage.install({}, parts()))).toMatchObject({ code: 'E_STEP_FAILED' });
    expect([await systemd.files(), await systemd.enabled(), await systemd.active()]).toEqual([[], [], []]);
    expect(existsSync(stage.root)).toBe(false);
  });

  test('never takes a unit that is somebody else’s', async () => {
    await writeFile(join(systemd.units, 'acmectl-backup.timer'), '[Timer]\nOnCalendar=daily\n');
    const done = await stage.install({}, parts());
    expect(JSON.stringify(done.events)).toContain('acmectl-backup.timer is not of this install, and stays');
    expect(await unit('acmectl-backup.timer')).toBe('[Timer]\nOnCalendar=daily\n');
    await stage.run(uninstall, { yes: true }, parts());
    expect(await systemd.files()).toEqual(['acmectl-backup.timer']);
  });
});

describe('later', () => {
  beforeEach(async () => {
    await stage.install({}, parts());
  });

  test('configure switches backups and recovery off and on again, and otherwise has nothing to change', async () => {
    expect((await stage.run(configure, { yes: true, set: ['PORT=18080'] }, parts())).fields).toMatchObject({ outcome: 'unchanged' });
    await stage.run(configure, { yes: true, backups: 'off', 'at-boot': 'off' }, parts());
    expect([await systemd.files(), await systemd.enabled(), await systemd.active()]).toEqual([[], [], []]);
    expect(await record()).not.toHaveProperty('units');
    expect((await stage.run(configure, { yes: true, set: ['PORT=18080'] }, parts())).fields).toMatchObject({ outcome: 'unchanged' });
    await stage.run(configure, { yes: true, backups: 'weekly' }, parts());
    expect(await systemd.enabled()).toEqual(['acmectl-backup.timer']);
    await stage.run(configure, { yes: true, backups: 'daily', 'at-boot': 'on' }, parts());
    expect(await systemd.enabled()).toEqual(['acmectl-backup.timer', 'acmectl-recover.service']);
    expect(await unit('acmectl-backup.timer')).toContain('OnCalendar=*-*-* 03:00:00');
  });

  test('an upgrade and a restore leave them as they are, with a person’s change in one', async () => {
    await writeFile(join(systemd.units, 'acmectl-backup.timer'), (await unit('acmectl-backup.timer')).replace('03:00', '04:30'));
    await stage.publish('2.0.0', PRODUCT);
    await stage.run(upgrade, { yes: true }, parts());
    expect((await record()).schedule).toBe('daily');
    await stage.run(configure, { yes: true, 'at-boot': 'off' }, parts());
    await stage.run(restore, { yes: true }, parts());
    expect(Object.keys((await record()).units?.files ?? {})).toEqual(['acmectl-backup.service', 'acmectl-backup.timer']);
    expect(await unit('acmectl-backup.timer')).toContain('04:30');
    expect(await systemd.active()).toEqual(['acmectl-backup.timer']);
  });

  test('uninstall takes them away and says so; one that a person changed is switched off and stays', async () => {
    await writeFile(join(systemd.units, 'acmectl-backup.timer'), (await unit('acmectl-backup.timer')).replace('03:00', '04:30'));
    const planned = await stage.run(uninstall, { plan: true }, parts());
    expect(planned.text).toContain(`goes: the unit ${systemd.units}/acmectl-recover.service`);
    expect(planned.text).toContain(`stays: the unit ${systemd.units}/acmectl-backup.timer, switched off: it is yours`);
    await stage.run(uninstall, { yes: true }, parts());
    expect([await systemd.files(), await systemd.enabled(), await systemd.active()]).toEqual([['acmectl-backup.timer'], [], []]);
    expect(await record()).not.toHaveProperty('units');
  });
});

describe('without systemd', () => {
  test('the plan tells the very line for cron, and later commands do not trip over it', async () => {
    const planned = await stage.install({ plan: true }, { env: { ...stage.env, SLIPWAY_SYSTEMD: '' } });
    expect(planned.text).toContain(
      `put this line into \`crontab -e\`: 17 3 * * * ${stage.bin}/acmectl backup --scheduled --dir ${stage.root}`,
    );
    await systemd.stop();
    await stage.install({}, parts());
    expect((await record()).units).toBeUndefined();
    expect((await record()).schedule).toBe('daily');
    await stage.run(uninstall, { yes: true }, parts());
  });
});

const UPGRADE = { from: '>=1.0.0', stop: false, entry: [], timeout: 1, probation: 0, migrate: [], health: [] };

describe('a backup of a timer that fails', () => {
  test('is told by status until one succeeds, and so is a timer that never ran', async () => {
    await stage.install({}, parts());
    const broken: Run = async (argv, options) =>
      argv.includes('ps') ? { code: 1, stdout: '', stderr: 'Cannot connect to the Docker daemon' } : stage.engine.client()(argv, options);
    expect(await failure(stage.run(backup, { scheduled: true }, parts(broken)))).toMatchObject({ code: 'E_COMMAND' });
    const told = await stage.run(status, { offline: true }, parts());
    expect(told.fields).toMatchObject({ backupFailure: { code: 'E_COMMAND', message: expect.stringContaining('Docker daemon') } });
    expect(told.text).toMatch(/Failed {2}the backup of .*Docker daemon.*`acmectl backup` makes one now/);
    const quiet = await stage.run(backup, { scheduled: true }, parts());
    expect([quiet.text, quiet.terminal.shown(), quiet.events]).toEqual(['', '', []]);
    expect((await stage.run(status, { offline: true }, parts())).text).not.toContain('Failed');
    stage.engine.wait(3 * 86_400_000);
    expect((await stage.run(status, { offline: true }, parts())).text).toContain('the daily backup was not made for 3 days');
  });
});
