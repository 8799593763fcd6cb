// install: from a channel to a running product. Rule: verified before unpacked, shown before done, and a failed install leaves what was there before.
import { join } from 'node:path';
import type { ChannelRelease } from '../../model/channel.ts';
import { chooseRelease } from '../../model/choose-release.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { setCompose } from '../../model/env-render.ts';
import { allProfiles, profilesOf } from '../../model/feature.ts';
import { fingerprintSite } from '../../model/fingerprint.ts';
import { type InstallRecord, printInstall } from '../../model/install.ts';
import { parseProductName } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content } from '../../model/plan.ts';
import { documentOf, homesOf, MAIN_ENV, type Settings, settingsContents, settingsFiles, settingsValues } from '../../model/settings.ts';
import { firstSettings } from '../../model/settings-merge.ts';
import type { SiteNetwork } from '../../model/site-network.ts';
import { COMPOSE_FILE, rehomeRelease, type SiteRelease, shippedComposeOf } from '../../model/site-registry.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeCandidate, observeContainers, observeRunning } from '../../observe/engine.ts';
import { isThere, observeFiles, observeProject, pathsOf, readRecord } from '../../observe/install.ts';
import { type FetchedRelease, fetchRelease, readReleaseText } from '../../observe/release.ts';
import { observeChannel } from '../../observe/remote.ts';
import { makeScratch } from '../../observe/scratch.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeSettings } from '../../observe/settings.ts';
import { planInstall } from '../../plan/install.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { welcome } from '../../show/welcome.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import {
  CHANGING_FLAGS,
  type Command,
  type CommandResult,
  type Context,
  type FlagTable,
  isSet,
  refusePositionals,
  textFlag,
  textFlags,
} from '../command.ts';
import { adoptInstead } from './adopt.ts';
import { ANSWER_FLAGS, answersFor, makeSecrets, openSecrets } from './answers.ts';
import { chooseRegistry, REGISTRY_FLAG } from './choose-registry.ts';
import { defaultFolder, FOLDER_FLAG } from './folder.ts';
import { handOver } from './hand-over.ts';
import { renderFetched } from './host-files.ts';
import { installRestored, RESTORE_FLAGS, releaseOf, wantedBackup } from './install-restored.ts';
import { installedAlready } from './installed-already.ts';
import { changeRuntime, prepareLaunching } from './launching.ts';
import { portsOf, refuseUnfit, refuseUnset } from './preflight.ts';
import { newRecord, refuseLostSecrets, refuseOtherIdentity, refuseOtherSecrets, refuseStrandedData } from './record.ts';
import { ensureLogin, LOGIN_FLAGS } from './registry-login.ts';
import { releaseContents, releaseExtras } from './release-files.ts';
import { revealSecrets } from './reveal.ts';
import { chooseNetwork, NETWORK_FLAGS } from './site-network.ts';
import { UNIT_FLAGS } from './units.ts';
import { SOURCE_FLAGS, wantedProduct, wantedSource } from './wanted.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...ANSWER_FLAGS,
  ...REGISTRY_FLAG,
  ...LOGIN_FLAGS,
  ...NETWORK_FLAGS,
  ...CHANGING_FLAGS,
  ...UNIT_FLAGS,
  ...SOURCE_FLAGS,
  ...RESTORE_FLAGS,
  'release-version': { type: 'string', value: 'V', help: 'this version instead of the latest' },
  project: { type: 'string', value: 'NAME', help: 'the compose project name, for a second install on one machine' },
  'no-start': { type: 'boolean', help: 'write the files, and touch no container' },
} as const satisfies FlagTable;

export const install: Command = { name: 'install', summary: 'Installs a release on this machine.', flags: FLAGS, run };

interface Site {
  readonly context: Context;
  readonly root: string;
  readonly fetched: FetchedChannel;
  readonly release: ChannelRelease;
  readonly bundle: FetchedRelease;
  readonly cache: string;
  readonly start: boolean;
  readonly project: string;
  /** What an uninstalled product left here: its data and secrets wait for it. */
  readonly known: InstallRecord | undefined;
  /** The release with its images from this registry; null = the product's own. */
  readonly used: SiteRelease;
  readonly registry: string | null;
  readonly network: SiteNetwork;
}

async function run(asked: Context): Promise<CommandResult> {
  refusePositionals(asked);
  const product = wantedProduct(asked, 'install');
  const root = defaultFolder(asked, product);
  const known = await readRecord(root);
  const { context, network } = await chooseNetwork(asked, known?.network);
  const { flags, world } = context;
  if (known !== undefined && known.uninstalled === undefined) return installedAlready(context, root, known);
  await refuseOpenJournal(root, context.world);
  const saved = await wantedBackup(context, product, known);
  const wanted = wantedSource(context, product, 'install');
  world.report({ type: 'phase', text: `Looking for ${textFlag(flags, 'title') ?? product}` });
  const fetched = await observeChannel(world, { ...wanted, acceptExpired: isSet(flags, 'accept-expired') });
  const adopted = known === undefined && saved === undefined ? await adoptInstead(context, { root, wanted, fetched }) : undefined;
  if (adopted !== undefined) return adopted;
  const release = saved === undefined ? chooseRelease(fetched.channel, textFlag(flags, 'release-version')) : releaseOf(fetched, saved);
  const scratch = await makeScratch();
  const node = await changeRuntime(context, { fetched, release, cache: scratch });
  const handed = await handOver(context, {
    root: join(scratch, 'hand-over'),
    source: fetched.source,
    release,
    argv: process.argv.slice(2),
    node,
  });
  if (handed !== undefined) return handed;
  const onBytes = (done: number, total: number): void => world.report({ type: 'progress', text: 'bundle', done, total, unit: 'bytes' });
  const bundle = await fetchRelease({ source: fetched.source, release, product, trust: fetched.trust, cache: scratch, onBytes });
  if (saved !== undefined) return installRestored(context, { root, fetched, release, bundle, cache: scratch, network, saved });
  const project = parseProductName(textFlag(flags, 'project') ?? known?.project ?? bundle.manifest.project, '--project');
  if (known !== undefined) refuseOtherIdentity(known, { product, project, version: bundle.manifest.version });
  const { context: answering, registry } = await chooseRegistry(context, {
    manifest: bundle.manifest,
    today: settingsValues(await observeSettings(root, homesOf(bundle.manifest.env)), bundle.manifest.env),
    recorded: known?.registry ?? null,
  });
  const used = rehomeRelease(bundle.manifest, await readReleaseText(bundle, scratch, COMPOSE_FILE), registry);
  const start = !isSet(flags, 'no-start');
  return installRelease({
    context: answering,
    root,
    fetched,
    release,
    bundle,
    cache: scratch,
    start,
    project,
    known,
    used,
    registry,
    network,
  });
}

async function installRelease(site: Site): Promise<CommandResult> {
  const { root, bundle, start, project, release, used, registry } = site;
  const { manifest } = used;
  const { context, login } = start ? await ensureLogin(site.context, { manifest, root }) : { context: site.context, login: undefined };
  const { world } = context;
  if (start)
    await refuseUnfit(context, { manifest, root, project, ports: [], hosts: textFlags(context.flags, 'releases'), registry, login });
  const env = await makeEnvironment(site);
  const values = settingsValues(env.settings, manifest.env);
  if (site.known !== undefined) refuseOtherSecrets(site.known, values);
  if (start) await refuseUnfit(context, { manifest, root, project, ports: portsOf(manifest, values, env.features) });
  const { target, contents: rendered } = await renderFetched({ ...bundle, manifest }, site.cache, { values, features: env.features });
  const compose = await observeProject(root, project, documentOf(env.settings, MAIN_ENV));
  const next = await observeCandidate(world, root, { project: compose, texts: await composeTexts(site), settings: env.settings });
  refuseUnset(next.unset);
  if (site.known !== undefined) refuseStrandedData(site.known, manifest, next);
  const found = await observeFiles(root, pathsOf(manifest));
  const containers = start ? await observeContainers(world, root, project) : [];
  const at = momentOf(world.now());
  const id = `install-${world.random(8).toString('hex')}`;
  const operation = { id, command: 'install', from: null, to: manifest.version, outcome: 'installed', at };
  const launching = await prepareLaunching(context, { root, manifest, project, fetched: site.fetched, record: undefined });
  const recordText = printInstall(
    newRecord(
      {
        manifest: target,
        manifestDigest: release.manifest,
        folder: root,
        project,
        channel: site.fetched.channel.channel,
        hosts: hostsOf(site),
        trust: site.fetched.trust,
        config: next,
        features: env.features,
        registry,
        login: login?.registry,
        network: site.network,
        values,
        at,
        operation,
        launching: launching.fields,
      },
      world,
    ),
  );
  const basedOn = fingerprintSite(found, containers);
  const extras = releaseExtras(bundle);
  const wish = {
    id,
    at,
    basedOn,
    target,
    ...shippedComposeOf(used),
    login: login?.registry,
    extra: extras.files,
    settings: settingsFiles(env.settings),
    record: digestOf(recordText),
    features: env.features,
    start,
    launching: launching.wish,
  };
  const plan = planInstall(wish, {
    root,
    rootExists: env.rootExists,
    isKnown: site.known !== undefined,
    project: compose,
    found,
    containers,
    next,
  });
  const contents = new Map<Digest, Content>([
    ...releaseContents(site.cache, used),
    ...rendered,
    ...extras.contents,
    ...launching.contents,
    ...settingsContents(env.settings),
    [wish.record, { text: recordText }],
  ]);
  const recheck = async (): Promise<Digest> =>
    fingerprintSite(await observeFiles(root, pathsOf(manifest)), start ? await observeRunning(world, root, project) : []);
  const carried = await carryOut({ plan, contents }, context, {
    root,
    recheck,
    operator: await observeSelf(context.file),
    program: context.file,
    ...(start ? { project } : {}),
  });
  if (carried.outcome === 'planned')
    return { fields: { plan: planToJson(plan) }, text: planToText(plan), ...(isSet(context.flags, 'exit-code') ? { exit: 4 } : {}) };
  throwUnlessDone(carried);
  revealSecrets(context, manifest.env, env.generated);
  return {
    fields: { product: manifest.product, version: manifest.version, folder: root, outcome: 'installed' },
    text: welcome(manifest, { root, start, command: launching.fields.launcher ?? join(root, manifest.cli) }),
  };
}

interface Environment {
  readonly settings: Settings;
  readonly features: readonly string[];
  readonly generated: ReadonlyMap<string, string>;
  readonly rootExists: boolean;
}

/** Env files that lie there from an earlier install keep their values: the data was made with their secrets. */
async function makeEnvironment(site: Site): Promise<Environment> {
  const { context, root, used, project } = site;
  const { manifest } = used;
  const { world } = context;
  const found = await observeSettings(root, homesOf(manifest.env));
  const today = settingsValues(found, manifest.env);
  const answers = await answersFor(context, { manifest, defaults: today });
  const values = new Map([...answers.values, ...[...today].filter(([name]) => manifest.env[name]?.secret !== undefined)]);
  const open = openSecrets(manifest, values);
  if (site.start) await refuseLostSecrets(world, { root, project, manifest }, open);
  const { generated, derived } = makeSecrets(
    {
      variables: manifest.env,
      names: open,
      before: today,
      values,
      given: new Set(answers.values.keys()),
      origins: site.known?.derived ?? {},
    },
    world,
  );
  const { title, version } = manifest;
  const wanted = { variables: manifest.env, answers: new Map([...values, ...derived]), generated, features: answers.features };
  const settings = firstSettings({ ...wanted, found, title, version });
  const main = setCompose(documentOf(settings, MAIN_ENV), {
    project,
    profiles: profilesOf(manifest.features, answers.features),
    known: allProfiles(manifest.features),
  });
  return {
    settings: new Map([...settings, [MAIN_ENV, main] as const]),
    features: answers.features,
    generated,
    rootExists: await isThere(root),
  };
}

async function composeTexts(site: Site): Promise<Map<string, string>> {
  const { used, bundle, cache } = site;
  return new Map([[COMPOSE_FILE, used.compose?.text ?? (await readReleaseText(bundle, cache, COMPOSE_FILE))]]);
}

function hostsOf(site: Site): readonly string[] {
  const given = textFlags(site.context.flags, 'releases');
  return [...new Set([...given, ...site.bundle.manifest.hosts])];
}
