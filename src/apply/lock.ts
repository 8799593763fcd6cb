// One changing command at a time, per install and per compose project of an engine. Rule: `link()` decides who wins, and only a lock whose holder is gone is taken away.
import { mkdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { keep } from '../model/description.ts';
import { digestOf, hexOf } from '../model/digest.ts';
import { diskTrouble } from '../model/disk-trouble.ts';
import { systemCode, ToolError } from '../model/error.ts';
import { type LockRecord, printLock } from '../model/lock.ts';
import { momentOf } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { RUN_MARK } from '../world/docker.ts';
import { isThere } from '../world/folder-files.ts';
import { ownMark, sweepDead } from '../world/made-by.ts';
import { findOwnContainer } from '../world/own-container.ts';
import { bootId, endProcessesWith, pidNamespace, processStart } from '../world/processes.ts';
import { readLock } from '../world/state.ts';
import { createDurably, writeDurably } from './durable.ts';
import { engineOf, judgeHolder, locked } from './holder.ts';

export interface Lock {
  readonly record: LockRecord;
  readonly release: () => Promise<void>;
}

export interface LockWish {
  readonly path: string;
  readonly command: string;
  /** The install's folder, where the lock lies elsewhere. */
  readonly folder?: string;
  /** The nonce of the lock of our parent, when this process was handed over to. */
  readonly takeOver?: string;
}

/** Takes the lock, or throws E_LOCKED naming who holds it, since when. Children left behind by a killed holder are ended first. */
export async function takeLock(wish: LockWish, world: World): Promise<Lock> {
  const record = await recordOf(wish, world);
  await mkdir(dirname(dirname(wish.path)), { recursive: true }); // the install's folder, with the usual mode
  await mkdir(dirname(wish.path), { recursive: true, mode: 0o700 });
  if (wish.takeOver !== undefined) return takeOver(wish, wish.takeOver, record);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (await createDurably(wish.path, printLock(record), await tagOf(record))) {
      await endProcessesWith(RUN_MARK, wish.path);
      await sweepDead(dirname(wish.path), `${basename(wish.path)}.`);
      return lockOf(wish.path, record);
    }
    const holder = await readLock(wish.path);
    if (holder === undefined) continue; // released between the two calls
    const standing = await judgeHolder(holder, engineOf(wish.path, world));
    if (standing !== 'gone') throw locked(holder, standing, wish.path);
    await removeStale(wish.path, holder, await tagOf(record));
  }
  throw new ToolError('E_LOCKED', `the lock ${wish.path} changes hands too quickly`, { hint: 'Try again in a moment.' });
}

/** Where the lock of a compose project on this engine lies: in the place for locks that all users of the machine share, empty after a reboot. */
export async function projectLockPath(project: string, env: World['env']): Promise<string> {
  const engine = env.DOCKER_HOST ?? env.DOCKER_CONTEXT ?? '';
  const folder = (await isThere('/run/lock')) ? '/run/lock' : tmpdir();
  return join(folder, `slipway-${hexOf(digestOf(`${engine}\n${project}`)).slice(0, 24)}.lock`);
}

/** What files beside the lock are named after while they are made: by whom, so that they can be swept. */
async function tagOf({ nonce }: LockRecord): Promise<string> {
  return `${await ownMark()}-${nonce}`;
}

/** Two processes may find the same stale lock: the rename moves whatever is there, so what was moved is looked at, and put back when it was alive. */
async function removeStale(path: string, stale: LockRecord, tag: string): Promise<void> {
  const aside = `${path}.${tag}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  const moved = await readLock(aside);
  if (moved !== undefined && moved.nonce !== stale.nonce) await createDurably(path, printLock(moved), tag);
  await rm(aside, { force: true });
}

async function takeOver(wish: LockWish, nonce: string, record: LockRecord): Promise<Lock> {
  const holder = await readLock(wish.path);
  if (holder?.nonce !== nonce)
    throw new ToolError('E_LOCKED', 'the lock to be taken over is not there any more', { hint: 'Run the command again.' });
  await writeDurably(wish.path, printLock(record), 0o600);
  return lockOf(wish.path, record);
}

function lockOf(path: string, record: LockRecord): Lock {
  const release = async (): Promise<void> => {
    const holder = await readLock(path);
    if (holder?.nonce !== record.nonce) return;
    await rm(path, { force: true }).catch((error: unknown) => {
      if (diskTrouble(error) === undefined) throw error; // a lock that the disk keeps is stale once this process has ended
    });
  };
  return { record, release };
}

async function recordOf({ path, command, folder }: LockWish, world: World): Promise<LockRecord> {
  const own = await findOwnContainer(folder === undefined ? engineOf(path, world) : { world, root: folder });
  return keep({
    command,
    pid: process.pid,
    started: (await processStart(process.pid)) ?? 'unknown',
    boot: await bootId(),
    nonce: world.random(16).toString('hex'),
    since: momentOf(world.now()),
    pidNamespace: await pidNamespace(),
    container: own && { id: own.id, startedAt: own.startedAt },
  });
}
