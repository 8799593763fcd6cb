// adopt: takes over an install that was made without us, by older scripts, by hand or from a git checkout. Rule: nothing is restarted and no file of the person's is changed; what is not near to a release is left alone.
import { join, resolve } from 'node:path';
import type { AdoptedFrom, ComparedFile } from '../../model/adoption.ts';
import { type Digest, digestOf, hexOf } from '../../model/digest.ts';
import { composeProfiles } from '../../model/env-render.ts';
import { withoutOwnServers } from '../../model/external.ts';
import { featuresOfProfiles } from '../../model/feature.ts';
import { fingerprintSite } from '../../model/fingerprint.ts';
import { type InstallRecord, printInstall } from '../../model/install.ts';
import { operatorsFolder } from '../../model/layout.ts';
import type { Manifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content } from '../../model/plan.ts';
import { homesOf, settingsValues, type Variables } from '../../model/settings.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeRunning } from '../../observe/engine.ts';
import { type ExistingFolder, observePresent } from '../../observe/existing.ts';
import { observeFiles, pathsOf, readRecord } from '../../observe/install.ts';
import { type FetchedRelease, fetchRelease, readReleaseText } from '../../observe/release.ts';
import { observeChannel } from '../../observe/remote.ts';
import { makeScratch } from '../../observe/scratch.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeSettings } from '../../observe/settings.ts';
import { planAdopt } from '../../plan/adopt.ts';
import { type DataPlaces, findDataPlaces } from '../../plan/data-places.ts';
import { type Comparison, compareFiles } from '../../plan/nearest.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { settingsTroubles } from '../../plan/settings-troubles.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import {
  CHANGING_FLAGS,
  type Command,
  type CommandResult,
  type Context,
  type FlagTable,
  isSet,
  refusePositionals,
  textFlag,
} from '../command.ts';
import { type Adoptable, holdsInstall, observeAdoptable, observeShipped } from './adoptable.ts';
import { FOLDER_FLAG } from './folder.ts';
import { renderFetched } from './host-files.ts';
import { installedAlready } from './installed-already.ts';
import { type Launching, prepareLaunching } from './launching.ts';
import { findNearest, findVariables } from './nearest-release.ts';
import { newRecord } from './record.ts';
import { releaseContents, releaseExtras } from './release-files.ts';
import { SOURCE_FLAGS, type WantedSource, wantedOfFolder } from './wanted.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...CHANGING_FLAGS,
  ...SOURCE_FLAGS,
  as: { type: 'string', value: 'VERSION', help: 'it is this release, however far from it it looks' },
  project: { type: 'string', value: 'NAME', help: 'its compose project, where several run from the folder' },
} as const satisfies FlagTable;

export const adopt: Command = {
  name: 'adopt',
  summary: 'Takes over an install made by older scripts, by hand or from git; nothing is restarted.',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const root = chooseFolder(context);
  const known = await readRecord(root);
  if (known !== undefined && known.uninstalled === undefined) return installedAlready(context, root, known);
  await refuseOpenJournal(root, context.world);
  const wanted = await wantedOfFolder(context, root);
  const fetched = await observeChannel(context.world, { ...wanted, acceptExpired: isSet(context.flags, 'accept-expired') });
  return adoptFolder(context, { root, wanted, fetched });
}

/** The folder that was named, else the one that this is called in. */
function chooseFolder(context: Context): string {
  const named = textFlag(context.flags, 'dir') ?? context.world.env.SLIPWAY_DIR ?? '';
  return resolve(named === '' ? '.' : named);
}

export interface Adoption {
  readonly root: string;
  readonly wanted: WantedSource;
  readonly fetched: FetchedChannel;
}

/**
 * For `install`: takes over what runs from its folder, or from the one it is called in when that names this product. Undefined when there is
 * none.
 */
export async function adoptInstead(context: Context, adoption: Adoption): Promise<CommandResult | undefined> {
  const { flags, world } = context;
  if (isSet(flags, 'no-start')) return undefined; // whoever touches no container cannot know what runs
  if (await holdsInstall(context, adoption.root)) return adoptFolder(context, adoption);
  const isNamed = (textFlag(flags, 'dir') ?? world.env.SLIPWAY_DIR ?? '') !== '';
  const here = resolve('.');
  if (isNamed || (await readRecord(here)) !== undefined || !(await holdsInstall(context, here, adoption))) return undefined;
  return adoptFolder(context, { ...adoption, root: here });
}

/** Everything that was found out before the plan. */
interface Found {
  readonly at: Adoptable;
  readonly nearest: Comparison;
  readonly bundle: FetchedRelease;
  /** What the product asks for. */
  readonly variables: Variables;
  readonly scratch: string;
  readonly from: AdoptedFrom;
}

async function adoptFolder(context: Context, { root, wanted, fetched }: Adoption): Promise<CommandResult> {
  const { product } = wanted;
  const at = await observeAdoptable(context, root);
  const scratch = await makeScratch();
  const nearest = await findNearest(context, at, { product, fetched, scratch });
  const bundle = await fetchRelease({ source: fetched.source, release: nearest.release, product, trust: fetched.trust, cache: scratch });
  const { isSource, version } = at.folder;
  const variables = await findVariables(nearest, { product, fetched, scratch });
  const found: Found = { at, nearest, variables, bundle, scratch, from: isSource ? 'source' : version === undefined ? 'hand' : 'release' };
  const prepared = await prepareAdoption(context, found, { root, wanted, fetched });
  const carried = await carryOut(prepared, context, {
    root,
    recheck: prepared.recheck,
    operator: await observeSelf(context.file),
    program: context.file,
    project: at.project.name,
  });
  return resultOf(context, carried, found, prepared);
}

interface Prepared {
  readonly plan: ReturnType<typeof planAdopt>;
  readonly contents: ReadonlyMap<Digest, Content>;
  readonly recheck: () => Promise<Digest>;
  /** With the files that are rendered here among the others. */
  readonly nearest: Comparison;
  readonly yours: readonly string[];
  readonly command: string;
}

async function prepareAdoption(context: Context, found: Found, adoption: Adoption): Promise<Prepared> {
  const { root } = adoption;
  const { at, bundle, scratch } = found;
  const { manifest } = bundle;
  const look = (): Promise<Digest> => fingerprintFolder(context, at, manifest);
  const basedOn = await look();
  const launching = await prepareOwnLaunching(context, found, adoption);
  const kept = await observeKept(context, found);
  const { target, contents: rendered } = await renderFetched(bundle, scratch, kept);
  const files = compareFiles(target, await observeFiles(root, pathsOf(target)));
  const nearest = { ...found.nearest, manifest: target, files };
  const id = `adopt-${context.world.random(8).toString('hex')}`;
  const recordText = printInstall(recordOf(context, { ...found, nearest }, { ...adoption, ...kept, id, launching }));
  const extras = releaseExtras(bundle);
  const yours = yoursOnly(at.folder, target);
  const plan = planAdopt(
    { id, basedOn, nearest, extra: extras.files, record: digestOf(recordText), launching: launching.wish },
    {
      ...{ root, project: at.project.name, from: found.from, containers: at.containers, config: at.config, yours, ...kept },
      present: await observePresent(context.world, root, imagesToPull(manifest)),
      environment: at.hasEnv ? undefined : digestOf(''),
    },
  );
  const contents = new Map<Digest, Content>([
    ...releaseContents(scratch, { manifest, shipped: manifest }),
    ...extras.contents,
    ...launching.contents,
    ...rendered,
    ...['', recordText].map((text) => [digestOf(text), { text }] as const),
  ]);
  const own = join(operatorsFolder(root), hexOf(await observeSelf(context.file)));
  return { plan, contents, recheck: look, nearest, yours, command: launching.fields.launcher ?? `node ${own}` };
}

/** What the install has of its own, and goes on with. */
interface Kept {
  readonly values: ReadonlyMap<string, string>;
  readonly features: readonly string[];
  readonly places: DataPlaces;
  readonly troubles: readonly string[];
}

async function observeKept(context: Context, { at, bundle, scratch, variables }: Found): Promise<Kept> {
  const { manifest } = bundle;
  const { root } = at.folder;
  const settings = await observeSettings(root, homesOf(variables));
  const values = settingsValues(settings, variables);
  const text = await readReleaseText(bundle, scratch, 'docker-compose.yml');
  const shipped = await observeShipped(context, at, { manifest, text, settings });
  // A service that is here counts like its profile: before a release had that, nobody had to switch it on.
  const services = [...Object.keys(at.config.services), ...at.containers.map(({ service }) => service)];
  const features = featuresOfProfiles(manifest.features, [...composeProfiles(at.env), ...services]);
  const places = findDataPlaces({ root, manifest: withoutOwnServers(manifest, features), config: at.config, shipped: shipped.config });
  const override = shipped.trouble === undefined ? [] : [overrideNote(shipped.trouble)];
  return { values, features, places, troubles: [...override, ...settingsTroubles(variables, values, features)] };
}

interface Recorded extends Adoption, Kept {
  readonly id: string;
  readonly launching: Launching;
}

function recordOf({ world }: Context, { at, nearest, from }: Found, wish: Recorded): InstallRecord {
  const { manifest } = nearest;
  const { root, wanted, fetched, id, launching } = wish;
  const now = momentOf(world.now());
  const missing = nearest.files.flatMap(({ path, state }) => (state === 'missing' ? [path] : [])).sort();
  const record = newRecord(
    {
      ...{ manifest, manifestDigest: nearest.release.manifest, folder: root, project: at.project.name },
      ...{ channel: wanted.channel, hosts: [...new Set([...wanted.locations, ...manifest.hosts])], trust: fetched.trust },
      ...{ config: at.config, features: wish.features, values: wish.values, at: now, launching: launching.fields },
      operation: { id, command: 'adopt', from: null, to: manifest.version, outcome: 'adopted', at: now },
    },
    world,
  );
  return { ...record, volumes: wish.places.volumes, adopted: { from, at: now, missing } };
}

/** The command on PATH starts the program in the folder; one of older scripts under its name is not ours to start. */
async function prepareOwnLaunching(context: Context, { at, bundle }: Found, { root, fetched }: Adoption): Promise<Launching> {
  const { manifest } = bundle;
  const prepared = await prepareLaunching(context, { root, manifest, project: at.project.name, fetched, record: undefined });
  const launching = withoutUnits(prepared);
  const program = (await observeFiles(root, [manifest.cli])).get(manifest.cli);
  if (program === undefined || program.digest === manifest.operator) return launching;
  const { launcher: _, ...wish } = launching.wish;
  const { launcher: __, ...fields } = launching.fields;
  return { ...launching, wish, fields };
}

/** Nothing starts by itself that did not before; `configure --at-boot on --backups daily` changes that. */
function withoutUnits({ wish, contents, fields }: Launching): Launching {
  const { units: _, notes: __, ...quiet } = wish;
  const { units: ___, schedule: ____, ...kept } = fields;
  return { wish: quiet, contents, fields: kept };
}

async function fingerprintFolder({ world }: Context, { folder, project }: Adoptable, manifest: Manifest): Promise<Digest> {
  const paths = new Set([...pathsOf(manifest), ...project.files, 'VERSION']);
  return fingerprintSite(await observeFiles(folder.root, [...paths]), await observeRunning(world, folder.root, project.name));
}

/** What lies at the top of the folder, and is neither the release's, nor a file that every install has of its own. */
function yoursOnly({ names }: ExistingFolder, { files, folders, userOwned, data, env }: Manifest): string[] {
  const items = Object.values(data).flatMap(({ path }) => path ?? []);
  const known = new Set(
    [...files.map(({ path }) => path), ...folders, ...userOwned, ...items, ...homesOf(env)].map((path) => path.split('/')[0]),
  );
  const own = ['.git', '.slipway', 'VERSION', 'bundle.json', 'bundle.json.minisig'];
  return names.filter((name) => !known.has(name) && !own.includes(name));
}

function overrideNote(trouble: string): string {
  return `docker-compose.override.yml does not fit the release's own compose file, so an upgrade would refuse it: ${trouble}`;
}

function resultOf(context: Context, carried: Carried, { at, from }: Found, { plan, nearest, yours, command }: Prepared): CommandResult {
  const { product, title, version } = nearest.manifest;
  const fields = {
    ...{ product, version, folder: at.folder.root, project: at.project.name, from },
    files: [...nearest.files, ...yours.map((path): ComparedFile => ({ path, state: 'yours' }))],
    images: nearest.images,
  };
  if (carried.outcome === 'planned')
    return {
      fields: { ...fields, plan: planToJson(plan) },
      text: planToText(plan),
      ...(isSet(context.flags, 'exit-code') ? { exit: 4 } : {}),
    };
  throwUnlessDone(carried);
  return {
    fields: { ...fields, outcome: 'adopted' },
    text: `${title} ${version} at ${at.folder.root} is taken over; nothing was restarted\nNext: ${command} status\n`,
  };
}
