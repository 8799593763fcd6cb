// Random blows on real upgrades: killed, stopped, hung up on, cut off from their terminal, and two at once. Rule: the usual run tries a few kills; `npm run campaign`
// tries five hundred, and the rest. What was tried is written line by line, so that a long run can be continued.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chanceOf } from '../fakes/chance.ts';
import { makeLean } from './lean-product.ts';
import { drawMoment, type Moment, measure, race, type Target, tryMoment, type Verdict } from './random-kill.ts';
import { install, openStage, type Stage } from './stage.ts';

const WHOLE = process.env.SLIPWAY_CAMPAIGN === '1';
const CASES = Number(process.env.SLIPWAY_KILLS ?? (WHOLE ? 500 : 2));
/** Installs that are struck side by side: most of an upgrade is waiting. */
const SIDE_BY_SIDE = Number(process.env.SLIPWAY_KILLS_AT_ONCE ?? (WHOLE ? 3 : 1));
/** No case is begun later than so many minutes after the start. */
const UNTIL = Date.now() + Number(process.env.SLIPWAY_KILL_MINUTES ?? 600) * 60_000;
const LOG = process.env.SLIPWAY_KILL_LOG ?? '';
const SEED = 20261121;

let stage: Stage;
const targets: Target[] = [];

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1, makeLean);
  const names = Array.from({ length: SIDE_BY_SIDE }, (_, at) => `struck${at + 1}`);
  const installs = [];
  for (const name of names) installs.push(await install(stage, name, { project: name }));
  await stage.publish('2.0.0', 2, makeLean);
  // Side by side, as they will be struck: alone each would be faster, and the blows would all fall into its first half.
  const measured = installs.map(async (installed, at) => {
    const kept = join(stage.folder, `kept-${names[at]}`);
    await mkdir(kept);
    return measure(installed, kept);
  });
  targets.push(...(await Promise.all(measured)));
  for (const { length } of targets) console.log(`an undisturbed upgrade takes ${length} ms`);
});

afterAll(async () => {
  for (const { installed } of targets) await installed.remove();
  await stage?.close();
});

test('an upgrade that is killed at any moment ends at exactly the old or the new release, and no acknowledged row is lost', async () => {
  const tried = [...readLog(), ...(await tryAll(waitingCases()))];
  console.log(`random kill campaign: ${describeAll(tried)}`);
  expect(tried.filter(({ wrongs }) => wrongs.length > 0)).toEqual([]);
  expect(tried.length).toBeGreaterThan(0);
});

test.runIf(WHOLE).each<Moment>([
  { way: 'pause', share: 0.6 },
  { way: 'hangup', share: 0.4 },
  { way: 'pipe', share: 0.5 },
])('an upgrade on which $way is tried goes on and succeeds', async (moment) => {
  const [target] = targets;
  if (target === undefined) throw new Error('there is no install');
  const { end, outcome, wrongs } = await tryMoment(target, 100_000 + Math.round(moment.share * 10), moment);
  expect(wrongs).toEqual([]);
  expect([end, outcome]).toEqual(['new', 'nothing-open']);
});

test.runIf(WHOLE).each([
  ['two upgrades', ['upgrade', '--yes'], ['upgrade', '--yes']],
  ['an upgrade and a restore', ['upgrade', '--yes'], ['restore', '--yes']],
] as const)('of %s at once one is carried out, and the other is told who is at work', async (_, one, other) => {
  const [target] = targets;
  if (target === undefined) throw new Error('there is no install');
  if (other[0] === 'restore') expect((await target.installed.ctl('backup', '--yes')).code).toBe(0);
  const { codes, refusals, wrongs } = await race(target, one, other);
  expect([codes, refusals, wrongs]).toEqual([[0, 3], ['E_LOCKED'], []]);
});

/** The cases of this seed that were not tried yet. */
function waitingCases(): number[] {
  const done = new Set(readLog().map(({ index }) => index));
  return Array.from({ length: CASES }, (_, index) => index).filter((index) => !done.has(index));
}

/** Each install takes the next case as soon as it is free. */
async function tryAll(indexes: number[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  await Promise.all(
    targets.map(async (target) => {
      for (let index = indexes.shift(); index !== undefined && Date.now() < UNTIL; index = indexes.shift()) {
        const chance = chanceOf(SEED + index * 7919);
        chance(2); // the first number of near seeds is near
        const verdict = await tryMoment(
          target,
          index,
          drawMoment(() => chance(1_000_000) / 1_000_000),
        );
        if (LOG !== '') appendFileSync(LOG, `${JSON.stringify(verdict)}\n`);
        verdicts.push(verdict);
      }
    }),
  );
  return verdicts;
}

function readLog(): Verdict[] {
  if (LOG === '' || !existsSync(LOG)) return [];
  return readFileSync(LOG, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Verdict);
}

function describeAll(tried: readonly Verdict[]): string {
  const count = (is: (verdict: Verdict) => boolean): number => tried.filter(is).length;
  const ends = { old: count(({ end }) => end === 'old'), new: count(({ end }) => end === 'new') };
  const open = count(({ outcome }) => outcome !== 'nothing-open');
  const longest = Math.max(0, ...tried.map(({ backAfter }) => backAfter));
  const wrong = count(({ wrongs }) => wrongs.length > 0);
  return `${tried.length} cases of a real upgrade struck at a random moment ${JSON.stringify(ends)}, ${open} cut off in the middle, longest way back ${longest} ms, ${wrong} wrong end states`;
}
