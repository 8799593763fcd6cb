// A rotation cut off at every point of it. Rule: the env file and the service that knows the secret never end with different values.
import { rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recoverPlan } from '../../src/apply/apply.ts';
import { handlers } from '../../src/apply/handlers.ts';
import { openJournal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import { envValue, parseEnvFile } from '../../src/model/env-file.ts';
import { campaignFolder, countPoints, cutOff } from '../campaign/crash.ts';
import { carryPlainly, type Scenario, takeMoment } from '../campaign/scenario.ts';
import { makeStage, planFirst, planRotation, type Stage, worldOf } from '../campaign/stage.ts';

const OLD = 'not for logs';
const NEW = 'the new one';
let folder: string;
let stage: Stage;
let scenario: Scenario;

beforeEach(async () => {
  folder = campaignFolder();
  stage = makeStage(join(folder, 'acme'), { door: true, data: true, migrates: false }, 'none');
  await carryPlainly(stage, await planFirst(stage));
  for (let wait = 0; wait < 8; wait += 1) stage.engine.wait(100);
  const planned = await planRotation(stage, NEW);
  scenario = { stage, planned, before: takeMoment(stage) } as Scenario; // nothing else of it is used here
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function found(): Promise<readonly [string | undefined, string | undefined, string | undefined]> {
  const file = parseEnvFile(await readFile(join(stage.root, '.env'), 'utf8'));
  const api = [...stage.engine.state().containers.values()].find(({ labels }) => labels['com.docker.compose.service'] === 'api');
  const key = stage.engine.state().volumes.get('acme_pgdata')?.tree.get('secret.key')?.content;
  return [envValue(file, 'SECRET'), key === 's3cret' ? OLD : key, api?.environment.SECRET]; // what the database began with
}

async function recover(): Promise<void> {
  const journal = await openJournal(stage.root);
  if (journal === undefined) return;
  await recoverPlan({ journal, handlers, site: siteOf(stage.root, scenario.planned.plan.id, worldOf(stage.engine)) });
}

describe('a rotation', () => {
  test('ends with one value everywhere, the old or the new, wherever it is cut off', async () => {
    const points = await countPoints(scenario);
    expect(await found()).toEqual([NEW, NEW, NEW]);
    const rotating = points.flatMap((where, index) => (/rotate|exec/.test(where) ? [index + 1] : []));
    expect(rotating.length).toBeGreaterThan(2);
    const late = points.length - 4; // past the point of no return
    const sample = points
      .map((_, index) => index + 1)
      .filter((at) => at % 7 === 0 || at > late || rotating.includes(at) || rotating.includes(at - 1));
    const ends = new Set<string>();
    for (const at of sample) {
      const { where } = await cutOff(scenario, { at, blow: 'kill', direction: 'back' });
      await recover();
      const [file, key, api] = await found();
      expect({ where, key, api }).toEqual({ where, key: file, api: file });
      ends.add(file ?? '');
    }
    expect([...ends].sort()).toEqual([OLD, NEW].sort());
  });

  test('keeps values out of its journal', async () => {
    await cutOff(scenario, {
      at: (await countPoints(scenario)).findIndex((where) => /after rotate-secret/.test(where)) + 1,
      blow: 'kill',
      direction: 'back',
    });
    const journal = await readFile(join(stage.root, '.slipway/journal.ndjson'), 'utf8');
    expect(journal).toContain('rotate-secret');
    expect(journal).not.toContain(NEW);
    expect(journal).not.toContain(OLD);
  });
});
