// The real seams of this process. Rule: made once, in main, and passed on.
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Report } from '../model/event.ts';
import type { Terminal, World } from '../model/seams.ts';
import { runProgram } from './run.ts';

export interface WorldParts {
  readonly terminal: Terminal;
  readonly report: Report;
  readonly stop: AbortSignal;
}

/** The world as it is: this process's clock, randomness, environment and programs. */
export function realWorld(parts: WorldParts): World {
  return {
    ...parts,
    now: () => new Date(),
    random: (bytes) => randomBytes(bytes),
    env: process.env,
    run: runProgram,
    sleep: (milliseconds) => sleep(milliseconds, parts.stop),
  };
}

/** Who waits after the stop was asked for (on the way back) waits in full. */
async function sleep(milliseconds: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return wait(milliseconds);
  try {
    await wait(milliseconds, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}
