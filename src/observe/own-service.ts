// Whose container this program runs in. Rule: only a container of the project counts, and one that sees the install; a machine’s own mounts name many that are not ours.
import { basename } from 'node:path';
import type { ContainerFact } from '../model/facts.ts';
import type { OwnService } from '../model/own-service.ts';
import type { World } from '../model/seams.ts';
import { listContainers } from '../world/containers.ts';
import { holdsFolder, ownContainerId } from '../world/own-container.ts';

/** The container of these that this program runs in, undefined when it runs outside of all of them. */
export async function observeOwnContainer(
  world: World,
  root: string,
  containers: readonly ContainerFact[],
): Promise<ContainerFact | undefined> {
  const id = await ownContainerId(world);
  if (id === undefined) return undefined;
  const found = containers.find((each) => each.id === id);
  const guests = containers.filter(({ networkOf }) => networkOf === id); // they have the same files of names and hosts
  return [found, ...guests].find((each) => each !== undefined && holdsFolder(each, root)) ?? (guests.length === 0 ? found : undefined);
}

/** The service that this program runs in; a one-off container is of none, for no command stops it. */
export async function observeOwnService(world: World, root: string, containers: readonly ContainerFact[]): Promise<OwnService | undefined> {
  const found = await observeOwnContainer(world, root, containers);
  if (found === undefined || found.oneOff) return undefined;
  const isInside = process.execPath.startsWith(`${root}/`);
  return {
    service: found.service,
    container: found.id,
    node: isInside ? process.execPath : basename(process.execPath),
    user: `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
  };
}

/** The same where nothing is known of the project yet; the engine is asked in containers alone. */
export async function observeOwnServiceOf(world: World, root: string, project: string): Promise<OwnService | undefined> {
  if ((await ownContainerId(world)) === undefined) return undefined;
  return observeOwnService(world, root, await listContainers({ world, root }, project));
}
