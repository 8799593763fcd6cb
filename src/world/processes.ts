// Other processes of this machine, read from /proc. Rule: a pid alone is nobody; pid and start time together are one process, in the pid namespace that the pid is of.
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../model/error.ts';

/** The id of this boot of the machine; empty where the system has none to tell. */
export async function bootId(): Promise<string> {
  return (await readIfThere('/proc/sys/kernel/random/boot_id'))?.trim() ?? '';
}

/** When a process started, in clock ticks since boot (proc(5), stat field 22); undefined when it is gone. */
export async function processStart(pid: number): Promise<string | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (stat === undefined) return existsWithoutProc(pid) ? 'unknown' : undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name in brackets may hold spaces
  return fields[0] === 'Z' ? undefined : fields[19];
}

/** The pid namespace of this process, such as `pid:[4026531836]`; undefined where the system has none to tell. */
export async function pidNamespace(): Promise<string | undefined> {
  return readNamespace('self');
}

/** The machine's own pid namespace (PROC_PID_INIT_INO in the kernel's proc_ns.h): who is in it sees every process. */
const FIRST_NAMESPACE = 'pid:[4026531836]';

/** A process as its own pid namespace counts it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** As `processStart` tells it. */
  readonly started: string;
  /** Undefined = this one. */
  readonly namespace: string | undefined;
}

/** Looks for a process, also of another pid namespace: from the machine those of containers can be seen, the other way round none (`hidden`). */
export async function sightProcess(wanted: ProcessIdentity): Promise<'alive' | 'gone' | 'hidden'> {
  const own = await pidNamespace();
  if (wanted.namespace === undefined || wanted.namespace === own)
    return (await processStart(wanted.pid)) === wanted.started ? 'alive' : 'gone';
  let reaches = own === FIRST_NAMESPACE;
  for (const pid of await listPids()) {
    const namespace = await readNamespace(pid);
    if (namespace === wanted.namespace) reaches = true;
    if ((await innermostPid(pid)) !== wanted.pid || (await processStart(pid)) !== wanted.started) continue;
    if (namespace === wanted.namespace) return 'alive';
    if (namespace === undefined) return 'hidden'; // another user's: it may be that one
  }
  const seesAll = (await readIfThere('/proc/1/status')) !== undefined; // a machine may hide the processes of other users
  return reaches && seesAll ? 'gone' : 'hidden';
}

async function readNamespace(pid: number | 'self'): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/ns/pid`);
  } catch (error) {
    if (isHidden(error)) return undefined;
    throw error;
  }
}

/** The last of the numbers that proc(5) calls NSpid. */
async function innermostPid(pid: number): Promise<number> {
  const numbers = /^NSpid:\s*(.*)$/m.exec((await readIfThere(`/proc/${pid}/status`)) ?? '')?.[1] ?? '';
  return Number(numbers.split(/\s+/).at(-1));
}

/**
 * Ends processes whose environment holds `NAME=path`: the children of a run that was killed, which would go on changing things behind the back of
 * whoever recovers. Another container may have another folder at the same path: only those that see the same one. Returns how many were ended. Only
 * processes of the same user can be seen.
 */
export async function endProcessesWith(name: string, path: string): Promise<number> {
  const entry = `${name}=${path}`;
  let ended = 0;
  for (const pid of await listPids()) {
    if (pid === process.pid || pid === process.ppid) continue;
    const environment = await readIfThere(`/proc/${pid}/environ`);
    if (environment?.split('\0').includes(entry) !== true || !(await seesSame(pid, dirname(path)))) continue;
    if (endProcess(pid)) ended += 1;
  }
  return ended;
}

async function seesSame(pid: number, folder: string): Promise<boolean> {
  try {
    const [theirs, ours] = await Promise.all([stat(`/proc/${pid}/root${folder}`), stat(folder)]);
    return theirs.dev === ours.dev && theirs.ino === ours.ino;
  } catch (error) {
    if (isHidden(error)) return false;
    throw error;
  }
}

function endProcess(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
    throw error;
  }
}

async function listPids(): Promise<number[]> {
  try {
    return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Systems without /proc: signal 0 asks whether the process exists. */
function existsWithoutProc(pid: number): boolean {
  if (process.platform === 'linux') return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isHidden(error)) return undefined;
    throw error;
  }
}

/** It is gone, or another user's. */
function isHidden(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '');
}
