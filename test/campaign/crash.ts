// The crash campaign: the real handlers, journal and recovery, cut off everywhere. Rule: an end state that is neither exactly old nor exactly new is wrong.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Applied, applyPlan, recoverPlan } from '../../src/apply/apply.ts';
import type { Handlers } from '../../src/apply/handler.ts';
import { handlers as realHandlers } from '../../src/apply/handlers.ts';
import { beginJournal, type Journal, openJournal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import { placeContents } from '../../src/apply/work.ts';
import type { Planned } from '../../src/model/plan.ts';
import { type Blow, Fuse, fuseHandlers, fuseJournal, fuseRun, withFuse } from './fuse.ts';
import { findWrongs } from './judge.ts';
import { headOf, type Moment, makeScenario, putMoment, type Scenario, takeMoment, WISHES, type Wish } from './scenario.ts';
import { worldOf } from './stage.ts';

/** One way to be cut off, and how it is ended. Points count from 1. */
export interface Case {
  readonly at: number;
  readonly blow: Blow | 'reboot';
  readonly direction: 'back' | 'forward';
  /** The recovery is cut off, too. */
  readonly again?: number;
}

export interface Verdict {
  readonly case: Case;
  readonly where: string;
  readonly ended: string;
  readonly wrongs: readonly string[];
}

/** An engine with one of its rules dropped. */
export interface Mutant {
  readonly name: string;
  readonly handlers?: (handlers: Handlers, scenario: Scenario) => Handlers;
  readonly journal?: (journal: Journal, scenario: Scenario) => Journal;
  readonly planned?: (planned: Planned) => Planned;
  /** What it leaves in the folder between a crash and the next start. */
  readonly opened?: (scenario: Scenario) => void;
  /** Paths that are never synced. */
  readonly unsynced?: RegExp;
}

export const FAITHFUL: Mutant = { name: 'the real thing' };

/** The points of an undisturbed run, in order. */
export async function countPoints(scenario: Scenario): Promise<readonly string[]> {
  const fuse = new Fuse();
  putMoment(scenario.stage, scenario.before);
  await start(scenario, fuse, FAITHFUL);
  return fuse.passed;
}

/** Cuts a run off, recovers as often as it takes, and judges what is left. */
export async function tryCase(scenario: Scenario, one: Case, mutant: Mutant = FAITHFUL): Promise<Verdict> {
  const first = await cutOff(scenario, one, mutant);
  return endCase(scenario, one, first, mutant);
}

/** The state after the first blow. */
export interface CutOff {
  readonly where: string;
  readonly result: Result;
  readonly moment: Moment;
  /** How many points the recovery of it has. */
  readonly points: number;
}

/** How a run or a recovery ended. */
export type Result = Applied | 'dead' | 'nothing open' | Error;

/** Delivers the first blow of a case, and looks how long its recovery is. */
export async function cutOff(scenario: Scenario, { at, blow }: Case, mutant: Mutant = FAITHFUL): Promise<CutOff> {
  const { stage, before } = scenario;
  putMoment(stage, before);
  const fuse = new Fuse({ at, blow: blow === 'reboot' ? 'kill' : blow });
  const result = await start(scenario, fuse, mutant);
  if (blow === 'reboot') stage.engine.reboot();
  return { where: fuse.where, result, moment: takeMoment(stage), points: 0 };
}

/** Recovers from a first blow, with a second one if the case has it, and judges. */
export async function endCase(scenario: Scenario, one: Case, first: CutOff, mutant: Mutant = FAITHFUL): Promise<Verdict> {
  const { stage } = scenario;
  putMoment(stage, first.moment);
  let { result, where } = first;
  if (one.again !== undefined && isOpen(result)) {
    const fuse = new Fuse({ at: one.again, blow: one.blow === 'fail' ? 'fail' : 'kill' });
    result = await recover(scenario, fuse, one.direction, mutant);
    where = `${where}, then ${fuse.where}`;
    if (one.blow === 'reboot') stage.engine.reboot();
  }
  for (let attempt = 0; attempt < 3 && isOpen(result); attempt += 1) {
    result = await recover(scenario, new Fuse(), one.direction, mutant);
  }
  return { case: one, where, ended: nameOfResult(result), wrongs: judge(scenario, one, result) };
}

/** The points of a recovery. */
export async function countRecovery(scenario: Scenario, first: CutOff, direction: Case['direction']): Promise<number> {
  if (!isOpen(first.result)) return 0;
  putMoment(scenario.stage, first.moment);
  const fuse = new Fuse();
  await recover(scenario, fuse, direction, FAITHFUL);
  return fuse.count;
}

/** Begins the scenario's plan and carries it out, as far as the fuse lets it. */
export async function start(scenario: Scenario, fuse: Fuse, mutant: Mutant): Promise<Result> {
  const planned = mutant.planned?.(scenario.planned) ?? scenario.planned;
  const { root } = scenario.stage;
  return settle(fuse, async () => {
    await openJournal(root);
    await placeContents(root, planned);
    const journal = await beginJournal(root, headOf(planned.plan));
    return applyPlan(applicationOf(scenario, journal, fuse, mutant));
  });
}

/** Recovers what is open. */
export async function recover(scenario: Scenario, fuse: Fuse, direction: Case['direction'], mutant: Mutant): Promise<Result> {
  return settle(fuse, async () => {
    const journal = await openJournal(scenario.stage.root);
    if (journal === undefined) return 'nothing open';
    mutant.opened?.(scenario);
    return recoverPlan(applicationOf(scenario, journal, fuse, mutant), direction);
  });
}

async function settle(fuse: Fuse, work: () => Promise<Applied | 'nothing open'>): Promise<Result> {
  try {
    return await withFuse(fuse, work);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function applicationOf(scenario: Scenario, journal: Journal, fuse: Fuse, mutant: Mutant): Parameters<typeof applyPlan>[0] {
  const { root, engine } = scenario.stage;
  const world = worldOf(engine, { run: fuseRun(engine, fuse), stop: fuse.stop.signal });
  return {
    journal: fuseJournal(mutant.journal?.(journal, scenario) ?? journal, root, fuse),
    site: siteOf(root, scenario.planned.plan.id, world),
    handlers: fuseHandlers(mutant.handlers?.(realHandlers, scenario) ?? realHandlers, fuse),
  };
}

/** After an error the journal may be open; recovering says when it is not. */
export function isOpen(result: Result): boolean {
  return result === 'dead' || result instanceof Error;
}

function judge(scenario: Scenario, one: Case, result: Result): readonly string[] {
  const wrongs = judgeEnd(scenario, result);
  return typeof result === 'object' && 'outcome' in result && result.outcome === 'undone'
    ? [...wrongDirection(scenario, one), ...wrongs]
    : wrongs;
}

/** Whether the world is what the result says: exactly old when it was undone, exactly new when it was done. */
export function judgeEnd(scenario: Scenario, result: Result): readonly string[] {
  const { stage } = scenario;
  if (result === 'dead') return ['it never ends'];
  if (result instanceof Error)
    return [`recovery fails: ${result.message}${result.cause instanceof Error ? `: ${result.cause.message}` : ''}`];
  if (result === 'nothing open') return leastWrong(scenario);
  if (result.outcome === 'undone') return findWrongs(stage, scenario.old);
  return result.outcome === 'done' ? findWrongs(stage, scenario.new) : wrongsOfFailed(scenario);
}

/** The plan had ended, or never begun, before it was cut off: it is one of the two states. */
function leastWrong(scenario: Scenario): readonly string[] {
  const { stage } = scenario;
  const moment = takeMoment(stage);
  const asOld = findWrongs(stage, scenario.old);
  if (asOld.length === 0) return [];
  putMoment(stage, moment);
  const asNew = scenario.ends === 'failed' ? wrongsOfFailed(scenario) : findWrongs(stage, scenario.new);
  return asNew.length < asOld.length ? asNew : asOld;
}

/** Past the point of no return: all is new, but the door may be shut and old things not yet cleared away. */
function wrongsOfFailed({ stage, new: wanted }: Scenario): readonly string[] {
  const wrongs = findWrongs(stage, { ...wanted, loose: Object.keys(wanted.services) });
  return wrongs.filter((text) => !/^(images|releases):|is still there$/.test(text));
}

/** What can be finished, and was to be finished, must be. */
function wrongDirection(scenario: Scenario, { direction, blow, again }: Case): string[] {
  const mustFinish = direction === 'forward' && scenario.ends === 'done' && blow === 'kill' && again === undefined;
  return mustFinish ? ['it went back although it was to go on'] : [];
}

/** A word for it. */
export function nameOfResult(result: Result): string {
  if (typeof result === 'string') return result;
  return result instanceof Error ? 'error' : result.outcome;
}

/** A folder on a memory file system where there is one: every line is synced, thousands of times. */
export function campaignFolder(): string {
  const isMemory = statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() === true;
  return mkdtempSync(join(isMemory ? '/dev/shm' : tmpdir(), 'slipway-campaign-'));
}

/** Makes each scenario in turn, and removes it after use. */
export async function eachScenario(work: (scenario: Scenario) => Promise<void>, wishes: readonly Wish[] = WISHES): Promise<void> {
  const folder = campaignFolder();
  try {
    for (const [index, wish] of wishes.entries()) await work(await makeScenario(wish, join(folder, String(index))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
