// The systemd units of an install. Rule: only files with this install's mark are replaced or removed, and a timer is started and stopped with its file.
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { Saved } from '../../model/journal.ts';
import { parseFields, parseFlag, parseList, parseText } from '../../model/parse.ts';
import type { Step } from '../../model/plan.ts';
import { type UnitToSet, unitFolder } from '../../model/unit.ts';
import { factOfFile, readTextIfThere, statIfThere } from '../../world/disk.ts';
import { isEnabled, isLoaded, systemctl } from '../../world/systemd.ts';
import { copyDurably, makeFolder, syncFolder, writeDurably } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';

const MOST_UNIT_BYTES = 64 * 1024;
const MODE = 0o644;

type SetUnits = Step<'set-units'>;

const setUnits: Handler<'set-units'> = {
  done: async (step, site) => {
    for (const unit of step.units) if (!(await isAsWanted(step, unit, site))) return false;
    return true;
  },
  save: async (step, site) => {
    const before: { name: string; text: string | null; enabled: boolean }[] = [];
    for (const { name } of step.units) {
      const text = await readUnit(step, name, site);
      before.push({ name, text: text ?? null, enabled: text !== undefined && (await isEnabled(site.world, step.scope, name)) });
    }
    return { before };
  },
  run: async (step, site) => {
    for (const unit of step.units) if (!unit.enabled) await switchOff(step, unit.name, site);
    for (const unit of step.units) await placeUnit(step, unit, site);
    await syncUnits(step, site);
    for (const unit of step.units) if (unit.enabled) await switchOn(step, unit.name, site);
  },
  undo: async (step, saved, site) => {
    const before = beforeOf(saved);
    for (const { name, enabled } of before) if (!enabled) await switchOff(step, name, site);
    for (const { name, text } of before) {
      const path = join(step.folder, name);
      await rm(`${path}.slipway-new`, { force: true });
      if (text !== null) await writeDurably(path, text, MODE);
      else if ((await readUnit(step, name, site)) !== undefined) await rm(path, { force: true });
    }
    await syncUnits(step, site);
    for (const { name, enabled } of before) if (enabled) await switchOn(step, name, site);
  },
};

/** The handler of an install's units. */
export const unitSteps = { 'set-units': setUnits } satisfies Pick<Handlers, 'set-units'>;

async function isAsWanted(step: SetUnits, unit: UnitToSet, { world }: Site): Promise<boolean> {
  const path = join(step.folder, unit.name);
  const fact = await factOfFile(path);
  if (unit.content === null) return fact === undefined;
  if (unit.content !== undefined && (fact?.digest !== unit.content || fact.mode !== MODE)) return false;
  if (!(await isLoaded(world, step.scope, unit.name))) return false;
  return (await isEnabled(world, step.scope, unit.name)) === unit.enabled || isStartedByTimer(step, unit.name);
}

/** A service without an [Install] section is never enabled. */
function isStartedByTimer(step: SetUnits, name: string): boolean {
  return step.units.some((unit) => unit.name === name.replace(/\.service$/, '.timer') && unit.name !== name);
}

/** The text of a unit of this install; undefined where there is none. Throws E_CONFLICT for what is somebody else's. */
async function readUnit({ folder }: SetUnits, name: string, site: Site): Promise<string | undefined> {
  const path = join(folder, name);
  const stats = await statIfThere(path);
  if (stats === undefined) return undefined;
  const text = stats.isFile() ? await readTextIfThere(path, MOST_UNIT_BYTES) : undefined;
  const owner = text === undefined ? undefined : unitFolder(text);
  if (owner !== undefined && resolve(owner) === resolve(site.root)) return text;
  throw new ToolError('E_CONFLICT', `${path} is not of this install`, {
    hint: 'Move it away, or leave units out: --at-boot off --backups off.',
  });
}

async function placeUnit(step: SetUnits, { name, content }: UnitToSet, site: Site): Promise<void> {
  if (content === undefined) return;
  const path = join(step.folder, name);
  if ((await readUnit(step, name, site)) !== undefined && content === null) await rm(path, { force: true });
  if (content === null) return;
  await makeFolder(step.folder, 0o755);
  await copyDurably(site.content(content), path, MODE);
}

async function syncUnits({ folder, scope }: SetUnits, { world }: Site): Promise<void> {
  if ((await statIfThere(folder)) !== undefined) await syncFolder(folder);
  await systemctl(world, scope, ['daemon-reload']);
}

/** A timer runs from now on; a service waits for the next boot. */
async function switchOn({ scope }: SetUnits, name: string, { world }: Site): Promise<void> {
  await systemctl(world, scope, ['enable', ...nowFor(name), name]);
}

async function switchOff(step: SetUnits, name: string, site: Site): Promise<void> {
  if ((await readUnit(step, name, site)) === undefined || isStartedByTimer(step, name)) return;
  await systemctl(site.world, step.scope, ['disable', ...nowFor(name), name]);
}

function nowFor(name: string): string[] {
  return name.endsWith('.timer') ? ['--now'] : [];
}

function beforeOf(saved: Saved): { name: string; text: string | null; enabled: boolean }[] {
  return parseList(saved.before, 'saved.before', (value, where) => {
    const f = parseFields(value, where);
    return {
      name: parseText(f.name, `${where}.name`),
      text: f.text === null ? null : parseText(f.text, `${where}.text`),
      enabled: parseFlag(f.enabled, `${where}.enabled`),
    };
  });
}
