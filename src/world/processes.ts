// Other processes of this machine, read from /proc. Rule: a pid alone is nobody; pid and start time together are one process.
import { readdir, readFile } from 'node:fs/promises';
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

/**
 * Ends processes whose environment holds `NAME=value`: the children of a run that was killed, which would go on changing things behind
 * the back of whoever recovers. Returns how many were ended. Only processes of the same user can be seen.
 */
export async function endProcessesWith(name: string, value: string): Promise<number> {
  const entry = `${name}=${value}`;
  let ended = 0;
  for (const pid of await listPids()) {
    if (pid === process.pid || pid === process.ppid) continue;
    const environment = await readIfThere(`/proc/${pid}/environ`);
    if (environment?.split('\0').includes(entry) !== true) continue;
    if (endProcess(pid)) ended += 1;
  }
  return ended;
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
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}
