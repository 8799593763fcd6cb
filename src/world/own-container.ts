// The container that this process runs in. Rule: its mounts name a candidate, and the engine's word decides; outside of containers the engine is not asked.
import { isToolError } from '../model/error.ts';
import type { ContainerFact } from '../model/facts.ts';
import { containerIdOf } from '../model/mountinfo.ts';
import type { World } from '../model/seams.ts';
import { inspectContainer } from './containers.ts';
import { readTextIfThere } from './disk.ts';
import type { Engine } from './docker.ts';

const MOST_BYTES = 4 * 1024 * 1024;

/** The id that this process's mounts give; undefined outside of containers. $SLIPWAY_MOUNTINFO names another file of mounts. */
export async function ownContainerId({ env }: Pick<World, 'env'>): Promise<string | undefined> {
  const text = await readTextIfThere(env.SLIPWAY_MOUNTINFO ?? '/proc/self/mountinfo', MOST_BYTES);
  return text === undefined ? undefined : containerIdOf(text);
}

/** The container that this process and the engine's folder are in; undefined where there is none, or the engine cannot say. */
export async function findOwnContainer(engine: Engine): Promise<ContainerFact | undefined> {
  const id = await ownContainerId(engine.world);
  if (id === undefined) return undefined;
  const found = await inspectIfPossible(engine, id);
  return found !== undefined && found !== 'unknown' && holdsFolder(found, engine.root) ? found : undefined;
}

/** True when the container has this folder from outside: a container that only shares its network has not. */
export function holdsFolder({ targets = [] }: ContainerFact, folder: string): boolean {
  return targets.some((target) => folder === target || folder.startsWith(target.endsWith('/') ? target : `${target}/`));
}

/** A container, undefined when there is none; `unknown` when the engine, or docker itself, cannot be asked. */
export async function inspectIfPossible(engine: Engine, id: string): Promise<ContainerFact | undefined | 'unknown'> {
  try {
    return await inspectContainer(engine, id);
  } catch (error) {
    if (isToolError(error, 'E_COMMAND') || isToolError(error, 'E_FORMAT')) return 'unknown';
    throw error;
  }
}
