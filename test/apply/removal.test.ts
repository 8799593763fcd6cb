// An install with a command on PATH and a Node.js of its own, and its removal, cut off everywhere. Rule: all of it is there or none of it, outside of the folder too.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { recoverPlan } from '../../src/apply/apply.ts';
import { handlers } from '../../src/apply/handlers.ts';
import { openJournal } from '../../src/apply/journal.ts';
import { siteOf } from '../../src/apply/site.ts';
import { digestOf } from '../../src/model/digest.ts';
import { renderLauncher } from '../../src/model/launcher.ts';
import type { Planned } from '../../src/model/plan.ts';
import { campaignFolder, countPoints, cutOff } from '../campaign/crash.ts';
import { pathsWhere, personsView, putImage, takeImage } from '../campaign/folder-image.ts';
import { carryPlainly, putMoment, type Scenario, takeMoment } from '../campaign/scenario.ts';
import { addUploads, editByHand, type Launch, makeStage, planFirst, planRemoval, type Stage, worldOf } from '../campaign/stage.ts';

const NODE = 'a Node.js';
let folder: string;
let outside: string;
let stage: Stage;

beforeEach(() => {
  folder = campaignFolder();
  outside = join(folder, 'outside');
  mkdirSync(outside);
  stage = makeStage(join(folder, 'acme'), { door: true, data: true, migrates: false }, 'none');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function launch(): Launch {
  const runtime = { store: join(outside, 'shared/runtime'), program: digestOf(NODE), node: '24.0.0' };
  const text = renderLauncher({ cli: 'acmectl', folder: stage.root, node: '/usr/bin/node' });
  const launcher = { path: join(outside, 'bin/acmectl'), content: digestOf(text) };
  return { wish: { user: stage.root, launcher, runtime }, contents: new Map([NODE, text].map((each) => [digestOf(each), { text: each }])) };
}

/** What a person and the engine see, and what lies outside of the folder. An empty folder is none: one that was cut off before its journal began may stay. */
function look(): unknown {
  const { containers, volumes, images, networks } = stage.engine.state();
  return {
    files: [...personsView(takeImage(stage.root))].filter(([path]) => path !== '.'),
    left: pathsWhere(takeImage(stage.root), (path) => /^\.slipway\/(journal|staged\/.|lock)/.test(path)),
    containers: [...containers.values()].map(({ labels, state }) => `${labels['com.docker.compose.service']} ${state}`).sort(),
    engine: [volumes, images, networks].map((each) => [...each.keys()].sort()),
    outside: [...personsView(takeImage(outside))].filter(([path]) => path !== '.'),
  };
}

interface Ends {
  readonly before: unknown;
  readonly after: unknown;
}

/** Cuts the plan off at every n-th point and wherever it touches what lies outside; each time recovers to the end. */
async function cutOffEverywhere(planned: Planned, stride: number): Promise<Ends & { readonly ends: readonly unknown[] }> {
  const scenario = { stage, planned, before: takeMoment(stage) } as Scenario; // nothing else of it is used here
  const beforeOutside = takeImage(outside);
  const before = look();
  const points = await countPoints(scenario);
  const after = look();
  const ends: unknown[] = [];
  for (const [index, where] of points.entries()) {
    if (index % stride !== 0 && index < points.length - 4 && !/runtime|launcher|remove-paths|remove-project/.test(where)) continue;
    putImage(outside, beforeOutside);
    await cutOff(scenario, { at: index + 1, blow: 'kill', direction: 'back' });
    const journal = await openJournal(stage.root);
    if (journal !== undefined) await recoverPlan({ journal, handlers, site: siteOf(stage.root, planned.plan.id, worldOf(stage.engine)) });
    const end = look();
    expect([before, after], where).toContainEqual(end);
    ends.push(end);
  }
  expect(ends).toContainEqual(before);
  expect(ends).toContainEqual(after);
  putImage(outside, beforeOutside);
  putMoment(stage, scenario.before);
  return { before, after, ends };
}

/** The product as it was used for a while. */
async function settle(): Promise<void> {
  await carryPlainly(stage, await planFirst(stage, launch()));
  editByHand(stage.root);
  addUploads(stage.root);
  for (let wait = 0; wait < 8; wait += 1) stage.engine.wait(100);
}

describe('cut off at any point and recovered,', () => {
  test('an install leaves folder, command and Node.js, or none of them', async () => {
    const { before, after } = await cutOffEverywhere(await planFirst(stage, launch()), 11);
    expect(before).toMatchObject({ files: [], outside: [] });
    const paths = (after as { outside: [string, string][] }).outside.map(([path]) => path);
    expect(paths).toContain('bin/acmectl');
    expect(paths.some((path) => path.endsWith('/node'))).toBe(true);
  });

  test.each([false, true])('an uninstall (with the data: %s) took everything that it said, or nothing', async (purge) => {
    await settle();
    const { before, after } = await cutOffEverywhere(await planRemoval(stage, purge), 5);
    expect(after).toMatchObject({ containers: [], outside: [], left: [] });
    expect((before as { containers: string[] }).containers.length).toBeGreaterThan(2);
    const { engine } = after as { engine: string[][] };
    expect(engine).toEqual([purge ? [] : ['acme_pgdata'], [], []]);
    expect((after as { files: [string, string][] }).files.map(([path]) => path)).toContain('notes.txt');
  });
});
