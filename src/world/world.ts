// The real seams of this process. Rule: made once, in main, and passed on; what a start does not need is loaded when it is used.
import { setTimeout as wait } from 'node:timers/promises';
import type { Report } from '../model/event.ts';
import type { AskEngine, Run, Terminal, World } from '../model/seams.ts';

export interface WorldParts {
  readonly terminal: Terminal;
  readonly report: Report;
  readonly stop: AbortSignal;
}

/** The world as it is: this process's clock, randomness, environment and programs. */
export function realWorld(parts: WorldParts): World {
  const run: Run = async (argv, options) => (await import('./run.ts')).runProgram(argv, options);
  let engine: Promise<AskEngine> | undefined;
  return {
    ...parts,
    now: () => new Date(),
    random: (bytes) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))),
    env: process.env,
    run,
    askEngine: async (path, env) => {
      engine ??= import('./engine-socket.ts').then(({ openEngineSocket }) => openEngineSocket(run));
      return (await engine)(path, env);
    },
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
