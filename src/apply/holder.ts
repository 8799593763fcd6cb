// Is the holder of a lock at work? Rule: stale only when that is known for sure; a process that cannot be seen from here works as long as its container runs.
import { dirname } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { LockRecord } from '../model/lock.ts';
import type { World } from '../model/seams.ts';
import type { Engine } from '../world/docker.ts';
import { inspectIfPossible } from '../world/own-container.ts';
import { bootId, processStart, sightProcess } from '../world/processes.ts';
import { readLock } from '../world/state.ts';

/** What tells a process from all others. */
export type Holder = Omit<LockRecord, 'nonce'>;

/** `unseen`: it may be at work, in another container or on the machine around this one. */
export type Standing = 'works' | 'unseen' | 'gone';

/** Throws E_LOCKED while another process that is alive holds the lock; looks only. */
export async function refuseHolder(path: string, world: World): Promise<void> {
  const holder = await readLock(path);
  if (holder === undefined || (await isThisProcess(holder))) return;
  const standing = await judgeHolder(holder, engineOf(path, world));
  if (standing !== 'gone') throw locked(holder, standing, path);
}

/** Who holds the lock and is alive. */
export async function liveHolder(path: string, world: World): Promise<LockRecord | undefined> {
  const holder = await readLock(path);
  return holder === undefined || (await isStale(holder, engineOf(path, world))) ? undefined : holder;
}

/** True when the holder's boot is over, its process is gone, or its container is. */
export async function isStale(holder: Holder, engine: Engine): Promise<boolean> {
  return (await judgeHolder(holder, engine)) === 'gone';
}

export async function judgeHolder(holder: Holder, engine: Engine): Promise<Standing> {
  const boot = await bootId();
  if (boot !== '' && holder.boot !== boot) return 'gone';
  const { pid, started, pidNamespace: namespace } = holder;
  const seen = await sightProcess({ pid, started, namespace });
  if (seen !== 'hidden') return seen === 'alive' ? 'works' : 'gone';
  return (await isContainerOver(holder, engine)) ? 'gone' : 'unseen';
}

/** The folder's lock lies in `.slipway`; any other is nobody's folder. */
export function engineOf(path: string, world: World): Engine {
  return { world, root: dirname(dirname(path)) };
}

export function locked(holder: Holder, standing: Standing, path: string): ToolError {
  const where = standing === 'unseen' ? `, ${holder.container === undefined ? 'outside of this container' : 'in another container'}` : '';
  const gone = `If it is not there any more, run the command on the machine itself, or remove ${path}.`;
  return new ToolError('E_LOCKED', `${holder.command} is at work here (process ${holder.pid}${where}, since ${holder.since})`, {
    hint: `\`attach\` shows what it does; try again when it has ended.${standing === 'unseen' ? ` ${gone}` : ''}`,
    details: { pid: holder.pid, since: holder.since, command: holder.command },
  });
}

async function isThisProcess({ pid, started }: Holder): Promise<boolean> {
  return pid === process.pid && started === (await processStart(pid));
}

/** A container that ended, or was started again, has none of its former processes. */
async function isContainerOver({ container }: Holder, engine: Engine): Promise<boolean> {
  if (container === undefined) return false;
  const found = await inspectIfPossible(engine, container.id);
  if (found === 'unknown') return false;
  return found === undefined || found.startedAt !== container.startedAt || !['running', 'paused'].includes(found.state);
}
