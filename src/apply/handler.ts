// How one kind of step is carried out. Rule: a handler sees its step, its saved data and the world, never the plan around it.
import type { Digest } from '../model/digest.ts';
import type { Saved } from '../model/journal.ts';
import type { Kind, Step } from '../model/plan.ts';
import type { World } from '../model/seams.ts';

/** Where a plan is carried out. */
export interface Site {
  /** The folder that all paths of the plan are relative to. Absolute. */
  readonly root: string;
  readonly planId: string;
  readonly world: World;
  /** True when a person asked to stop and going back is still possible: long waits end then. Never true on the way back. */
  readonly interrupted: () => boolean;
  /** Aborted in the same case, for programs that may run for long; undefined where nothing may end them. */
  readonly stop?: AbortSignal | undefined;
  /** The absolute path of the file that holds a content of the plan. */
  readonly content: (digest: Digest) => string;
  /** The program that carries the plan out, as it is kept among the install's operators. */
  readonly operator?: Digest;
}

export interface Handler<K extends Kind> {
  /** Is the world already as this step leaves it? Asked before every run; the journal is not believed about that. */
  readonly done: (step: Step<K>, site: Site) => Promise<boolean>;
  /** Collects what `undo` will need, before `run` changes anything. Data only; no secrets. */
  readonly save?: (step: Step<K>, site: Site) => Promise<Saved>;
  readonly run: (step: Step<K>, site: Site) => Promise<void>;
  /** Syncs what a run that was cut off has done, but may not have synced: asked when `done` is true of a step that an earlier process began. */
  readonly settle?: (step: Step<K>, site: Site) => Promise<void>;
  /** Puts the world back as it was before `run`, however far that came. Safe to repeat. */
  readonly undo?: (step: Step<K>, saved: Saved, site: Site) => Promise<void>;
}

/** A handler whose `done` looks at the world for `save` and `run` as well: nothing happens between the three. */
export function lookingOnce<K extends Kind, Seen>(
  look: (step: Step<K>, site: Site) => Promise<Seen>,
  handler: {
    readonly done: (seen: Seen, step: Step<K>, site: Site) => boolean | Promise<boolean>;
    readonly save: (seen: Seen) => Saved;
    readonly run: (seen: Seen, step: Step<K>, site: Site) => Promise<void>;
    readonly undo: NonNullable<Handler<K>['undo']>;
  },
): Handler<K> {
  const looks = new WeakMap<Step<K>, Seen>();
  const seenOf = async (step: Step<K>, site: Site): Promise<Seen> => looks.get(step) ?? look(step, site);
  return {
    done: async (step, site) => {
      const seen = await look(step, site);
      looks.set(step, seen);
      return handler.done(seen, step, site);
    },
    save: async (step, site) => handler.save(await seenOf(step, site)),
    run: async (step, site) => {
      const seen = await seenOf(step, site);
      looks.delete(step); // what runs changes it
      await handler.run(seen, step, site);
    },
    undo: handler.undo,
  };
}

/** The table of all kinds. A kind without a handler does not compile. */
export type Handlers = { readonly [K in Kind]: Handler<K> };
