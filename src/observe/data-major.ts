// The majors of databases as their files say. Rule: looks through containers that are there, and changes nothing; what cannot be read is not known.
import type { EngineFacts, InstallFacts } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { World } from '../model/seams.ts';
import { readInContainer } from '../world/container-file.ts';

/** Where PostgreSQL keeps its major, below the place where its volume is mounted. */
function placesOfPostgres(major: number | undefined): string[] {
  return ['PG_VERSION', 'pgdata/PG_VERSION', 'data/PG_VERSION', ...(major === undefined ? [] : [`${major}/docker/PG_VERSION`])];
}

/** The major of each PostgreSQL volume whose container is there, by the engine's names. `target` is the release to come, which may say first whose volume it is. */
export async function observeMajors(
  world: World,
  install: InstallFacts,
  engine: EngineFacts,
  target: Manifest,
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const [name, volume] of Object.entries(install.record.volumes)) {
    const declared = install.manifest.data[name] ?? target.data[name];
    if ((target.data[name]?.engine ?? declared?.engine) !== 'postgres') continue;
    for (const { id, path } of mountsOf(name, volume, engine)) {
      const major = await readMajor(world, install.root, { id, path, major: declared?.major });
      if (major !== undefined) found.set(volume, major);
    }
  }
  return found;
}

async function readMajor(
  world: World,
  root: string,
  { id, path, major }: { readonly id: string; readonly path: string; readonly major: number | undefined },
): Promise<number | undefined> {
  for (const place of placesOfPostgres(major)) {
    const text = await readInContainer({ world, root }, id, `${path}/${place}`);
    const digits = /^(\d{1,4})(?:\.\d+)?\s*$/.exec(text ?? '')?.[1];
    if (digits !== undefined) return Number(digits);
  }
  return undefined;
}

function mountsOf(name: string, volume: string, { containers, config }: EngineFacts): { readonly id: string; readonly path: string }[] {
  return containers
    .filter((each) => !each.oneOff && each.volumes.includes(volume))
    .flatMap(({ id, service }) =>
      (config.services[service]?.mounts ?? [])
        .filter(({ type, source }) => type === 'volume' && source === name)
        .map(({ target }) => ({ id, path: target.replace(/\/$/, '') })),
    );
}
