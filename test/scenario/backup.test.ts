// Backups that a person or a timer asks for. Rule: what was made can be restored, what fails changes nothing, and a damaged one is found.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../src/commands/operator/backup.ts';
import { stop } from '../../src/commands/operator/daily.ts';
import { recover } from '../../src/commands/operator/recover.ts';
import { restore } from '../../src/commands/operator/restore.ts';
import { status } from '../../src/commands/operator/status.ts';
import { lockPath } from '../../src/model/layout.ts';
import { failure } from '../failure.ts';
import { isEffect } from '../fakes/engine.ts';
import { fileNode } from '../fakes/file-tree.ts';
import { type InstallStage, makeInstallStage } from '../fakes/install-stage.ts';

const canMount =
  spawnSync('sh', ['-c', 'd=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s']).status === 0;
let stage: InstallStage;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
  await stage.publish('1.0.0', { backup: { keep: 2 } });
  await stage.install();
  await writeFile(join(stage.root, 'data/uploads/picture'), 'before\n');
});

const folder = (): string => join(stage.root, '.slipway/backups');
const names = async (): Promise<string[]> => (existsSync(folder()) ? (await readdir(folder())).sort() : []);
const running = (): string[] =>
  [...stage.engine.state().containers.values()]
    .filter(({ state }) => state === 'running')
    .map(({ name }) => name)
    .sort();
const make = async (flags = {}): Promise<Record<string, unknown>> => {
  stage.engine.wait(60_000);
  return (await stage.run(backup, { yes: true, ...flags })).fields as Record<string, unknown>;
};
const say = (...positionals: string[]) => ({
  ...backup,
  run: (context: Parameters<typeof backup.run>[0]) => backup.run({ ...context, positionals }),
});

describe('backup', () => {
  test('shows what will stop, makes a whole backup, and the services run again', async () => {
    const before = running();
    const planned = await stage.run(backup, { plan: true });
    expect(planned.text).toContain('note: these services stop while their data is copied: api, db');
    expect(await names()).toEqual([]);
    const made = await make();
    expect(made).toMatchObject({ outcome: 'made', version: '1.0.0' });
    expect(running()).toEqual(before);
    const listed = await stage.run(say('list'));
    expect(listed.text).toMatch(/NAME +VERSION +SIZE +AGE +VERIFIED +ENCRYPTED +WHY\n.*1\.0\.0 .* when made +no +asked for/);
    expect((await stage.run(say('verify'))).fields).toMatchObject({ backups: [{ problems: [] }] });
    expect((await stage.run(status, { offline: true })).fields).toMatchObject({ backups: 1, openOperation: null });
  });

  test('holds what restore brings back', async () => {
    await make();
    await writeFile(join(stage.root, 'data/uploads/picture'), 'after\n');
    await stage.run(restore, { yes: true });
    expect(await readFile(join(stage.root, 'data/uploads/picture'), 'utf8')).toBe('before\n');
  });

  test('holds what the person keeps in folders of their own, here and elsewhere', async () => {
    await writeFile(join(stage.root, 'content/mine.html'), 'my page\n', { mode: 0o600 });
    await make();
    await rm(join(stage.root, 'content/mine.html'));
    await writeFile(join(stage.root, 'content/later.html'), 'made later\n');
    await stage.run(restore, { yes: true });
    expect(await readFile(join(stage.root, 'content/mine.html'), 'utf8')).toBe('my page\n');
    expect((await stat(join(stage.root, 'content/mine.html'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(stage.root, 'content/later.html'), 'utf8')).toBe('made later\n');
  });

  test('that fills the disk says so, leaves no half of itself, and every earlier one stays whole', async (context) => {
    if (process.getuid?.() !== 0 || !canMount) return context.skip();
    const disk = join(stage.place, 'small');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', disk]);
    try {
      await make({ to: disk });
      const before = running();
      stage.engine
        .state()
        .volumes.get('acme_pgdata')
        ?.tree.set('noise', fileNode(randomBytes(600_000).toString('latin1')));
      const full = await failure(make({ to: disk }));
      expect(full).toMatchObject({ code: 'E_STEP_FAILED', details: { reason: expect.stringMatching(/is full \(ENOSPC\)/) } });
      expect(await readdir(disk)).toHaveLength(1);
      expect((await stage.run(say('verify'), { to: disk })).fields).toMatchObject({ backups: [{ problems: [] }] });
      expect(running()).toEqual(before);
    } finally {
      execFileSync('umount', [disk]);
    }
    return undefined;
  });

  test('keeps as many as the product says, and every rescue backup', async () => {
    await make();
    await stage.run(restore, { yes: true });
    for (let count = 0; count < 3; count += 1) await make();
    const left = await names();
    expect(left.filter((name) => !name.endsWith('-rescue'))).toHaveLength(2);
    expect(left.filter((name) => name.endsWith('-rescue'))).toHaveLength(1);
  });

  test('goes to another folder when told, and removes nothing there', async () => {
    const disk = join(stage.place, 'disk');
    for (let count = 0; count < 3; count += 1) await make({ to: disk });
    expect(await readdir(disk)).toHaveLength(3);
    expect(await names()).toEqual([]);
    expect((await stage.run(say('verify'), { to: disk })).fields).toMatchObject({ backups: [{}, {}, {}] });
  });

  test('leaves services alone that a person stopped', async () => {
    await stage.run(stop);
    await make();
    expect(running()).toEqual([]);
    expect(await names()).toHaveLength(1);
  });

  test('takes the install’s lock, and is refused while another command has it', async () => {
    await writeFile(lockPath(stage.root), await lockOfThisProcess());
    expect(await failure(stage.run(backup, { scheduled: true }))).toMatchObject({ code: 'E_LOCKED' });
    expect((await stage.run(status, { offline: true })).fields).toMatchObject({ backupFailure: { code: 'E_LOCKED' } });
    await rm(lockPath(stage.root));
  });

  test('that fails before it is whole leaves no backup, and everything runs as before', async () => {
    const before = running();
    const run = stage.engine.client();
    const full: typeof run = async (argv, options) => {
      if (argv.includes('cp') || argv.includes('export')) return { code: 1, stdout: '', stderr: 'no space left on device' };
      return run(argv, options);
    };
    const result = await failure(stage.run(backup, { yes: true }, { run: full }));
    expect(result).toMatchObject({ code: 'E_STEP_FAILED', message: expect.stringContaining('everything is as before') });
    expect(await names()).toEqual([]);
    expect(running()).toEqual(before);
  });
});

describe('backup verify', () => {
  test('names what is damaged, missing or cut short, and says that the others are whole', async () => {
    await make();
    await make();
    const [first = '', second = ''] = await names();
    const item = join(folder(), first, 'data/pgdata.tar.gz');
    await writeFile(item, Buffer.concat([await readFile(item), Buffer.from('x')]));
    const found = await failure(stage.run(say('verify')));
    expect(found).toMatchObject({ code: 'E_BACKUP', message: `${first}: data/pgdata.tar.gz has another size than it was made with` });
    expect((found as { hint?: string }).hint).toContain('1 of 2 can be restored');
    expect((await stage.run(say('verify', second))).fields).toMatchObject({ backups: [{ name: second, problems: [] }] });
    await rm(join(folder(), second, 'files.tar.gz'));
    await writeFile(join(folder(), first, 'backup.json'), '{');
    expect(await failure(stage.run(say('verify')))).toMatchObject({
      message: expect.stringMatching(new RegExp(`${first}: .*not valid JSON.*${second}: `)),
    });
    expect(await failure(stage.run(say('verify', 'nowhere')))).toMatchObject({ code: 'E_NOT_FOUND' });
    expect(await failure(stage.run(say('frobnicate')))).toMatchObject({ code: 'E_USAGE' });
  });
});

describe('a backup that is cut off', () => {
  test('at any call to the engine ends with all services running, and with a whole backup or none', async () => {
    const before = running();
    for (let cut = 1; ; cut += 1) {
      stage.engine.wait(60_000);
      let left = cut;
      const run = stage.engine.client();
      const dying: typeof run = async (argv, options) => {
        if (isEffect(argv)) left -= 1;
        if (left <= 0) throw new Error('the power is gone');
        return run(argv, options);
      };
      const ended = await stage.run(backup, { yes: true }, { run: dying }).then(
        () => true,
        () => false,
      );
      if (ended) break;
      await stage.run(recover, { yes: true });
      expect({ cut, running: running() }).toEqual({ cut, running: before });
      if ((await names()).length > 0) expect((await stage.run(say('verify'))).fields).toBeDefined();
      expect((await names()).filter((name) => name.endsWith('.partial'))).toEqual([]);
    }
  });
});

async function lockOfThisProcess(): Promise<string> {
  const { bootId, processStart } = await import('../../src/world/processes.ts');
  const { printLock } = await import('../../src/model/lock.ts');
  const started = (await processStart(process.ppid)) ?? 'unknown';
  return printLock({ command: 'upgrade', pid: process.ppid, started, boot: await bootId(), nonce: 'n', since: '2026-03-15T10:00:00Z' });
}
