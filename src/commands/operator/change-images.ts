// upgrade --images-only: services take the images of another release, and the rest stays. Rule: pins come from one verified release; no data, setting or other file changes.
import type { Lock } from '../../apply/lock.ts';
import type { ChannelRelease } from '../../model/channel.ts';
import { serviceImages } from '../../model/compose-image.ts';
import { keep } from '../../model/description.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { EngineFacts, InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { type InstallRecord, type OperationRecord, printInstall, withOperation } from '../../model/install.ts';
import { cacheFolder } from '../../model/layout.ts';
import type { Manifest, ManifestImage } from '../../model/manifest.ts';
import { type Mixed, mixServices, releaseOnSite } from '../../model/mixed.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content, Planned } from '../../model/plan.ts';
import type { World } from '../../model/seams.ts';
import { settingsContents, settingsFiles } from '../../model/settings.ts';
import { COMPOSE_FILE, type SiteRelease } from '../../model/site-registry.ts';
import type { Trust } from '../../model/trust.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeMajors } from '../../observe/data-major.ts';
import { observeCandidate, observeEngine, observeRunning } from '../../observe/engine.ts';
import { observeInstall, readShippedCompose } from '../../observe/install.ts';
import { readReleaseText } from '../../observe/release.ts';
import { observeSelf } from '../../observe/self.ts';
import { chooseImages, type ImagesChoice } from '../../plan/choose-images.ts';
import { planImages } from '../../plan/images-only.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, isPlanOnly, isSet, refusePositionals, textFlag } from '../command.ts';
import { ANSWER_FLAGS } from './answers.ts';
import { registryOf } from './choose-registry.ts';
import { watchDowntime } from './downtime.ts';
import { refuseUnfinished } from './finished.ts';
import { keptContents } from './hop.ts';
import { candidateTexts, mergeFiles } from './hop-files.ts';
import { fetchBundle } from './hop-release.ts';
import { refuseUnfit } from './preflight.ts';
import { ensureLogin, type WithLogin } from './registry-login.ts';

/** The services of the command line, several words or one list with commas; undefined = the whole release is meant. Throws E_USAGE. */
export function namedServices(context: Context): readonly string[] | undefined {
  if (!isSet(context.flags, 'images-only')) {
    refusePositionals(context);
    return undefined;
  }
  const answered = Object.keys(ANSWER_FLAGS).find((name) => context.flags[name] !== undefined);
  if (answered !== undefined)
    throw new ToolError('E_USAGE', `--images-only changes no answers, and --${answered} gives some`, {
      hint: 'Give them to `configure`, or upgrade without --images-only.',
    });
  return context.positionals.flatMap((word) => word.split(',')).filter((name) => name !== '');
}

export interface ImagesRequest {
  readonly root: string;
  readonly fetched: FetchedChannel;
  readonly release: ChannelRelease;
  /** None = all. */
  readonly named: readonly string[];
  readonly lock: Lock | undefined;
}

/** Plans it, shows it and carries it out. Throws before anything has changed, or ends with everything as it was. */
export async function changeImages(asked: Context, request: ImagesRequest): Promise<CommandResult> {
  const { root, release, lock } = request;
  const install = await observeInstall(root);
  const { version } = install.record;
  const prepared = await prepare(asked, install, request);
  if (prepared === undefined) return unchanged(version, release.version);
  const { planned, changed, recheck, context } = prepared;
  const downtime = watchDowntime(planned.plan, context.world);
  const carrying = { root, recheck, operator: await observeSelf(context.file), program: context.file, ...keep({ lock }) };
  const carried = await carryOut(planned, { ...context, world: downtime.world }, carrying);
  const fields = { from: version, to: release.version, path: [release.version], images: changed };
  if (carried.outcome === 'planned') {
    const { plan } = carried;
    return {
      fields: { ...fields, plan: planToJson(plan) },
      text: planToText(plan),
      ...(isSet(asked.flags, 'exit-code') ? { exit: 4 } : {}),
    };
  }
  throwUnlessDone(carried, { ...fields, outcome: carried.outcome === 'failed' ? 'upgraded' : 'rolled-back' });
  return {
    fields: { ...fields, outcome: 'upgraded', downtimeMs: downtime.total() },
    text: `${changed.join(', ')}: images of ${release.version}; all else stays at ${version}\n`,
  };
}

interface Prepared {
  readonly planned: Planned;
  readonly changed: readonly string[];
  readonly recheck: () => Promise<Digest>;
  /** With the registry's login, where the plan needs one. */
  readonly context: Context;
}

/** Undefined when the services have these images already. */
async function prepare(asked: Context, install: InstallFacts, request: ImagesRequest): Promise<Prepared | undefined> {
  const { world } = asked;
  const { root, record, project, settings } = install;
  const { release, fetched } = request;
  const start = !isSet(asked.flags, 'no-start');
  const engine = start ? await observeEngine(world, root, project) : await withoutEngine(world, install);
  const shipped = await readOwnCompose(install);
  const choice = await choose(asked, install, { ...request, engine, shipped });
  if (choice.changed.length === 0) return undefined;
  const { mixed, used, compose, images } = useImages(install, shipped, choice);
  const { context, login } = start ? await ensureFit(asked, install, { ...used.manifest, images }) : { context: asked, login: undefined };
  if (start && !isPlanOnly(asked)) await refuseUnfinished(asked, install, false);
  const theirs = new Map<Digest, Content>([...keptContents(install), [digestOf(compose), { text: compose }]]);
  const merging = await mergeFiles(context, asFound(install), { target: used.manifest, theirs, isPart: false });
  const texts = await candidateTexts(install, merging, theirs, root);
  const next = await observeCandidate(world, root, { project, texts, settings });
  const id = `upgrade-${world.random(8).toString('hex')}`;
  const news = { mixed, trust: fetched.trust, login: login?.registry ?? record.login };
  const recordText = recordAfter(record, news, { id, to: release.version, at: momentOf(world.now()) });
  const plan = planImages(
    {
      ...{ id, basedOn: fingerprintInstall(install, engine.containers), version: release.version, services: choice.changed },
      ...{ target: used.manifest, images: imagesToPull({ ...used.manifest, images }), login: login?.registry, start },
      ...{ settings: settingsFiles(settings), record: digestOf(recordText) },
    },
    { install, engine, next, files: merging.decided },
  );
  const recordContent = [digestOf(recordText), { text: recordText }] as const;
  const contents = new Map<Digest, Content>([...theirs, ...merging.contents, ...settingsContents(settings), recordContent]);
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root), start ? await observeRunning(world, root, record.project) : []);
  return { planned: { plan, contents }, changed: choice.changed, recheck, context };
}

/** Files of an adopted install that were never here do not come by this: the next whole upgrade brings them. */
function asFound(install: InstallFacts): InstallFacts {
  const { adopted: _, ...record } = install.record;
  return { ...install, record };
}

/** The text of install.json as it will be. */
function recordAfter(
  { mixed: _, ...record }: InstallRecord,
  news: { readonly mixed: Mixed | undefined; readonly trust: Trust; readonly login: string | undefined },
  operation: Pick<OperationRecord, 'id' | 'to' | 'at'>,
): string {
  const done = { command: 'upgrade', from: record.version, outcome: 'images-only', ...operation };
  return printInstall(withOperation({ ...record, ...keep(news) }, done));
}

/** The installed compose file as it was shipped: what is written is made from it. Throws E_NOT_FOUND. */
async function readOwnCompose({ root, manifest, shipped = manifest }: InstallFacts): Promise<string> {
  const text = await readShippedCompose(root, shipped);
  if (shipped.files.find(({ path }) => path === COMPOSE_FILE)?.sha256 === digestOf(text)) return text;
  throw new ToolError('E_NOT_FOUND', `the compose file of ${shipped.version} as it was shipped is not here any more`, {
    hint: 'Run `upgrade` without --images-only: it brings one.',
  });
}

async function withoutEngine(world: World, { root, project, record, settings }: InstallFacts): Promise<EngineFacts> {
  const config = await observeCandidate(world, root, { project, texts: new Map(), settings });
  return { containers: [], volumes: Object.values(record.volumes), config };
}

interface Choosing extends ImagesRequest {
  readonly engine: EngineFacts;
  /** The installed compose file as it was shipped. */
  readonly shipped: string;
}

async function choose({ world, flags }: Context, install: InstallFacts, request: Choosing): Promise<ImagesChoice> {
  const { root, record, manifest } = install;
  const { engine, named } = request;
  const cache = cacheFolder(root);
  const bundle = await fetchBundle(world, request, { product: record.product, cache });
  return chooseImages({
    ...{ named, record, isSaid: textFlag(flags, 'to') !== undefined },
    installed: { manifest: install.shipped ?? manifest, images: serviceImages(request.shipped) },
    target: { manifest: bundle.manifest, images: serviceImages(await readReleaseText(bundle, cache, COMPOSE_FILE)) },
    config: engine.config,
    majors: await observeMajors(world, install, engine, bundle.manifest),
  });
}

interface UsedImages {
  readonly mixed: Mixed | undefined;
  readonly used: SiteRelease;
  readonly compose: string;
  /** The rows that the change needs. */
  readonly images: readonly ManifestImage[];
}

/** The installed release with the chosen images. Throws E_POLICY for a compose file that cannot be written with them. */
function useImages(install: InstallFacts, text: string, choice: ImagesChoice): UsedImages {
  const { manifest, shipped = manifest } = install;
  const mixed = choice.mixed === undefined ? undefined : mixServices(text, choice.mixed);
  const written = serviceImages(releaseOnSite(shipped, text, { registry: null, mixed }).compose?.text ?? text);
  const isLost = (name: string): boolean => choice.mixed?.[name] !== undefined && written.get(name) !== choice.mixed[name].image;
  const lost = choice.changed.find(isLost);
  if (lost !== undefined)
    throw new ToolError('E_POLICY', `the image of ${lost} is written together with that of other services`, {
      hint: 'Nothing was changed. `upgrade` takes the release as a whole.',
    });
  const used = releaseOnSite(shipped, text, { registry: registryOf(install), mixed });
  const isWanted = ({ digest, version }: ManifestImage): boolean =>
    choice.rows.some((row) => row.digest === digest && row.version === version);
  return { mixed, used, compose: used.compose?.text ?? text, images: used.manifest.images.filter(isWanted) };
}

async function ensureFit(asked: Context, install: InstallFacts, manifest: Manifest): Promise<WithLogin> {
  const { root, record } = install;
  const { context, login } = await ensureLogin(asked, { manifest, root });
  const registry = registryOf(install);
  await refuseUnfit(context, { manifest, root, project: record.project, ports: [], hosts: record.hosts, registry, login });
  return { context, login };
}

function unchanged(version: string, to: string): CommandResult {
  return {
    fields: { from: version, to, path: [], outcome: 'up-to-date', images: [], downtimeMs: 0 },
    text: `the images of ${to} are in use already\n`,
  };
}
