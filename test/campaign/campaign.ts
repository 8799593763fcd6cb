// The campaign as a whole: which cases are tried, and the table of what came of them. Rule: what is left out is chosen by a seed; the whole leaves out no point.
import { type Case, countPoints, countRecovery, cutOff, eachScenario, endCase, type Mutant, tryCase, type Verdict } from './crash.ts';
import { FAULTS, type FaultVerdict, tallyFaults } from './engine-faults.ts';
import { type Explored, type ExploredVerdict, exploreScenario } from './explore.ts';
import { MUTANTS, type MutantTrial } from './mutants.ts';
import { type Scenario, WISHES, type Wish } from './scenario.ts';

export interface Tally {
  readonly name: string;
  /** Places where an undisturbed run can be cut off; for an engine that goes wrong, its calls. */
  readonly points: number;
  readonly once: number;
  /** For an engine that goes wrong: how many of them were left open and recovered. */
  readonly twice: number;
  readonly wrong: readonly (Verdict | FaultVerdict | ExploredVerdict)[];
  readonly explored?: Explored;
  readonly engine?: true;
}

export interface Extent {
  /** At every how many-eth point a step fails, or a person interrupts; 1 = all. */
  readonly stride: number;
  /** The worlds that are recovered from: all, or of a share of the points so many. */
  readonly worlds: 'all' | { readonly share: number; readonly most: number };
  readonly seed: number;
}

export const SAMPLE: Extent = { stride: 500, worlds: { share: 0.01, most: 3 }, seed: 1 };
export const WHOLE: Extent = { stride: 3, worlds: 'all', seed: 1 };

/** The ways of being disturbed that leave the process alive; those that end it are explored. */
const WAYS: readonly Pick<Case, 'blow' | 'direction'>[] = [
  { blow: 'fail', direction: 'back' },
  { blow: 'interrupt', direction: 'back' },
];

/** Tries the cases of one scenario. */
export async function tryScenario(scenario: Scenario, { stride, worlds, seed }: Extent): Promise<Tally> {
  const { length } = await countPoints(scenario);
  const draw = drawFrom(seed + scenario.name.length);
  const verdicts: Verdict[] = [];
  for (const way of WAYS)
    for (let at = 1 + Math.floor(draw() * stride); at <= length; at += stride) verdicts.push(await tryCase(scenario, { at, ...way }));
  const explored = await exploreScenario(scenario, worlds === 'all' ? {} : { sample: { ...worlds, draw } });
  const wrong = verdicts.filter((each) => each.wrongs.length > 0);
  return { name: scenario.name, points: explored.points, once: verdicts.length, twice: 0, wrong: [...wrong, ...explored.wrong], explored };
}

/** A first blow, and some second ones during its recovery. */
async function tryTwice(scenario: Scenario, one: Case, draw: () => number, mutant: Mutant): Promise<Verdict[]> {
  const first = await cutOff(scenario, one, mutant);
  const points = await countRecovery(scenario, first, one.direction);
  const verdicts: Verdict[] = [];
  for (let second = 0; second < 2 && points > 0; second += 1)
    verdicts.push(await endCase(scenario, { ...one, again: 1 + Math.floor(draw() * points) }, first, mutant));
  return verdicts;
}

/** Tries an engine without one of its rules, where that should show. */
export async function tryMutant(scenario: Scenario, mutant: MutantTrial, most: number): Promise<Tally> {
  if (mutant.unsynced !== undefined) return exploreMutant(scenario, mutant, most);
  const points = await countPoints(scenario);
  const all = points.flatMap((where, index) => (mutant.where.test(where) ? [index + 1] : []));
  const chosen = all.filter((_, index) => index % Math.ceil(all.length / most) === 0);
  const draw = drawFrom(1);
  const verdicts: Verdict[] = [];
  for (const at of chosen) {
    const one: Case = { at, blow: 'kill', direction: mutant.direction };
    verdicts.push(...(mutant.twice === true ? await tryTwice(scenario, one, draw, mutant) : [await tryCase(scenario, one, mutant)]));
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

async function exploreMutant(scenario: Scenario, mutant: MutantTrial, most: number): Promise<Tally> {
  const sample = { share: 1, most: 4 * most, draw: drawFrom(1) };
  const { points, first, recoveries, wrong } = await exploreScenario(scenario, { mutant, where: mutant.where, depth: 1, sample });
  return { name: mutant.name, points, once: first, twice: recoveries, wrong };
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
  const rows = (of: readonly Tally[], cells: readonly ((tally: Tally) => number)[]): string[] => {
    const row = (name: string, among: readonly Tally[]): string =>
      `| ${[name, ...[...cells, wrongOf].map((cell) => among.reduce((sum, tally) => sum + cell(tally), 0))].join(' | ')} |`;
    return [...of.map((tally) => row(tally.name, [tally])), row('**all**', of)];
  };
  const wrongOf = ({ wrong }: Tally): number => wrong.length;
  const counts = [({ points }: Tally) => points, ({ once }: Tally) => once, ({ twice }: Tally) => twice];
  const worlds = (['first', 'second', 'powerCuts', 'recoveries'] as const).map(
    (key) =>
      ({ explored }: Tally) =>
        explored?.[key] ?? 0,
  );
  return [
    '| what is cut off | points | disturbed, alive | worlds after one crash | after two | of these, by a power cut | recoveries | wrong end states |',
    '|---|---:|---:|---:|---:|---:|---:|---:|',
    ...rows(real, [...counts.slice(0, 2), ...worlds]),
    '',
    '| with one rule dropped | points | once | twice | wrong end states (must not be 0) |',
    '|---|---:|---:|---:|---:|',
    ...rows(mutants, counts).slice(0, -1),
    '',
    `| a call of the engine goes wrong, in ${FAULTS.length} ways | calls | cases | left open, then recovered | wrong end states |`,
    '|---|---:|---:|---:|---:|',
    ...rows(faulty, counts),
    ...[...real, ...faulty]
      .flatMap(({ wrong }) => wrong)
      .slice(0, 20)
      .map((verdict) => `wrong: ${describeVerdict(verdict)}`),
  ];
}

/** A wrong end, so that it can be tried again. */
export function describeVerdict({ case: one, where, ended, wrongs }: Tally['wrong'][number]): string {
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
