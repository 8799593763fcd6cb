// The surroundings of an HTTP client under test. Rule: waits are recorded instead of waited.
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { World } from '../../src/model/seams.ts';
import type { HttpWorld } from '../../src/world/http.ts';

export interface TestHttpWorld extends HttpWorld {
  /** Milliseconds of every wait, in order. */
  readonly waits: number[];
  /** There is no program to run. */
  readonly run: World['run'];
}

/** A stop signal that nobody gives; however many wait for it, as for the real one. */
export function neverStopped(): AbortSignal {
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  return signal;
}

/** A world without proxies, certificates and waiting. */
export function testHttpWorld(parts: Partial<HttpWorld> = {}): TestHttpWorld {
  const waits: number[] = [];
  return {
    env: {},
    now: () => new Date(),
    random: (bytes) => randomBytes(bytes),
    sleep: async (milliseconds) => {
      waits.push(milliseconds);
    },
    stop: neverStopped(),
    ...parts,
    waits,
    run: () => Promise.reject(new Error('no program is run in this test')),
  };
}
