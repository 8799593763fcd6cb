// How long the product was away. Rule: measured where the steps are reported, from the first stop to the end of the last start.
import type { Event } from '../../model/event.ts';
import type { Plan } from '../../model/plan.ts';
import type { World } from '../../model/seams.ts';

export interface Downtime {
  /** The world to carry the plan out in. */
  readonly world: World;
  /** Whole milliseconds so far; 0 when nothing was stopped. */
  readonly total: () => number;
}

/** Watches the steps of a plan go by. */
export function watchDowntime(plan: Plan, world: World): Downtime {
  const stop = plan.steps.findIndex((step) => step.kind === 'stop-services');
  const start = plan.steps.findLastIndex((step) => step.kind === 'start-services');
  let began: number | undefined;
  let ended: number | undefined;
  const report = (event: Event): void => {
    if (event.type === 'step' && event.index === stop) began ??= world.now().getTime();
    if (event.type === 'step-done' && event.index === start) ended = world.now().getTime();
    world.report(event);
  };
  return { world: { ...world, report }, total: () => (began === undefined ? 0 : (ended ?? world.now().getTime()) - began) };
}
