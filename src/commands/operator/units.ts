// What starts by itself on this machine: backups, and recovery at boot. Rule: offered and shown in the plan, taken away by `off`; where systemd does not run the person is told the line for cron.
import { join } from 'node:path';
import { type Digest, digestOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import type { InstallRecord } from '../../model/install.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Content, Step } from '../../model/plan.ts';
import { SCHEDULES, type Schedule } from '../../model/schedule.ts';
import { backupUnits, cronLine, recoverUnit, type Unit, type UnitFacts, unitsName } from '../../model/unit.ts';
import { observeSystemd, observeUnits } from '../../observe/systemd.ts';
import { decideUnits, type UnitsDecision } from '../../plan/units.ts';
import { type Context, type FlagTable, textFlag } from '../command.ts';

export const UNIT_FLAGS = {
  backups: { type: 'string', value: 'daily|weekly|off', help: 'how often a backup is made by itself' },
  'at-boot': { type: 'string', value: 'on|off', help: 'end what was cut off when the machine starts (on)' },
} as const satisfies FlagTable;

export interface UnitsWish {
  readonly root: string;
  readonly manifest: Manifest;
  readonly project: string;
  /** undefined for a first install. */
  readonly record: InstallRecord | undefined;
  /** The command on PATH, where there is one. */
  readonly launcher: string | undefined;
}

export interface Units {
  readonly steps: readonly Step[];
  readonly contents: readonly (readonly [Digest, Content])[];
  /** What install.json says of it. */
  readonly fields: Pick<InstallRecord, 'schedule' | 'units'>;
  readonly notes: readonly string[];
}

/** The units that the install has from now on. Throws E_USAGE for a word that is none. */
export async function prepareUnits(context: Context, { root, manifest, project, record, launcher }: UnitsWish): Promise<Units> {
  const { world } = context;
  const said = wordOf(context, 'backups', [...SCHEDULES, 'off'] as const);
  const schedule = said === 'off' ? undefined : (said ?? (record === undefined ? manifest.backup.schedule : record.schedule));
  const atBoot = wordOf(context, 'at-boot', ['on', 'off'] as const);
  const systemd = await observeSystemd(world);
  const facts: UnitFacts = {
    title: manifest.title,
    name: unitsName({ cli: manifest.cli, project, usual: manifest.project }),
    folder: root,
    command: launcher === undefined ? [process.execPath, join(root, manifest.cli)] : [launcher],
    scope: systemd?.scope ?? 'system',
    ...(world.env.DOCKER_HOST ? { dockerHost: world.env.DOCKER_HOST } : {}),
  };
  if (systemd === undefined) return withoutSystemd(schedule, facts, record);
  const recover = recoverUnit(facts);
  const boots = atBoot === undefined ? record === undefined || record.units?.files[recover.name] !== undefined : atBoot === 'on';
  const wanted: Unit[] = [...(boots ? [recover] : []), ...(schedule === undefined ? [] : backupUnits(facts, schedule))];
  const names = [...new Set([...wanted.map(({ name }) => name), ...Object.keys(record?.units?.files ?? {})])];
  const found = await observeUnits(systemd.folder, names);
  const decided = decideUnits(wanted, { root, ...systemd, found, record: record?.units });
  for (const name of decided.taken)
    world.report({
      type: 'warning',
      text: `${join(systemd.folder, name)} is not of this install, and stays`,
      hint: 'Nothing is started by itself.',
    });
  return {
    steps: decided.steps,
    contents: wanted.map(({ text }) => [digestOf(text), { text }]),
    fields: { ...fieldsOf(schedule), ...(decided.record === undefined ? {} : { units: decided.record }) },
    notes: [...decided.kept.map((name) => `${join(systemd.folder, name)} stays as you changed it`), ...lingering(systemd.scope, wanted)],
  };
}

/** True when this command line decides about units. */
export function areUnitsSaid({ flags }: Context): boolean {
  return Object.keys(UNIT_FLAGS).some((name) => textFlag(flags, name) !== undefined);
}

/** The units that are left to take away when the install goes. */
export async function dropUnits({ root, record }: Pick<InstallFacts, 'root' | 'record'>): Promise<UnitsDecision | undefined> {
  if (record.units === undefined) return undefined;
  const { scope, folder, files } = record.units;
  return decideUnits([], { root, scope, folder, found: await observeUnits(folder, Object.keys(files)), record: record.units });
}

/** The former units go unread: their systemd does not answer any more. */
function withoutSystemd(schedule: Schedule | undefined, facts: UnitFacts, record: InstallRecord | undefined): Units {
  const notes =
    schedule === undefined
      ? []
      : [`no systemd here: for ${schedule} backups put this line into \`crontab -e\`: ${cronLine(facts, schedule)}`];
  const units = record?.units === undefined ? {} : { units: record.units };
  return { steps: [], contents: [], fields: { ...fieldsOf(schedule), ...units }, notes };
}

function fieldsOf(schedule: Schedule | undefined): Pick<InstallRecord, 'schedule'> {
  return schedule === undefined ? {} : { schedule };
}

function lingering(scope: 'system' | 'user', wanted: readonly Unit[]): string[] {
  if (scope === 'system' || wanted.length === 0) return [];
  return ['units of your account run only while you are logged in; `loginctl enable-linger` lets them run always'];
}

function wordOf<const T extends string>({ flags }: Context, name: string, words: readonly T[]): T | undefined {
  const given = textFlag(flags, name);
  const found = words.find((word) => word === given);
  if (given === undefined || found !== undefined) return found;
  throw new ToolError('E_USAGE', `--${name} ${given} is not known`, { hint: `It is ${words.join(' or ')}.` });
}
