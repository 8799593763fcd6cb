// A seeded sample of the faults of the engine; `npm run campaign` tries each of them at every call.
import { describe, expect, test } from 'vitest';
import { describeVerdict } from '../campaign/campaign.ts';
import { eachScenario } from '../campaign/crash.ts';
import { callsOf, FAULTS, type FaultTally, tallyFaults, tryFault } from '../campaign/engine-faults.ts';
import { type Scenario, WISHES } from '../campaign/scenario.ts';

async function inScenario(name: string, work: (scenario: Scenario) => Promise<void>): Promise<void> {
  await eachScenario(
    work,
    WISHES.filter((wish) => wish.name === name),
  );
}

describe('an upgrade while the engine refuses, drops, lies, hangs, dawdles or restarts', () => {
  test.each([
    ['upgrade through a door', 29],
    ['upgrade, not healthy', 47],
    ['restore', 41],
  ])('%s: ends exactly old or exactly new, and says which', async (name, stride) => {
    const tallies: FaultTally[] = [];
    await inScenario(name, async (scenario) => {
      tallies.push(await tallyFaults(scenario, stride));
    });
    expect(tallies.flatMap(({ wrong }) => wrong.map(describeVerdict))).toEqual([]);
    expect(tallies[0]?.cases).toBeGreaterThan(FAULTS.length);
  });

  test('ends by itself when the engine never answers, wherever no data or program of the product is waited for', async () => {
    await inScenario('upgrade through a door', async (scenario) => {
      const calls = await callsOf(scenario);
      const bounded = ['ps', 'compose config', '! stop', '! compose up', '! volume create', '! rm'];
      for (const name of bounded) {
        const at = calls.findIndex((call) => call.startsWith(name)) + 1;
        if (at === 0) continue;
        const { ended } = await tryFault(scenario, { at, fault: 'hang' });
        expect({ name, ended }).toEqual({ name, ended: expect.stringMatching(/^(undone|done|failed)$/) });
      }
    });
  });

  test('waits behind its open door for an engine that restarts', async () => {
    await inScenario('upgrade through a door', async (scenario) => {
      const calls = await callsOf(scenario);
      const at = calls.lastIndexOf('! compose up') + 1;
      expect(await tryFault(scenario, { at, fault: 'restart' })).toMatchObject({ ended: 'done', wrongs: [] });
    });
  });
});
