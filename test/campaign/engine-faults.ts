// An engine whose answers go wrong, at every call of a plan. Rule: one call goes wrong, in one way; whatever comes of it, the end is exactly old or exactly new,
// and is what the tool says.
import { type Applied, applyPlan, recoverPlan } from '../../src/apply/apply.ts';
import { handlers } from '../../src/apply/handlers.ts';
import { beginJournal, type Journal, openJournal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import { placeContents } from '../../src/apply/work.ts';
import { ToolError } from '../../src/model/error.ts';
import type { Run, RunOptions, RunResult } from '../../src/model/seams.ts';
import { type FakeEngine, isEffect } from '../fakes/engine.ts';
import { isOpen, judgeEnd, nameOfResult, type Result } from './crash.ts';
import { headOf, putMoment, type Scenario } from './scenario.ts';
import { worldOf } from './stage.ts';

/** What goes wrong. */
export const FAULTS = [
  'refused', // the engine answers 500, and has done nothing
  'answer lost', // it has done all of it, and the answer never comes
  'cut short', // the stream drops in the middle: half of it is done
  'lie', // success is said, and nothing is done
  'half a lie', // success is said, and half of it is done
  'hang', // no answer ever
  'hang after', // all is done, and no answer ever
  'slow', // the answer takes a minute
  'restart', // the daemon restarts in the middle, and is away for the next two calls
  'down', // the daemon is away from here on, until somebody recovers
] as const;

export type Fault = (typeof FAULTS)[number];

export interface FaultCase {
  /** Which call it is, counted from 1. */
  readonly at: number;
  readonly fault: Fault;
}

export interface FaultVerdict {
  readonly case: FaultCase;
  /** The call, in words. */
  readonly where: string;
  /** How the run ended by itself, and then the recovery. */
  readonly ended: string;
  readonly wrongs: readonly string[];
}

/** Every call of an undisturbed run, in order. */
export async function callsOf(scenario: Scenario): Promise<readonly string[]> {
  putMoment(scenario.stage, scenario.before);
  const shim = makeShim(scenario.stage.engine, { at: Number.POSITIVE_INFINITY, fault: 'slow' });
  await begin(scenario, shim);
  return shim.calls;
}

/** True when this fault says something about this call. */
export function applies(fault: Fault, call: string): boolean {
  const changes = call.startsWith('! ');
  if (fault === 'lie' || fault === 'half a lie' || fault === 'answer lost' || fault === 'hang after') return changes;
  return true;
}

/** One call goes wrong; then the engine is well again, and what is open is recovered. */
export async function tryFault(scenario: Scenario, one: FaultCase): Promise<FaultVerdict> {
  const { stage } = scenario;
  putMoment(stage, scenario.before);
  const shim = makeShim(stage.engine, one);
  const first = await begin(scenario, shim);
  let result = first;
  for (let attempt = 0; attempt < 3 && isOpen(result); attempt += 1) result = await recover(scenario);
  const ended = isOpen(first) ? `${nameOfResult(first)}, then ${nameOfResult(result)}` : nameOfResult(result);
  return { case: one, where: shim.calls[one.at - 1] ?? '', ended, wrongs: judgeEnd(scenario, result) };
}

export interface FaultTally {
  readonly name: string;
  /** Calls of an undisturbed run. */
  readonly points: number;
  readonly cases: number;
  /** Of these, how many were left open and recovered. */
  readonly recovered: number;
  readonly wrong: readonly FaultVerdict[];
}

/** Every kind of fault at every n-th call. */
export async function tallyFaults(scenario: Scenario, stride = 1): Promise<FaultTally> {
  const calls = await callsOf(scenario);
  const verdicts: FaultVerdict[] = [];
  for (const [index, fault] of FAULTS.entries())
    for (let at = 1 + (index % stride); at <= calls.length; at += stride)
      if (applies(fault, calls[at - 1] ?? '')) verdicts.push(await tryFault(scenario, { at, fault }));
  const recovered = verdicts.filter(({ ended }) => ended.includes(', then ')).length;
  const wrong = verdicts.filter(({ wrongs }) => wrongs.length > 0);
  return { name: scenario.name, points: calls.length, cases: verdicts.length, recovered, wrong };
}

interface Shim {
  readonly run: Run;
  readonly calls: string[];
  /** Resolves when nothing will ever come again. */
  readonly hung: Promise<'dead'>;
}

const RESTARTING = 2;
const MINUTE = 60_000;

function makeShim(engine: FakeEngine, { at, fault }: FaultCase): Shim {
  const calls: string[] = [];
  let hang: (how: 'dead') => void = () => undefined;
  const hung = new Promise<'dead'>((resolve) => {
    hang = resolve;
  });
  const client = engine.client();
  const run: Run = async (argv, options = {}) => {
    const call = calls.push(nameOf(argv));
    const since = call - at;
    if (since > 0 && (fault === 'down' || (fault === 'restart' && since <= RESTARTING))) return NO_DAEMON;
    if (since > 0 && fault.startsWith('hang') && isDead) return new Promise(() => undefined);
    if (since !== 0) return client(argv, options);
    return strike(argv, options);
  };
  let isDead = false;
  const never = async (argv: readonly string[], options: RunOptions): Promise<RunResult> => {
    if (options.timeout !== undefined) {
      engine.wait(options.timeout * 1000);
      throw new ToolError('E_COMMAND', `${argv.slice(0, 3).join(' ')} took longer than ${options.timeout} s and was ended`);
    }
    isDead = true;
    hang('dead');
    return new Promise(() => undefined);
  };
  const strike: Run = async (argv, options = {}) => {
    if (fault === 'refused') return failed('Error response from daemon: 500 Internal Server Error');
    if (fault === 'down') return NO_DAEMON;
    if (fault === 'lie') return { code: 0, stdout: '', stderr: '' };
    if (fault === 'half a lie') return { ...(await half(engine, argv, options)), code: 0, stderr: '' };
    if (fault === 'cut short') return half(engine, argv, options);
    if (fault === 'hang') return never(argv, options);
    if (fault === 'slow') engine.wait(MINUTE);
    if (fault === 'restart') {
      const result = await half(engine, argv, options);
      engine.reboot();
      return result;
    }
    const answer = await client(argv, options);
    if (fault === 'answer lost') return DROPPED;
    return fault === 'hang after' ? never(argv, options) : answer;
  };
  return { run, calls, hung };
}

class Dropped extends Error {}

/** As far as the first place where it can be cut; a call without one has not begun. */
async function half(engine: FakeEngine, argv: readonly string[], options: RunOptions): Promise<RunResult> {
  const client = engine.client(async () => {
    throw new Dropped();
  });
  try {
    if (!isEffect(argv)) return DROPPED;
    await client(argv, options);
  } catch (error) {
    if (!(error instanceof Dropped)) throw error;
  }
  return DROPPED;
}

function failed(stderr: string): RunResult {
  return { code: 1, stdout: '', stderr: `${stderr}\n` };
}

const DROPPED = failed('error during connect: Post "http://%2Fvar%2Frun%2Fdocker.sock/v1.48": unexpected EOF');
const NO_DAEMON = failed('Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?');

/** Calls that change something begin with `!`. */
function nameOf(argv: readonly string[]): string {
  const words = argv[1] === 'compose' ? ['compose', ...argv.filter((word) => VERBS.includes(word))] : argv.slice(1, 3);
  return `${isEffect(argv) ? '! ' : ''}${words.filter((word) => !word.startsWith('-')).join(' ')}`;
}

const VERBS = ['config', 'up', 'run', 'exec', 'migrate', 'nginx', 'healthy'];

async function begin(scenario: Scenario, shim: Shim): Promise<Result> {
  const { planned, stage } = scenario;
  const work = async (): Promise<Applied> => {
    await openJournal(stage.root);
    await placeContents(stage.root, planned);
    return applyPlan(applicationOf(scenario, await beginJournal(stage.root, headOf(planned.plan)), shim.run));
  };
  return settle(Promise.race([work(), shim.hung]));
}

async function recover(scenario: Scenario): Promise<Result> {
  const work = async (): Promise<Applied | 'nothing open'> => {
    const journal = await openJournal(scenario.stage.root);
    return journal === undefined ? 'nothing open' : recoverPlan(applicationOf(scenario, journal, scenario.stage.engine.client()));
  };
  return settle(work());
}

async function settle(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function applicationOf({ stage, planned }: Scenario, journal: Journal, run: Run): Parameters<typeof applyPlan>[0] {
  return { journal, handlers, site: siteOf(stage.root, planned.plan.id, worldOf(stage.engine, { run })) };
}
