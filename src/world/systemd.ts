// systemctl, for the units of an install. Rule: thin; what it says is read here, once.
import { ToolError } from '../model/error.ts';
import type { RunResult, World } from '../model/seams.ts';
import type { UnitScope } from '../model/unit.ts';

/** Seconds. */
const LONGEST = 90;

/** Runs systemctl for units of the machine or of this account; throws E_COMMAND with its own words. */
export async function systemctl(world: World, scope: UnitScope, words: readonly string[]): Promise<void> {
  const result = await ask(world, scope, words);
  if (result.code === 0) return;
  throw new ToolError('E_COMMAND', `systemctl ${words.join(' ')}: ${result.stderr.trim().split('\n').at(-1) || `exit ${result.code}`}`, {
    hint: 'Without units: --at-boot off --backups off.',
  });
}

/** True when systemctl gets an answer. */
export async function answersSystemctl(world: World, scope: UnitScope): Promise<boolean> {
  try {
    return (await ask(world, scope, ['show', '--property=Version'])).code === 0;
  } catch (error) {
    if (error instanceof ToolError) return false;
    throw error;
  }
}

/** True for a unit that is switched on; one that is not known is not. */
export async function isEnabled(world: World, scope: UnitScope, unit: string): Promise<boolean> {
  return (await ask(world, scope, ['is-enabled', '--quiet', unit])).code === 0;
}

/** True when systemd knows the unit as its file is. */
export async function isLoaded(world: World, scope: UnitScope, unit: string): Promise<boolean> {
  return (await ask(world, scope, ['show', '--property=NeedDaemonReload', '--value', unit])).stdout.trim() !== 'yes';
}

function ask(world: World, scope: UnitScope, words: readonly string[]): Promise<RunResult> {
  return world.run(['systemctl', ...(scope === 'user' ? ['--user'] : []), ...words], { env: world.env, timeout: LONGEST });
}
