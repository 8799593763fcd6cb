// How much data an install has. Rule: measures, never changes; what cannot be known in time is undefined, not guessed.
import { opendir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isToolError, systemCode } from '../model/error.ts';
import { parseFields, parseJson, parseList, parseText } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { parseSize } from '../model/units.ts';
import { statIfThere } from '../world/disk.ts';
import { dockerEnvironment } from '../world/docker.ts';

export interface DataPlaces {
  /** Folders and files, relative to the install or absolute. */
  readonly paths: readonly string[];
  /** The engine's volumes. */
  readonly volumes: readonly string[];
}

/** Seconds that measuring may take. */
const PATIENCE = 20;

/** Bytes that each volume and path takes on disk; those that nobody can tell are left out. */
export async function observeDataSizes(world: World, root: string, { paths, volumes }: DataPlaces): Promise<ReadonlyMap<string, number>> {
  const until = world.now().getTime() + PATIENCE * 1000;
  const sizes = new Map(await volumeSizes(world, volumes));
  for (const path of paths) {
    const size = await bytesBelow(resolve(root, path), () => world.now().getTime() > until);
    if (size !== undefined) sizes.set(path, size);
  }
  return sizes;
}

/** Their sum; undefined when one of them is not known. */
export function sumOfSizes(sizes: ReadonlyMap<string, number>, { paths, volumes }: DataPlaces): number | undefined {
  const all = [...paths, ...volumes].map((place) => sizes.get(place));
  return all.reduce((total, size) => (total === undefined || size === undefined ? undefined : total + size), 0);
}

/** What the engine says of its volumes; one that it does not know has no data yet. */
async function volumeSizes(world: World, names: readonly string[]): Promise<readonly (readonly [string, number])[]> {
  if (names.length === 0) return [];
  const argv = ['docker', 'system', 'df', '--verbose', '--format', '{{json .Volumes}}'];
  try {
    const { code, stdout } = await world.run(argv, { env: dockerEnvironment(world.env), timeout: PATIENCE });
    if (code !== 0) return [];
    const rows = parseList(parseJson(stdout, 'docker system df') ?? [], 'docker system df', parseFields);
    const said = new Map(rows.map(({ Name: name, Size: size }) => [parseText(name, 'Name'), parseSize(String(size))]));
    return names.flatMap((name) => {
      const size = said.has(name) ? said.get(name) : 0;
      return size === undefined ? [] : [[name, size] as const];
    });
  } catch (error) {
    if (isToolError(error, 'E_COMMAND') || isToolError(error, 'E_FORMAT')) return [];
    throw error;
  }
}

/** The blocks of all files below a folder, without following links; undefined when it takes too long, or may not be read. */
async function bytesBelow(path: string, isLate: () => boolean): Promise<number | undefined> {
  try {
    const stats = await statIfThere(path);
    if (stats === undefined || isLate()) return stats === undefined ? 0 : undefined;
    let total = stats.blocks * 512;
    if (!stats.isDirectory()) return total;
    for await (const { name } of await opendir(path)) {
      const size = await bytesBelow(join(path, name), isLate);
      if (size === undefined) return undefined;
      total += size;
    }
    return total;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
