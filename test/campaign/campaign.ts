// The campaign as a whole: which cases are tried, and the table of what came of them. Rule: what is left out is chosen by a seed; the whole leaves out no point.
import {
  type Case,
  countPoints,
  countRecovery,
  cutOff,
  eachScenario,
  endCase,
  FAITHFUL,
  type Mutant,
  tryCase,
  type Verdict,
} from './crash.ts';
import { FAULTS, type FaultVerdict, tallyFaults } from './engine-faults.ts';
import { MUTANTS, type MutantTrial } from './mutants.ts';
import { type Scenario, WISHES, type Wish } from './scenario.ts';

export interface Tally {
  readonly name: string;
  /** Places where an undisturbed run can be cut off; for an engine that goes wrong, its calls. */
  readonly points: number;
  readonly once: number;
  /** For an engine that goes wrong: how many of them were left open and recovered. */
  readonly twice: number;
  readonly wrong: readonly (Verdict | FaultVerdict)[];
  readonly engine?: true;
}

export interface Extent {
  /** Every how many-eth point of being killed; 1 = all. Other ways of being cut off are tried at every third of these. */
  readonly stride: number;
  /** How many first blows are followed by a second one, and how often each; `all` = a first blow at every point. */
  readonly pairs: number | 'all';
  readonly seconds: number;
  readonly seed: number;
}

export const SAMPLE: Extent = { stride: 200, pairs: 1, seconds: 1, seed: 1 };
export const WHOLE: Extent = { stride: 1, pairs: 'all', seconds: 6, seed: 1 };

/** The ways of being cut off. */
const WAYS: readonly Pick<Case, 'blow' | 'direction'>[] = [
  { blow: 'kill', direction: 'back' },
  { blow: 'kill', direction: 'forward' },
  { blow: 'reboot', direction: 'back' },
  { blow: 'fail', direction: 'back' },
  { blow: 'interrupt', direction: 'back' },
];

/** Tries the cases of one scenario. */
export async function tryScenario(scenario: Scenario, extent: Extent): Promise<Tally> {
  const { length } = await countPoints(scenario);
  const draw = drawFrom(extent.seed + scenario.name.length);
  const verdicts: Verdict[] = [];
  for (const way of WAYS) {
    const stride = way.blow === 'kill' ? extent.stride : extent.stride * 3;
    for (let at = 1 + Math.floor(draw() * stride); at <= length; at += stride) verdicts.push(await tryCase(scenario, { at, ...way }));
  }
  const once = verdicts.length;
  const { pairs } = extent;
  for (let pair = 0; pair < (pairs === 'all' ? length : pairs); pair += 1) {
    const way = WAYS[Math.floor(draw() * 4)] ?? { blow: 'kill', direction: 'back' };
    const at = pairs === 'all' ? pair + 1 : 1 + Math.floor(draw() * length);
    verdicts.push(...(await tryTwice(scenario, { ...way, at }, draw, extent.seconds)));
  }
  return {
    name: scenario.name,
    points: length,
    once,
    twice: verdicts.length - once,
    wrong: verdicts.filter((each) => each.wrongs.length > 0),
  };
}

/** A first blow, and some second ones during its recovery. */
async function tryTwice(scenario: Scenario, one: Case, draw: () => number, seconds: number, mutant: Mutant = FAITHFUL): Promise<Verdict[]> {
  const first = await cutOff(scenario, one, mutant);
  const points = await countRecovery(scenario, first, one.direction);
  const verdicts: Verdict[] = [];
  for (let second = 0; second < seconds && points > 0; second += 1)
    verdicts.push(await endCase(scenario, { ...one, again: 1 + Math.floor(draw() * points) }, first, mutant));
  return verdicts;
}

/** Tries an engine without one of its rules, where that should show. */
export async function tryMutant(scenario: Scenario, mutant: MutantTrial, most: number): Promise<Tally> {
  const points = await countPoints(scenario);
  const all = points.flatMap((where, index) => (mutant.where.test(where) ? [index + 1] : []));
  const chosen = all.filter((_, index) => index % Math.ceil(all.length / most) === 0);
  const draw = drawFrom(1);
  const verdicts: Verdict[] = [];
  for (const at of chosen) {
    const one: Case = { at, blow: 'kill', direction: mutant.direction };
    verdicts.push(...(mutant.twice === true ? await tryTwice(scenario, one, draw, 2, mutant) : [await tryCase(scenario, one, mutant)]));
  }
  const twice = mutant.twice === true ? verdicts.length : 0;
  return {
    name: mutant.name,
    points: all.length,
    once: verdicts.length - twice,
    twice,
    wrong: verdicts.filter((each) => each.wrongs.length > 0),
  };
}

/** The whole campaign, or its sample. Prints the table, and gives false when anything came out other than it must. */
export async function campaignCrash(full: boolean, print: (line: string) => void = console.log): Promise<boolean> {
  const tallies: Tally[] = [];
  for (let part = 0; part < PARTS; part += 1) tallies.push(...(await tallyPart(full, part)));
  return reportCampaign(tallies, print);
}

/** Scenarios, one by one, the mutants, and the scenarios again with an engine that goes wrong: parts that several processes can share. */
export const PARTS: number = 2 * WISHES.length + 1;

export async function tallyPart(full: boolean, part: number): Promise<Tally[]> {
  const wish = WISHES[part];
  if (wish !== undefined) return tallyScenarios(full ? WHOLE : SAMPLE, [wish]);
  return part === WISHES.length
    ? tallyMutants(full ? 1000 : 3)
    : tallyEngine(full ? 1 : 97, WISHES.slice(part - WISHES.length - 1).slice(0, 1));
}

/** Faults of the engine at every n-th call. */
export async function tallyEngine(stride: number, wishes: readonly Wish[]): Promise<Tally[]> {
  const tallies: Tally[] = [];
  await eachScenario(async (scenario) => {
    const { name, points, cases, recovered, wrong } = await tallyFaults(scenario, stride);
    tallies.push({ name, points, once: cases, twice: recovered, wrong, engine: true });
  }, wishes);
  return tallies;
}

/** Prints the table; false when a faithful engine ended wrong, or one without its rules never did. */
export function reportCampaign(tallies: readonly Tally[], print: (line: string) => void): boolean {
  const isMutant = (tally: Tally): boolean => MUTANTS.some((mutant) => mutant.name === tally.name);
  const mutants = tallies.filter(isMutant);
  const faulty = tallies.filter((tally) => tally.engine === true);
  const real = tallies.filter((tally) => !isMutant(tally) && tally.engine !== true);
  for (const line of tableOf(real, mutants, faulty)) print(line);
  return [...real, ...faulty].every((tally) => tally.wrong.length === 0) && mutants.every((tally) => tally.wrong.length > 0);
}

export async function tallyScenarios(extent: Extent, wishes: readonly Wish[] = WISHES): Promise<Tally[]> {
  const tallies: Tally[] = [];
  await eachScenario(async (scenario) => {
    tallies.push(await tryScenario(scenario, extent));
  }, wishes);
  return tallies;
}

export async function tallyMutants(most: number, mutants: readonly MutantTrial[] = MUTANTS): Promise<Tally[]> {
  const tallies: Tally[] = [];
  const needed = WISHES.filter((wish) => mutants.some((mutant) => mutant.scenario === wish.name));
  await eachScenario(async (scenario) => {
    for (const mutant of mutants) if (mutant.scenario === scenario.name) tallies.push(await tryMutant(scenario, mutant, most));
  }, needed);
  return tallies;
}

/** The table as it is kept with the repository. */
export function tableOf(real: readonly Tally[], mutants: readonly Tally[], faulty: readonly Tally[]): string[] {
  const row = ({ name, points, once, twice, wrong }: Tally): string => `| ${name} | ${points} | ${once} | ${twice} | ${wrong.length} |`;
  const sum = (of: readonly Tally[], key: 'points' | 'once' | 'twice'): number => of.reduce((total, tally) => total + tally[key], 0);
  const wrongOf = (of: readonly Tally[]): Tally['wrong'] => of.flatMap((tally) => tally.wrong);
  const all = (of: readonly Tally[]): string =>
    row({ name: '**all**', points: sum(of, 'points'), once: sum(of, 'once'), twice: sum(of, 'twice'), wrong: wrongOf(of) });
  return [
    '| what is cut off | points | once | twice | wrong end states |',
    '|---|---:|---:|---:|---:|',
    ...real.map(row),
    all(real),
    '',
    '| with one rule dropped | points | once | twice | wrong end states (must not be 0) |',
    '|---|---:|---:|---:|---:|',
    ...mutants.map(row),
    '',
    `| a call of the engine goes wrong, in ${FAULTS.length} ways | calls | cases | left open, then recovered | wrong end states |`,
    '|---|---:|---:|---:|---:|',
    ...faulty.map(row),
    all(faulty),
    ...wrongOf([...real, ...faulty])
      .slice(0, 20)
      .map((verdict) => `wrong: ${describeVerdict(verdict)}`),
  ];
}

/** A wrong end, so that it can be tried again. */
export function describeVerdict({ case: one, where, ended, wrongs }: Verdict | FaultVerdict): string {
  return `${JSON.stringify(one)} at ${where}, ended ${ended}: ${wrongs.slice(0, 4).join('; ').slice(0, 400)}`;
}

/** Numbers that look random and are the same every time (mulberry32). */
function drawFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
