// A folder that runs a compose project without us. Rule: looks only, at the names that Compose and git themselves go by.
import { join } from 'node:path';
import type { ServiceImage } from '../model/adoption.ts';
import { type Digest, parseDigest } from '../model/digest.ts';
import type { ComposeFact, ContainerFact } from '../model/facts.ts';
import type { ComposeProject, ImageToPull } from '../model/plan.ts';
import type { World } from '../model/seams.ts';
import { readComposeConfig } from '../world/compose-config.ts';
import { imageIds, listContainersOf, repositoryDigests } from '../world/containers.ts';
import { listNames, readTextIfThere, statIfThere } from '../world/disk.ts';
import { observeCheckout } from './checkout.ts';

export interface ExistingFolder {
  readonly root: string;
  /** Compose files of the folder by the names that Compose looks for: the one it takes is the first. */
  readonly composeFiles: readonly string[];
  /** Override files, likewise. */
  readonly overrides: readonly string[];
  /** What the VERSION file of older scripts says. */
  readonly version: string | undefined;
  readonly isSource: boolean;
  /** What lies at the top of the folder. */
  readonly names: readonly string[];
}

const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDES = ['compose.override.yml', 'compose.override.yaml', 'docker-compose.override.yml', 'docker-compose.override.yaml'];
const MOST_VERSION_BYTES = 4096;

/** The folder as it lies there, or undefined when Compose would find nothing in it. */
export async function observeExisting(root: string): Promise<ExistingFolder | undefined> {
  const names = await listNames(root);
  const composeFiles = COMPOSE_FILES.filter((name) => names.includes(name));
  if (composeFiles.length === 0) return undefined;
  const versionFile = await statIfThere(join(root, 'VERSION'));
  const version = versionFile?.isFile() === true ? await readTextIfThere(join(root, 'VERSION'), MOST_VERSION_BYTES) : undefined;
  return {
    root,
    composeFiles,
    overrides: OVERRIDES.filter((name) => names.includes(name)),
    version: version?.trim().split('\n')[0]?.trim(),
    isSource: names.includes('.git'),
    names,
  };
}

/** The containers that were started from this folder, whatever their project is called. */
export async function observeContainersAt(world: World, root: string): Promise<readonly ContainerFact[]> {
  return listContainersOf({ world, root }, 'project.working_dir', root);
}

/** What Compose makes of the folder's files; with an empty name the project is called as Compose calls it. */
export async function observeComposeAsIs(world: World, root: string, project: ComposeProject): Promise<ComposeFact> {
  return readComposeConfig({ world, root }, project);
}

/** The images of all services, by what runs and by what the files name. */
export async function observeServiceImages(
  world: World,
  root: string,
  { containers, config }: { readonly containers: readonly ContainerFact[]; readonly config: ComposeFact },
): Promise<ServiceImage[]> {
  const engine = { world, root };
  const own = containers.filter((each) => !each.oneOff);
  const names = [...new Set([...own.map((each) => each.service), ...Object.keys(config.services)])].sort();
  const found: ServiceImage[] = [];
  for (const service of names) {
    const container = own.find((each) => each.service === service);
    const named = config.services[service]?.image ?? '';
    const references = [...new Set([container?.image ?? '', named])].filter((each) => each !== '');
    const digests = await repositoryDigests(engine, container?.imageId ?? named);
    found.push({ service, references, digests: digests.flatMap(digestIn) });
  }
  return found;
}

/** Those of these images that the engine has: names. */
export async function observePresent(world: World, root: string, images: readonly ImageToPull[]): Promise<string[]> {
  const ids = await imageIds(
    { world, root },
    images.map(({ pinned }) => pinned),
  );
  return images.filter(({ pinned }) => ids.has(pinned)).map(({ name }) => name);
}

/** Which of these commits the checkout at `root` came from or went through. */
export async function observeAncestors(root: string, commits: readonly string[], world: World): Promise<ReadonlySet<string>> {
  const { commit: head } = await observeCheckout(root, world);
  const found = new Set<string>();
  if (head === null) return found;
  for (const commit of commits) {
    const argv = ['git', 'merge-base', '--is-ancestor', commit, head];
    const { code } = await world.run(argv, { cwd: root, env: { ...world.env, LC_ALL: 'C' } });
    if (code === 0) found.add(commit);
  }
  return found;
}

/** `registry/repository@sha256:…`. */
function digestIn(text: string): Digest[] {
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(text)?.[1];
  return digest === undefined ? [] : [parseDigest(digest, 'docker image inspect')];
}
