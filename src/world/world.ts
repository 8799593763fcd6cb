// The real seams of this process. Rule: made once, in main, and passed on; what a start does not need is loaded when it is used.
import { setTimeout as wait } from 'node:timers/promises';
import type { Report } from '../model/event.ts';
import type { Terminal, World } from '../model/seams.ts';

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
    random: (bytes) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))),
    env: process.env,
    run: async (argv, options) => (await import('./run.ts')).runProgram(argv, options),
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
