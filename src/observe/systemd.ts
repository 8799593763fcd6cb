// What starts programs by itself on this machine. Rule: looks only; where systemd gives no answer there is none.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOf } from '../model/digest.ts';
import type { World } from '../model/seams.ts';
import { type UnitScope, unitFolder } from '../model/unit.ts';
import { readTextIfThere, statIfThere } from '../world/disk.ts';
import { answersSystemctl } from '../world/systemd.ts';

const MOST_UNIT_BYTES = 64 * 1024;

export interface Systemd {
  readonly scope: UnitScope;
  /** Where units of our own lie; absolute. */
  readonly folder: string;
}

/** systemd for this account; undefined where it does not run. $SLIPWAY_SYSTEMD names another folder of units, and empty means none. */
export async function observeSystemd(world: World): Promise<Systemd | undefined> {
  const { SLIPWAY_SYSTEMD: given, XDG_CONFIG_HOME, HOME } = world.env;
  const scope = process.getuid?.() === 0 ? 'system' : 'user';
  const own = join(XDG_CONFIG_HOME ?? join(HOME ?? homedir(), '.config'), 'systemd/user');
  const folder = given ?? (scope === 'system' ? '/etc/systemd/system' : own);
  const runs = given === undefined ? (await statIfThere('/run/systemd/system')) !== undefined : given !== '';
  return runs && (await answersSystemctl(world, scope)) ? { scope, folder } : undefined;
}

/** A unit's file: whose it is, and its digest. */
export interface UnitFact {
  /** The install folder that it names; undefined when it is not one of ours. */
  readonly owner: string | undefined;
  readonly digest: Digest;
}

/** The files of these units that are there, by name. */
export async function observeUnits(folder: string, names: readonly string[]): Promise<ReadonlyMap<string, UnitFact>> {
  const found = new Map<string, UnitFact>();
  for (const name of names) {
    const stats = await statIfThere(join(folder, name));
    if (stats === undefined) continue;
    const text = stats.isFile() && stats.size <= MOST_UNIT_BYTES ? await readTextIfThere(join(folder, name)) : undefined;
    found.set(name, { owner: unitFolder(text ?? ''), digest: digestOf(text ?? '') });
  }
  return found;
}
