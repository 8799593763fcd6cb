// What makes an install's command work from everywhere: its launcher, and the Node.js it runs on where the host has none. Rule: first of all steps, so that whoever is cut off can run `recover`.
import type { Digest } from '../model/digest.ts';
import type { KeptRuntime } from '../model/install.ts';
import type { Step } from '../model/plan.ts';

export interface CommandWish {
  /** The install's folder. */
  readonly user: string;
  /** The launcher to write; absent = none is wanted, or it is as it must be. */
  readonly launcher?: { readonly path: string; readonly content: Digest };
  /** The runtime that the install runs on; absent = the host's own Node.js. */
  readonly runtime?: KeptRuntime;
  /** What starts by itself: units of systemd that change. */
  readonly units?: readonly Step[];
  /** What a person should know of that. */
  readonly notes?: readonly string[];
  /** The one that it ran on before. */
  readonly former?: KeptRuntime;
}

/** The steps before all others. */
export function commandSteps({ user, launcher, runtime, units = [] }: CommandWish): Step[] {
  const keep: Step[] =
    runtime === undefined
      ? []
      : [{ kind: 'keep-runtime', why: `Node.js ${runtime.node} is kept, once for all products that need it`, ...runtime, user }];
  const put: Step[] =
    launcher === undefined ? [] : [{ kind: 'put-launcher', why: 'the command can be called from everywhere', ...launcher }];
  return [...keep, ...put, ...units];
}

/** The step when all is well: a Node.js that nothing uses any more goes. */
export function formerRuntimeSteps({ user, runtime, former }: CommandWish): Step[] {
  if (former === undefined || former.program === runtime?.program) return [];
  return [{ kind: 'drop-runtime', why: `Node.js ${former.node} goes, unless another product uses it`, ...former, user }];
}
