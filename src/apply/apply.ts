// Walks a plan forward, back, or on from where it was cut off. Rule: knows no kind of step; the six rules of the journal live here and nowhere else.
import { diskTrouble } from '../model/disk-trouble.ts';
import { isToolError, ToolError } from '../model/error.ts';
import type { Saved } from '../model/journal.ts';
import type { Kind, Plan, Step } from '../model/plan.ts';
import type { Handler, Handlers, Site } from './handler.ts';
import type { Journal } from './journal.ts';

/** `done`: all steps carried out. `undone`: the world is as before. `failed`: past the point of no return and not well; nothing was taken back. */
export type Outcome = 'done' | 'undone' | 'failed';

export interface Applied {
  readonly outcome: Outcome;
  /** What made the plan go back, or fail past its point of no return. */
  readonly cause?: unknown;
}

export interface Application {
  readonly journal: Journal;
  readonly site: Site;
  readonly handlers: Handlers;
}

/** The walk's own view of the journal, kept in step with the lines written. */
interface Walk extends Application {
  readonly plan: Plan;
  readonly started: Map<number, Saved>;
  readonly done: Set<number>;
  door: boolean;
  goingBack: boolean;
}

/**
 * Carries a plan out. A step that fails before the point of no return makes everything go back; the result says so.
 * Throws, leaving the journal open, E_WAY_BACK_FAILED when the way back fails too and E_CUT_OFF when a disk refuses past the point of no return.
 */
export async function applyPlan(application: Application): Promise<Applied> {
  return walkForward(walkOf(application));
}

/**
 * Ends a plan that was cut off: forward past the point of no return, back before it. `direction: 'forward'` finishes a plan that could
 * still go back, unless its way back was begun.
 */
export async function recoverPlan(application: Application, direction: 'back' | 'forward' = 'back'): Promise<Applied> {
  const { state } = application.journal;
  const walk = walkOf(application);
  if (state.door) return walkForward(walk);
  if (direction === 'back' || state.goingBack) return walkBack(walk, undefined);
  await rewindUnrepeatable(walk);
  return walkForward(walk);
}

async function walkForward(walk: Walk): Promise<Applied> {
  for (const [index, step] of walk.plan.steps.entries()) {
    try {
      refuseWhenStopped(walk);
      if (index > walk.plan.commitAfter) await passTheDoor(walk);
      if (walk.done.has(index)) continue;
      const carryOut = (): Promise<void> => carryOutStep(walk, index, step);
      await (walk.door ? insist(walk, carryOut) : carryOut());
    } catch (error) {
      const cause = interruptionOr(diskTrouble(error) ?? error, walk);
      if (!walk.door) return walkBack(walk, cause);
      refuseToEnd(cause);
      await walk.journal.end('failed');
      return { outcome: 'failed', cause };
    }
  }
  await walk.journal.end('done');
  return { outcome: 'done' };
}

/** How often, and how many milliseconds apart, a step is tried that nobody may give up: an engine may be restarting, a service slow to be well. */
const TRIES = 5;
const PAUSE = 5000;

/** Past the point of no return, and on the way back, a program that failed is tried again: giving up would leave the product half-way, and down. */
async function insist({ site }: Walk, work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (cause) {
      if (tries === TRIES || !isToolError(cause, 'E_COMMAND')) throw cause;
      site.world.report({ type: 'note', text: `${cause.message}; tried again in ${PAUSE / 1000} s` });
      await site.world.sleep(PAUSE);
    }
  }
}

/** Rules 1 to 3: the world is asked first, undo data is collected next, and `start` is on disk before the effect. */
async function carryOutStep(walk: Walk, index: number, step: Step): Promise<void> {
  const { journal, site } = walk;
  const handler = handlerOf(walk.handlers, step);
  const report = { index, of: walk.plan.steps.length, kind: step.kind, why: step.why, direction: 'forward' } as const;
  site.world.report({ type: 'step', ...report });
  const before = walk.started.get(index);
  const isDone = await handler.done(step, site);
  if (!isDone && before === undefined) {
    const saved = (await handler.save?.(step, site)) ?? {};
    await journal.append({ start: index, saved });
    walk.started.set(index, saved);
  }
  if (!isDone) await handler.run(step, site);
  else if (before !== undefined) await handler.settle?.(step, site);
  // A step that the world had done already was not started by this plan, so going back leaves it alone.
  if (walk.started.has(index)) await journal.append({ done: index });
  walk.done.add(index);
  site.world.report({ type: 'step-done', index, direction: 'forward' });
}

/** Rule 6: from this line on there is only forward. A line that a disk refused may be there all the same, so going back ends before it is written. */
async function passTheDoor(walk: Walk): Promise<void> {
  if (walk.door) return;
  walk.door = true;
  await walk.journal.append({ door: true });
}

/**
 * Throws E_CUT_OFF for what a disk refused past the point of no return. An end that such a disk kept, though it said no, would leave the rest undone with
 * nothing open for `recover` to finish.
 */
function refuseToEnd(cause: unknown): void {
  const isCutOff = isToolError(cause, 'E_CUT_OFF');
  const refused = isCutOff ? cause.cause : cause;
  if (!isToolError(refused, 'E_DISK') && !isToolError(refused, 'E_DISK_FULL')) return;
  if (isCutOff) throw cause;
  const hint = `${refused.hint ?? ''} Then run \`recover\`: it finishes what was begun.`.trimStart();
  throw new ToolError('E_CUT_OFF', `past the point of no return: ${refused.message}`, { cause, hint });
}

async function walkBack(walk: Walk, cause: unknown): Promise<Applied> {
  walk.goingBack = true;
  try {
    await walk.journal.append({ back: true });
    for (const index of [...walk.started.keys()].sort((a, b) => b - a)) await undoStep(walk, index);
  } catch (error) {
    const reason = reasonOf(diskTrouble(error) ?? error);
    throw new ToolError('E_WAY_BACK_FAILED', 'the way back failed; nothing was thrown away', {
      cause: new AggregateError(
        [cause, error].filter((each) => each !== undefined),
        reason,
      ),
      hint: 'Mend what the message names (a full disk, a stopped engine), then run `recover`: it goes on from here.',
      details: { reason, first: reasonOf(cause) },
    });
  }
  await walk.journal.end('undone');
  return cause === undefined ? { outcome: 'undone' } : { outcome: 'undone', cause };
}

/** On a full disk the space set aside is given back, and the step taken back once more: that is safe to repeat. */
async function undoStep(walk: Walk, index: number): Promise<void> {
  try {
    await insist(walk, () => takeBack(walk, index));
  } catch (error) {
    const full = isToolError(diskTrouble(error) ?? error, 'E_DISK_FULL');
    if (!full || !(await walk.journal.giveRoom())) throw error;
    await takeBack(walk, index);
  }
  await writeUndone(walk, index);
}

async function takeBack({ plan, started, handlers, site }: Walk, index: number): Promise<void> {
  const step = plan.steps[index];
  const saved = started.get(index);
  if (step === undefined || saved === undefined) return;
  site.world.report({ type: 'step', index, of: plan.steps.length, kind: step.kind, why: step.why, direction: 'back' });
  await handlerOf(handlers, step).undo?.(step, saved, site);
  site.world.report({ type: 'step-done', index, direction: 'back' });
}

async function writeUndone(walk: Walk, index: number): Promise<void> {
  await walk.journal.append({ undo: index });
  walk.started.delete(index);
  walk.done.delete(index);
}

/** Rule 5: a half-done step that is not safe to repeat is taken back, down to the step that restores what it touched, before going on. */
async function rewindUnrepeatable(walk: Walk): Promise<void> {
  const half = [...walk.started.keys()].filter((index) => !walk.done.has(index));
  const restorers = half.flatMap((index) => restorerOf(walk.plan.steps[index]) ?? []);
  if (restorers.length === 0) return;
  const lowest = Math.min(...restorers);
  const touched = [...walk.started.keys()].filter((index) => index >= lowest).sort((a, b) => b - a);
  for (const index of touched) await insist(walk, () => takeBack(walk, index));
  // Lowest first: the half-done step stays open until all is restored, so that being cut off in here begins this anew.
  for (const index of touched.reverse()) await writeUndone(walk, index);
}

function restorerOf(step: Step | undefined): number | undefined {
  return step !== undefined && step.kind === 'run-job' ? step.restoredBy : undefined;
}

function refuseWhenStopped(walk: Walk): void {
  if (walk.site.interrupted()) throw new ToolError('E_INTERRUPTED', 'interrupted');
}

/** What fails because a person asked to stop is no failure of the plan. */
function interruptionOr(cause: unknown, walk: Walk): unknown {
  if (!walk.site.interrupted() || isToolError(cause, 'E_INTERRUPTED')) return cause;
  return new ToolError('E_INTERRUPTED', 'interrupted', { cause });
}

function walkOf(application: Application): Walk {
  const { state } = application.journal;
  const { world } = application.site;
  const mayStop = (): boolean => !walk.door && !walk.goingBack;
  const walk: Walk = {
    ...application,
    site: {
      ...application.site,
      interrupted: () => world.stop.aborted && mayStop(),
      get stop() {
        return mayStop() ? world.stop : undefined;
      },
    },
    plan: state.head.plan,
    started: new Map(state.started),
    done: new Set(state.done),
    door: state.door,
    goingBack: false,
  };
  return walk;
}

/** One cast at one place: the table is keyed by the very kind the step carries. */
function handlerOf(handlers: Handlers, step: Step): Handler<Kind> {
  return handlers[step.kind] as unknown as Handler<Kind>;
}

/** The first line of what went wrong. */
export function reasonOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  return error instanceof Error ? error.message : String(error);
}

/** True when a person's Ctrl-C was the cause. */
export function wasInterrupted(applied: Applied): boolean {
  return isToolError(applied.cause, 'E_INTERRUPTED');
}
