// A plan carried out in thought: which services run, and what is backed up, before each of its steps. Rule: knows what steps do, not why.
import { expect } from 'vitest';
import { handlers } from '../../src/apply/handlers.ts';
import type { Kind, Plan, Step } from '../../src/model/plan.ts';
import { planToText } from '../../src/show/plan.ts';
import { ROOT } from './sketch.ts';

export interface Moment {
  readonly step: Step;
  readonly index: number;
  /** Past the point of no return. */
  readonly committed: boolean;
  /** Services with containers: those from before the plan, and those it started. */
  readonly before: ReadonlySet<string>;
  readonly started: ReadonlySet<string>;
  /** Items that lie in a finished backup. */
  readonly safe: ReadonlySet<string>;
  /** Files have been swapped already. */
  readonly swapped: boolean;
}

/** The moments right before each step, and the one after the last. */
export function walk(plan: Plan, present: readonly string[]): { readonly moments: readonly Moment[]; readonly end: Omit<Moment, 'step'> } {
  const moments: Moment[] = [];
  let before = new Set(present);
  let started = new Set<string>();
  let copied = new Set<string>();
  let safe = new Set<string>();
  let swapped = false;
  for (const [index, step] of plan.steps.entries()) {
    moments.push({ step, index, committed: index > plan.commitAfter, before, started, safe, swapped });
    if (step.kind === 'stop-services') {
      before = without(before, step.services);
      started = without(started, step.services);
    }
    if (step.kind === 'start-services') {
      before = without(before, step.services);
      started = new Set([...started, ...step.services]);
    }
    if (step.kind === 'copy-data') copied = new Set([...copied, ...step.items.map(({ name }) => name)]);
    if (step.kind === 'close-backup') safe = copied;
    if (step.kind === 'swap-files') swapped = true;
  }
  return { moments, end: { index: plan.steps.length, committed: true, before, started, safe, swapped } };
}

export function stepsOf<K extends Kind>(plan: Plan, kind: K): Step<K>[] {
  return plan.steps.filter((step): step is Step<K> & Step => step.kind === kind);
}

export function kindsOf(plan: Plan): Kind[] {
  return plan.steps.map(({ kind }) => kind);
}

/** Steps that leave nothing to take back: they only look, or write into a backup that `open-backup` takes back, or that is better kept. */
const HARMLESS: readonly Kind[] = ['check-health', 'measure-data', 'dump-data', 'close-backup'];
const PRUNES: readonly Kind[] = ['remove-paths', 'remove-images', 'remove-project', 'drop-volumes'];

/** What is true of every plan that changes an install. */
export function expectSound(plan: Plan): void {
  const before = plan.steps.slice(0, plan.commitAfter + 1);
  const stuck = before.filter(({ kind }) => handlers[kind].undo === undefined && !HARMLESS.includes(kind));
  expect(
    stuck.map(({ kind }) => kind),
    'steps before the point of no return that cannot be taken back',
  ).toEqual([]);
  expect(
    before.filter(({ kind }) => PRUNES.includes(kind)),
    'removed while going back is possible',
  ).toEqual([]);
  expect(plan.commitAfter).toBeGreaterThanOrEqual(0);
  expect(plan.commitAfter).toBeLessThan(plan.steps.length);
  const keys = plan.steps.map(({ why: _, ...step }) => JSON.stringify(step));
  expect(new Set(keys).size, 'steps that are told apart by what they are about').toBe(keys.length);
  for (const path of plan.steps.flatMap(pathsNamed))
    expect(path, 'a path inside of the install').toMatch(/^(?!\/)(?!.*(^|\/)\.\.(\/|$)).+/);
  expectStaged(plan);
  expectReadable(plan);
}

/** What is swapped in was staged before, under the very same path, with the same content. */
function expectStaged(plan: Plan): void {
  const staged = new Set<string>();
  for (const step of plan.steps) {
    if (step.kind === 'stage-files') for (const { path, content } of step.files) staged.add(`${step.to}/${path} ${content}`);
    if (step.kind !== 'swap-files') continue;
    const missing = step.files.filter(({ path, content }) => content !== null && !staged.has(`${step.from}/${path} ${content}`));
    expect(missing, 'swapped in without being staged').toEqual([]);
  }
}

function expectReadable(plan: Plan): void {
  const text = planToText(plan);
  expect(text).not.toContain(ROOT);
  expect(text).not.toMatch(/sha256:|undefined|\[object/);
  expect(plan.steps.filter(({ why }) => why === '')).toEqual([]);
}

function pathsNamed(step: Step): readonly string[] {
  switch (step.kind) {
    case 'make-folders':
      return step.folders.map(({ path }) => path);
    case 'stage-files':
      return [step.to, ...step.files.map(({ path }) => path), ...(step.links ?? [])];
    case 'swap-files':
      return [step.from, ...step.files.map(({ path }) => path)];
    case 'open-backup':
      return [step.backup, ...step.files];
    case 'remove-paths':
      return step.paths;
    default:
      return [];
  }
}

function without(set: ReadonlySet<string>, gone: readonly string[]): Set<string> {
  return new Set([...set].filter((each) => !gone.includes(each)));
}
