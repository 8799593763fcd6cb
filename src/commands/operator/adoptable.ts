// What stands in a folder that is to be taken over. Rule: looked at as Compose reads it by hand; what a release could not go on with is refused here, with what to do.
import { join, resolve } from 'node:path';
import { type EnvFile, envValue, setEnv } from '../../model/env-file.ts';
import { isToolError, ToolError } from '../../model/error.ts';
import type { ComposeFact, ContainerFact } from '../../model/facts.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { ComposeProject } from '../../model/plan.ts';
import { documentOf, MAIN_ENV, type Settings, settingsValues } from '../../model/settings.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeCandidate, observeContainers, observeVolumes } from '../../observe/engine.ts';
import { type ExistingFolder, observeComposeAsIs, observeContainersAt, observeExisting } from '../../observe/existing.ts';
import { isThere, observeProject } from '../../observe/install.ts';
import { observeEnvFile } from '../../observe/settings.ts';
import { isCalled } from '../../plan/nearest.ts';
import { type Context, textFlag } from '../command.ts';
import { refuseOtherFolder } from './preflight.ts';

const COMPOSE_FILE = 'docker-compose.yml';
const OVERRIDE = 'docker-compose.override.yml';

export interface Adoptable {
  readonly folder: ExistingFolder;
  readonly env: EnvFile;
  readonly hasEnv: boolean;
  readonly project: ComposeProject;
  readonly config: ComposeFact;
  /** All containers of the project. */
  readonly containers: readonly ContainerFact[];
}

/**
 * True when the folder holds an install that was made without us: what it started is there, or what that wrote. With a product's name only
 * when the folder names that product, by its compose project or by the version of one of its releases.
 */
export async function holdsInstall({ world }: Context, root: string, of?: NamedProduct): Promise<boolean> {
  const folder = await observeExisting(root);
  if (folder === undefined) return false;
  const containers = await observeContainersAt(world, root);
  const names = containers.map((each) => each.project);
  const isCalledSo = of?.fetched.channel.releases.some((release) => isCalled(release, folder.version));
  if (of !== undefined && !names.includes(of.wanted.product) && isCalledSo !== true) return false;
  if (names.length > 0) return true;
  if (folder.version === undefined || !(await isThere(join(root, MAIN_ENV)))) return false;
  const name = envValue(await observeEnvFile(root, MAIN_ENV), 'COMPOSE_PROJECT_NAME');
  return name !== undefined && name !== '' && (await observeVolumes(world, root, name)).length > 0;
}

interface NamedProduct {
  readonly wanted: { readonly product: string };
  readonly fetched: FetchedChannel;
}

/** Looks at the folder. Throws E_NO_INSTALL where there is no compose file, E_POLICY and E_PROJECT_ELSEWHERE for what cannot be gone on with. */
export async function observeAdoptable(context: Context, root: string): Promise<Adoptable> {
  const { world } = context;
  const folder = await observeExisting(root);
  if (folder === undefined)
    throw new ToolError('E_NO_INSTALL', `${root} has no compose file: there is nothing to take over`, {
      hint: 'Go to the folder that the product was started from, or name it with --dir. A new install: `install`.',
    });
  const env = await observeEnvFile(root, MAIN_ENV);
  const hasEnv = await isThere(join(root, MAIN_ENV));
  if ((envValue(env, 'COMPOSE_FILE') ?? '') === '') refuseOtherNames(folder);
  const here = await observeContainersAt(world, root);
  const found = await observeProject(root, '', env);
  const asIs = hasEnv ? found : { ...found, environment: '/dev/null' };
  const name = chooseName(context, root, here) ?? (await observeComposeAsIs(world, root, asIs)).name;
  const containers = await observeContainers(world, root, name);
  refuseOtherFolder(containers, name, root);
  const project = { ...asIs, name };
  await refuseOtherFiles(root, project, containers);
  return { folder, env, hasEnv, project, config: await observeComposeAsIs(world, root, project), containers };
}

export interface Shipped {
  readonly config: ComposeFact;
  /** What stands against the person's override file, in Compose's words. */
  readonly trouble: string | undefined;
}

/** What Compose would make of the release's own compose file here. Its variables need not be set yet. */
export async function observeShipped(
  { world }: Context,
  { folder, project, config: own }: Adoptable,
  { manifest, text, settings }: { readonly manifest: Manifest; readonly text: string; readonly settings: Settings },
): Promise<Shipped> {
  const { root } = folder;
  if (text === '') return { config: own, trouble: undefined }; // a release of old that has it under another name
  const texts = new Map([[COMPOSE_FILE, text]]);
  const filled = fillOpen(settings, manifest);
  const { environment: _, ...plain } = project;
  try {
    return { config: await observeCandidate(world, root, { project: plain, texts, settings: filled }), trouble: undefined };
  } catch (error) {
    if (!isToolError(error, 'E_CONFIG') || plain.files.length === 1) throw error;
    const config = await observeCandidate(world, root, { project: { ...plain, files: [COMPOSE_FILE] }, texts, settings: filled });
    return { config, trouble: error.message };
  }
}

/** A compose file may demand values that nobody has given yet; for reading its mounts anything will do. */
function fillOpen(settings: Settings, { env }: Manifest): Settings {
  const values = settingsValues(settings, env);
  const open = Object.entries(env).filter(([name, variable]) => variable.default === undefined && (values.get(name) ?? '') === '');
  const main = open.reduce(
    (file, [name, { type }]) => setEnv(file, name, type === 'port' || type === 'integer' ? '1' : 'open'),
    documentOf(settings, MAIN_ENV),
  );
  return new Map([...settings, [MAIN_ENV, main] as const]);
}

/** Compose takes the first of its names; a release always has the one. */
function refuseOtherNames({ root, composeFiles, overrides }: ExistingFolder): void {
  const wrong = [composeFiles[0], overrides[0]].map((name, index) => (name === [COMPOSE_FILE, OVERRIDE][index] ? undefined : name));
  const moves = wrong.flatMap((name, index) => (name === undefined ? [] : [`mv ${name} ${[COMPOSE_FILE, OVERRIDE][index]}`]));
  if (moves.length === 0) return;
  throw new ToolError(
    'E_POLICY',
    `${root}: Compose reads ${wrong.filter((name) => name !== undefined).join(' and ')} here, and releases have ${COMPOSE_FILE}`,
    {
      hint: `In that folder: ${moves.join(' && ')}. Nothing is restarted by that. Or name your files in .env: COMPOSE_FILE=${composeFiles[0]}.`,
    },
  );
}

/** The name that the folder's containers have; undefined = none is here. */
function chooseName(context: Context, root: string, here: readonly ContainerFact[]): string | undefined {
  const given = textFlag(context.flags, 'project');
  const names = [...new Set(here.map((each) => each.project))].sort();
  if (given !== undefined && (names.length === 0 || names.includes(given))) return given;
  if (names.length <= 1 && given === undefined) return names[0];
  throw new ToolError('E_POLICY', `${root} runs as the compose ${names.length === 1 ? 'project' : 'projects'} ${names.join(' and ')}`, {
    hint: names.length === 1 ? `A project's name never changes: leave --project ${given} away.` : 'Say which one is meant: --project NAME.',
  });
}

/** Compose by hand would read other files than containers were started with: nobody knows which is meant. */
async function refuseOtherFiles(root: string, { files }: ComposeProject, containers: readonly ContainerFact[]): Promise<void> {
  const read = new Set(files.map((file) => resolve(root, file)));
  const other = new Set<string>();
  for (const file of containers.flatMap((each) => each.configFiles ?? [])) if (!read.has(file) && (await isThere(file))) other.add(file);
  if (other.size === 0) return;
  const all = [...new Set(containers.flatMap((each) => each.configFiles ?? []))];
  throw new ToolError('E_POLICY', `containers were started with ${[...other].join(', ')}, which Compose does not read here by itself`, {
    hint: `Write into ${join(root, MAIN_ENV)}: COMPOSE_FILE=${all.join(':')}`,
  });
}
