// An upgrade struck at its own system calls: killed before each, or refused a write, a sync, a name. Rule: a seed chooses the strikes of the usual run;
// `npm run campaign` tries them all.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DistantStage, openDistantStage } from '../campaign/distant-stage.ts';
import { allStrikes, type Blow, countCalls, type Points, type Strike, type Struck, strike } from '../campaign/syscalls.ts';
import { chanceOf } from '../fakes/chance.ts';
import { canMount, mountSmallDisk } from '../fakes/small-disk.ts';

const WHOLE = process.env.SLIPWAY_CAMPAIGN === '1';
/** How many of each kind in the usual run. */
const SAMPLE = Number(process.env.SLIPWAY_STRIKES ?? 2);
const stages: { readonly stage: DistantStage; readonly points: Points }[] = [];

/** Unmounts. */
const cleanups: (() => void)[] = [];

// The folder for temporary files runs no programs here, where it can be mounted so: nothing of an install or upgrade is started from there.
beforeAll(async () => {
  for (let worker = 0; worker < (WHOLE ? 2 : 1); worker += 1) {
    const place = await mkdtemp(join(tmpdir(), 'slipway-'));
    if (canMount) mountSmallDisk(join(place, 'tmp'), { onTestFinished: (each) => void cleanups.push(each) }, 'size=64m,noexec');
    const stage = await openDistantStage(place);
    stages.push({ stage, points: await countCalls(stage) });
  }
});
afterAll(() => {
  for (const { stage } of stages) stage.close();
  for (const cleanup of cleanups) cleanup();
});

test.each<readonly [string, Blow]>([
  ['refused all system calls of a name from one on', 'refuse on'],
  ['refused a system call once', 'refuse'],
  ['killed before a system call', 'kill'],
])('an upgrade %s ends at exactly the old or the new release, and loses nothing', async (_, blow) => {
  const [first] = stages;
  const all = first === undefined ? [] : allStrikes(first.points, [blow]);
  expect(all).not.toEqual([]);
  const struck = await strikeAll(WHOLE ? all : sampleOf(all));
  console.log(`syscall campaign: ${describeAll(blow, struck)}`);
  expect(struck.filter(({ wrongs }) => wrongs.length > 0)).toEqual([]);
  expect(struck.every(({ fell }) => fell)).toBe(true);
});

function sampleOf(all: readonly Strike[]): Strike[] {
  const chance = chanceOf(7);
  return Array.from({ length: SAMPLE }, () => all[chance(all.length)]).filter((one) => one !== undefined);
}

/** Each stage takes the next strike as soon as it is free. */
async function strikeAll(strikes: readonly Strike[]): Promise<Struck[]> {
  const waiting = [...strikes].reverse();
  const struck: Struck[] = [];
  await Promise.all(
    stages.map(async ({ stage, points }) => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
        const found = await strike(stage, points, one);
        struck.push(found);
        if (found.wrongs.length > 0 || !found.fell) console.log(`wrong: ${JSON.stringify(found)}`); // hours before the end of a campaign
      }
    }),
  );
  return struck;
}

function describeAll(blow: Blow, struck: readonly Struck[]): string {
  const ends = { old: 0, new: 0, neither: 0 };
  for (const { end } of struck) ends[end] += 1;
  const wrong = struck.filter(({ wrongs }) => wrongs.length > 0).length;
  const missed = struck.filter(({ fell }) => !fell).length;
  return `${struck.length} cases of an upgrade (${blow}) ${JSON.stringify(ends)}, ${missed} blows that did not fall, ${wrong} wrong end states`;
}
