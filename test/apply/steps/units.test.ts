// The step that sets an install's units, cut off at every call of systemctl. Rule: going back leaves what was there before, going on what is wanted.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Site } from '../../../src/apply/handler.ts';
import { unitSteps } from '../../../src/apply/steps/units.ts';
import { digestOf } from '../../../src/model/digest.ts';
import type { Step } from '../../../src/model/plan.ts';
import { backupUnits, recoverUnit, type Unit, type UnitFacts } from '../../../src/model/unit.ts';
import { failure } from '../../failure.ts';
import { quietWorld } from '../../fakes/release-builder.ts';
import { type FakeSystemd, makeFakeSystemd } from '../../fakes/systemctl.ts';

const { done, save, run, undo } = unitSteps['set-units'];
let folder: string;
let systemd: FakeSystemd;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  systemd = await makeFakeSystemd(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const facts = (): UnitFacts => ({
  title: 'Acme',
  name: 'acmectl',
  folder: join(folder, 'acme'),
  command: ['/usr/bin/acmectl'],
  scope: 'system',
});
const state = async () => ({ enabled: await systemd.enabled(), active: await systemd.active(), files: await contents() });

async function contents(): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  for (const name of await systemd.files()) found.push([name, await readFile(join(systemd.units, name), 'utf8')]);
  return Object.fromEntries(found);
}

/** The site of one attempt; the power goes before this call of systemctl. */
function siteOf(left = Number.POSITIVE_INFINITY): Site {
  let calls = left;
  const real = systemd.around(async () => ({ code: 0, stdout: '', stderr: '' }));
  const world = quietWorld({
    run: async (argv, options) => {
      calls -= 1;
      if (calls < 0) throw new Error('the power is gone');
      return real(argv, options);
    },
  });
  const content = (digest: string): string => join(folder, digest.replace('sha256:', 'content-'));
  return { root: join(folder, 'acme'), planId: 'test', world, interrupted: () => false, content };
}

async function stepFor(units: readonly Unit[], gone: readonly string[] = []): Promise<Step<'set-units'>> {
  for (const { text } of units) await writeFile(siteOf().content(digestOf(text)), text);
  const wanted = units.map(({ name, text, enabled }) => ({ name, content: digestOf(text), enabled }));
  const dropped = gone.map((name) => ({ name, content: null, enabled: false }));
  return { kind: 'set-units', why: 'test', scope: 'system', folder: systemd.units, units: [...dropped, ...wanted] };
}

const daily = (): Unit[] => [recoverUnit(facts()), ...backupUnits(facts(), 'daily')];
const weekly = (): Unit[] => backupUnits(facts(), 'weekly');
const CASES: readonly [string, () => readonly Unit[], () => readonly Unit[], readonly string[]][] = [
  ['at the first install', () => [], daily, []],
  ['with another rhythm, and recovery switched off', daily, weekly, ['acmectl-recover.service']],
  ['with all of it taken away', daily, () => [], ['acmectl-recover.service', 'acmectl-backup.timer', 'acmectl-backup.service']],
];

describe.each(CASES)('units that are set %s', (_, former, latter, gone) => {
  test('and cut off before any call of systemctl, go back to what was, or on to what is wanted', async () => {
    const first = await stepFor(former());
    for (let cut = 0, ended = false; !ended; cut += 1) {
      if (former().length > 0) await run(first, siteOf());
      const start = await state();
      const step = await stepFor(latter(), gone);
      const saved = (await save?.(step, siteOf())) ?? {};
      ended = await run(step, siteOf(cut)).then(
        () => true,
        () => false,
      );
      await undo?.(step, saved, siteOf());
      await undo?.(step, saved, siteOf());
      expect({ cut, ...(await state()) }).toEqual({ cut, ...start });
      await failure(run(step, siteOf(cut))).catch(() => undefined);
      await run(step, siteOf());
      expect(await done(step, siteOf())).toBe(true);
      expect(Object.keys(await contents()).sort()).toEqual(
        latter()
          .map(({ name }) => name)
          .sort(),
      );
      await undo?.(step, saved, siteOf());
      expect(await state()).toEqual(start);
    }
  });
});

test('a unit that systemd knows in an older form is loaded again', async () => {
  const step = await stepFor(daily());
  await run(step, siteOf());
  await writeFile(join(systemd.units, 'acmectl-backup.timer'), 'older');
  expect(await done(step, siteOf())).toBe(false);
});

test('a file, a link or a unit of another install in the place of ours stops the step', async () => {
  const step = await stepFor(daily());
  await writeFile(join(systemd.units, 'acmectl-recover.service'), recoverUnit({ ...facts(), folder: '/opt/other' }).text);
  expect(await failure(run(step, siteOf()))).toMatchObject({ code: 'E_CONFLICT' });
  expect(await readFile(join(systemd.units, 'acmectl-recover.service'), 'utf8')).toContain('/opt/other');
});
