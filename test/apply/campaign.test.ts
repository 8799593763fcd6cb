// A seeded sample of the crash campaign; `npm run campaign` tries it whole.
import { describe, expect, test } from 'vitest';
import { describeVerdict, SAMPLE, tallyMutants, tallyScenarios } from '../campaign/campaign.ts';
import { countPoints, eachScenario, tryCase } from '../campaign/crash.ts';
import { MUTANTS } from '../campaign/mutants.ts';
import { WISHES } from '../campaign/scenario.ts';

describe('the crash campaign over the real handlers', () => {
  test.each(WISHES)('$name, cut off somewhere, ends exactly old or exactly new', async (wish) => {
    const [tally] = await tallyScenarios(SAMPLE, [wish]);
    expect(tally?.wrong.map(describeVerdict)).toEqual([]);
    expect(tally?.once).toBeGreaterThan(0);
  });

  test.each(WISHES)('$name, undisturbed, ends as it must', async (wish) => {
    await eachScenario(
      async (scenario) => {
        const verdict = await tryCase(scenario, { at: Number.POSITIVE_INFINITY, blow: 'kill', direction: 'back' });
        expect({ ended: verdict.ended, wrongs: verdict.wrongs }).toEqual({ ended: wish.ends, wrongs: [] });
      },
      [wish],
    );
  });

  test('the points reach into handlers, journal, engine and files', async () => {
    await eachScenario(
      async (scenario) => {
        const kinds = new Set((await countPoints(scenario)).map((where) => where.split(' ').slice(0, 2).join(' ')));
        for (const kind of ['before swap-files.run', 'torn journal', 'after journal', 'amid docker', 'before rename', 'before write'])
          expect(kinds).toContain(kind);
      },
      WISHES.filter((wish) => wish.name === 'upgrade through a door'),
    );
  });

  test.each(MUTANTS)('an engine where $name leaves wrong ends, so the campaign can fail', async (mutant) => {
    const [tally] = await tallyMutants(3, [mutant]);
    expect(tally?.wrong.length).toBeGreaterThan(0);
  });
});
