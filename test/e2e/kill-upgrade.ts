// An upgrade on the real engine, killed at a line of its journal. Rule: as in a power cut, everything of it dies at once.
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Installed } from './stage.ts';

/** True for the whole campaign. */
export const WHOLE = process.env.SLIPWAY_CAMPAIGN === '1';

/** The lines to kill at: all, until the caller stops because an upgrade ended before, or the sample. */
export function* boundaries(sample: readonly number[]): Generator<number> {
  if (!WHOLE) yield* sample;
  else for (let line = 1; ; line += 1) yield line;
}

/** Starts an upgrade and kills it once the journal has so many lines; false when it ended before. */
export async function killAt(installed: Installed, lines: number): Promise<boolean> {
  const child = installed.spawnCtl('upgrade', '--yes');
  const ended = new Promise<boolean>((resolve) => child.once('exit', () => resolve(true)));
  const journal = join(installed.root, '.slipway/journal.ndjson');
  for (;;) {
    if (await Promise.race([ended, pause(5)])) return false;
    const text = existsSync(journal) ? await readFile(journal, 'utf8').catch(() => '') : '';
    if (text.split('\n').length - 1 >= lines) break;
  }
  killTree(child);
  await ended;
  return true;
}

/** The program and the one it handed over to: both die at once, as in a power cut. */
function killTree(child: ChildProcess): void {
  const pids = [child.pid ?? 0, ...childrenOf(child.pid ?? 0)];
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function pause(milliseconds: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds));
}
