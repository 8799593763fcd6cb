// The engine's side of an install: containers, volumes and what Compose makes of the files. Rule: reads only.
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { redirectEnvFiles } from '../model/compose-env-files.ts';
import { keep } from '../model/description.ts';
import { diskTrouble } from '../model/disk-trouble.ts';
import type { ComposeFact, ContainerFact, EngineFacts } from '../model/facts.ts';
import type { ComposeProject } from '../model/plan.ts';
import type { World } from '../model/seams.ts';
import { MAIN_ENV, type Settings, settingsTexts } from '../model/settings.ts';
import { hashesByDependencies, readComposeConfig, readComposeProject } from '../world/compose-config.ts';
import { inspectVolume, type ListedContainer, listBriefly, listContainers, listVolumes } from '../world/containers.ts';
import { readTextIfThere } from '../world/disk.ts';
import type { Engine } from '../world/docker.ts';
import { inScratch } from '../world/scratch.ts';
import { observeOwnService } from './own-service.ts';

/** Reads containers, volumes and the present compose project. */
export async function observeEngine(world: World, root: string, project: ComposeProject): Promise<EngineFacts> {
  const engine = { world, root };
  const listed = observeContainers(world, root, project.name);
  const facts = await observeParts(engine, { project, listed, config: readComposeConfig(engine, project) });
  return { ...facts, containers: await settleHashes(engine, project, facts) };
}

/** The same without what Compose's hashes of the present files tell, see `settleContainers`. */
export async function observeStanding(
  world: World,
  root: string,
  { project, listed }: { readonly project: ComposeProject; readonly listed: Promise<readonly ContainerFact[]> },
): Promise<EngineFacts> {
  const engine = { world, root };
  return observeParts(engine, { project, listed, config: readComposeProject(engine, project) });
}

/** The containers with the hashes that the present files give, where that may decide whether one of them stays as it is. */
export async function settleContainers(
  world: World,
  root: string,
  { project, containers, next }: { readonly project: ComposeProject; readonly next: ComposeFact } & Pick<EngineFacts, 'containers'>,
): Promise<readonly ContainerFact[]> {
  const mayStay = ({ oneOff, service, image, configHash }: ContainerFact): boolean => {
    const wanted = next.services[service]?.image;
    return !oneOff && (wanted === '' || wanted === image) && configHash !== next.hashes[service];
  };
  if (!containers.some(mayStay)) return containers;
  const engine = { world, root };
  return settleHashes(engine, project, { containers, config: await readComposeConfig(engine, project) });
}

interface Parts {
  readonly project: ComposeProject;
  readonly listed: Promise<readonly ContainerFact[]>;
  readonly config: Promise<ComposeFact>;
}

async function observeParts(engine: Engine, { project, listed, config: reading }: Parts): Promise<EngineFacts> {
  const [containers, labelled, config] = await Promise.all([listed, listVolumes(engine, project.name), reading]);
  const named = await namedVolumes(engine, labelled, config);
  const own = await observeOwnService(engine.world, engine.root, containers);
  return { containers, volumes: [...labelled, ...named], config, ...keep({ own }) };
}

/** Volumes that the files name and somebody else made: Compose puts no label on those. */
async function namedVolumes(engine: Engine, labelled: readonly string[], config: ComposeFact): Promise<string[]> {
  const found: string[] = [];
  for (const name of new Set(Object.values(config.volumes)))
    if (!labelled.includes(name) && (await inspectVolume(engine, name)) !== undefined) found.push(name);
  return found;
}

/**
 * Containers that were started from the present files get the hash that those files give. Compose hashes `depends_on` as far as those services were
 * started in the same call (compose-go, WithSelectedServices), so that a container's label depends on what was started along with it.
 */
async function settleHashes(
  engine: Engine,
  project: ComposeProject,
  { containers, config }: Pick<EngineFacts, 'containers' | 'config'>,
): Promise<readonly ContainerFact[]> {
  const isOdd = ({ oneOff, service, configHash }: ContainerFact): boolean =>
    !oneOff && config.hashes[service] !== undefined && configHash !== config.hashes[service];
  const odd = new Set(containers.filter(isOdd).map(({ service }) => service));
  if (odd.size === 0) return containers;
  const known = await hashesByDependencies(engine, project, odd);
  const isKnown = (each: ContainerFact): boolean => isOdd(each) && known.get(each.service)?.has(each.configHash) === true;
  return containers.map((each) => (isKnown(each) ? { ...each, configHash: config.hashes[each.service] ?? '' } : each));
}

/** Only the containers, for commands that do not need the files. */
export async function observeContainers(world: World, root: string, project: string): Promise<readonly ContainerFact[]> {
  return listContainers({ world, root }, project);
}

/** What runs of a compose project, as far as a plan rests on it: one call where the whole takes two. */
export async function observeRunning(world: World, root: string, project: string): Promise<readonly ListedContainer[]> {
  return listBriefly({ world, root }, project);
}

/** The volumes of a compose project, by the engine's names. */
export async function observeVolumes(world: World, root: string, project: string): Promise<string[]> {
  return listVolumes({ world, root }, project);
}

/** Compose's own files that do not exist yet, by name. */
export interface CandidateFiles {
  readonly project: ComposeProject;
  /** Compose files; those that are not here are read where they lie. */
  readonly texts: ReadonlyMap<string, string>;
  readonly settings: Settings;
}

/**
 * What Compose makes of files that are not in place yet. They are written to a private folder that is gone afterwards, and read as if they lay
 * in the install, so that paths and config hashes come out the same.
 */
export function observeCandidate(world: World, root: string, candidate: CandidateFiles): Promise<ComposeFact> {
  return inScratch(async (folder) => {
    const places = new Map<string, string>();
    for (const [index, [home, text]] of [...settingsTexts(candidate.settings)].entries())
      places.set(home, await writePrivately(join(folder, `${index}.env`), text));
    const environment = places.get(MAIN_ENV) ?? (await writePrivately(join(folder, 'none.env'), ''));
    places.delete(MAIN_ENV);
    const files: string[] = [];
    for (const [index, name] of candidate.project.files.entries()) {
      const text = candidate.texts.get(name) ?? (places.size === 0 ? undefined : await readTextIfThere(resolve(root, name)));
      if (text === undefined) files.push(name);
      else files.push(await writePrivately(join(folder, `${index}.yml`), redirectEnvFiles(text, places)));
    }
    return readComposeConfig({ world, root }, { ...candidate.project, files, environment });
  });
}

async function writePrivately(path: string, text: string): Promise<string> {
  try {
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
    return path;
  } catch (error) {
    throw diskTrouble(error, path) ?? error; // the system names no file once it is open
  }
}
