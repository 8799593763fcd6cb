// install: from a channel to a running product. Rule: verified before unpacked, shown before done, and a failed install leaves what was there before.
import { join } from 'node:path';
import type { ChannelRelease } from '../../model/channel.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { setCompose } from '../../model/env-render.ts';
import { ToolError } from '../../model/error.ts';
import { allProfiles, profilesOf } from '../../model/feature.ts';
import { fingerprintSite } from '../../model/fingerprint.ts';
import { type InstallRecord, printInstall } from '../../model/install.ts';
import { type Manifest, parseProductName } from '../../model/manifest.ts';
import { parsePublicKey } from '../../model/minisign.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content } from '../../model/plan.ts';
import { documentOf, homesOf, MAIN_ENV, type Settings, settingsContents, settingsFiles, settingsValues } from '../../model/settings.ts';
import { firstSettings } from '../../model/settings-merge.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeCandidate, observeContainers, observeVolumes } from '../../observe/engine.ts';
import { isThere, observeFiles, observeProject, pathsOf, readRecord } from '../../observe/install.ts';
import { type FetchedRelease, fetchRelease, readReleaseText } from '../../observe/release.ts';
import { chooseRelease, observeChannel } from '../../observe/remote.ts';
import { makeScratch } from '../../observe/scratch.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeSettings } from '../../observe/settings.ts';
import { planInstall } from '../../plan/install.ts';
import { planToJson, planToText } from '../../show/plan.ts';
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
import { ANSWER_FLAGS, answersFor, makeSecrets, openSecrets } from './answers.ts';
import { defaultFolder, FOLDER_FLAG } from './folder.ts';
import { handOver } from './hand-over.ts';
import { renderFetched } from './host-files.ts';
import { installedAlready } from './installed-already.ts';
import { changeRuntime, prepareLaunching } from './launching.ts';
import { portsOf, refuseUnfit, refuseUnset } from './preflight.ts';
import { newRecord, refuseOtherIdentity, refuseOtherSecrets } from './record.ts';
import { releaseContents, releaseExtras } from './release-files.ts';
import { revealSecrets } from './reveal.ts';
import { UNIT_FLAGS } from './units.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...ANSWER_FLAGS,
  ...CHANGING_FLAGS,
  ...UNIT_FLAGS,
  releases: { type: 'string', value: 'PLACE', multiple: true, help: 'where releases are: a URL or a folder; several are tried in order' },
  product: { type: 'string', value: 'NAME', help: 'the product' },
  channel: { type: 'string', value: 'NAME', help: 'the channel to follow (stable)' },
  'release-version': { type: 'string', value: 'V', help: 'this version instead of the latest' },
  key: { type: 'string', value: 'KEY', help: 'the minisign public key of the product' },
  project: { type: 'string', value: 'NAME', help: 'the compose project name, for a second install on one machine' },
  cli: { type: 'string', value: 'NAME', help: 'what this command is called' },
  title: { type: 'string', value: 'TEXT', help: 'what the product is called' },
  'no-start': { type: 'boolean', help: 'write the files, and touch no container' },
  'accept-expired': { type: 'boolean', help: 'take a channel file that has expired' },
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
}

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const { flags, world } = context;
  const product = parseProductName(required(context, 'product'), '--product');
  const root = defaultFolder(context, product);
  const known = await readRecord(root);
  if (known !== undefined && known.uninstalled === undefined) return installedAlready(context, root, known);
  await refuseOpenJournal(root);
  const key = textFlag(flags, 'key') ?? '';
  const locations = textFlags(flags, 'releases');
  if (locations.length === 0) throw missingFlag('releases');
  const channel = textFlag(flags, 'channel') ?? 'stable';
  world.report({ type: 'phase', text: `Looking for ${textFlag(flags, 'title') ?? product}` });
  const trust = { key: key === '' ? null : parsePublicKey(key, '--key').text, signed: key !== '', sequences: {} };
  if (trust.key === null)
    world.report({
      type: 'warning',
      text: 'this product is not signed: nobody can tell who made it',
      hint: 'Ask its maintainer for a key.',
    });
  const fetched = await observeChannel(world, { locations, product, channel, trust, acceptExpired: isSet(flags, 'accept-expired') });
  const release = chooseRelease(fetched, textFlag(flags, 'release-version'));
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
  const project = parseProductName(textFlag(flags, 'project') ?? known?.project ?? bundle.manifest.project, '--project');
  if (known !== undefined) refuseOtherIdentity(known, { product, project, version: bundle.manifest.version });
  return installRelease({ context, root, fetched, release, bundle, cache: scratch, start: !isSet(flags, 'no-start'), project, known });
}

async function installRelease(site: Site): Promise<CommandResult> {
  const { context, root, bundle, start, project, release } = site;
  const { world } = context;
  const { manifest } = bundle;
  if (start) await refuseUnfit(context, { manifest, root, project, ports: [], hosts: textFlags(context.flags, 'releases') });
  const env = await makeEnvironment(site);
  const values = settingsValues(env.settings, manifest.env);
  if (site.known !== undefined) refuseOtherSecrets(site.known, values);
  if (start) await refuseUnfit(context, { manifest, root, project, ports: portsOf(manifest, values, env.features) });
  const { target, contents: rendered } = await renderFetched(bundle, site.cache, { values, features: env.features });
  const compose = await observeProject(root, project, documentOf(env.settings, MAIN_ENV));
  const next = await observeCandidate(world, root, { project: compose, texts: await composeTexts(site), settings: env.settings });
  refuseUnset(next.unset);
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
    ...releaseContents(site.cache, manifest),
    ...rendered,
    ...extras.contents,
    ...launching.contents,
    ...settingsContents(env.settings),
    [wish.record, { text: recordText }],
  ]);
  const recheck = async (): Promise<Digest> =>
    fingerprintSite(await observeFiles(root, pathsOf(manifest)), start ? await observeContainers(world, root, project) : []);
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
  const { context, root, bundle, project } = site;
  const { manifest } = bundle;
  const { world } = context;
  const found = await observeSettings(root, homesOf(manifest.env));
  const today = settingsValues(found, manifest.env);
  const answers = await answersFor(context, { manifest, defaults: today });
  const values = new Map([...answers.values, ...[...today].filter(([name]) => manifest.env[name]?.secret !== undefined)]);
  const open = openSecrets(manifest, values);
  if (site.start) await refuseLostSecrets(site, open);
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

/** Data without its key is lost data: a new secret beside an old volume would make it unreadable. */
async function refuseLostSecrets(site: Site, open: readonly string[]): Promise<void> {
  const { manifest } = site.bundle;
  const lost = open.filter((name) => manifest.env[name]?.immutable === true);
  if (lost.length === 0) return;
  const volumes = await observeVolumes(site.context.world, site.root, site.project);
  if (volumes.length === 0) return;
  throw new ToolError(
    'E_POLICY',
    `data of an earlier install is here (${volumes.join(', ')}), but ${lost.join(', ')} ${lost.length === 1 ? 'is' : 'are'} not`,
    {
      hint: `Put the old .env at ${join(site.root, '.env')}, or remove the volumes if the data is not needed.`,
    },
  );
}

async function composeTexts(site: Site): Promise<Map<string, string>> {
  return new Map([['docker-compose.yml', await readReleaseText(site.bundle, site.cache, 'docker-compose.yml')]]);
}

function hostsOf(site: Site): readonly string[] {
  const given = textFlags(site.context.flags, 'releases');
  return [...new Set([...given, ...site.bundle.manifest.hosts])];
}

interface Welcomed {
  readonly root: string;
  readonly start: boolean;
  /** How the command is called. */
  readonly command: string;
}

function welcome(manifest: Manifest, { root, start, command }: Welcomed): string {
  const next = start ? `${command} status` : `docker compose up -d (in ${root})`;
  return `${manifest.title} ${manifest.version} is installed at ${root}\nNext: ${next}\nKeep a copy of ${join(root, '.env')} elsewhere: without its secrets the data cannot be read.\n`;
}

function required(context: Context, name: string): string {
  const value = textFlag(context.flags, name);
  if (value === undefined) throw missingFlag(name);
  return value;
}

function missingFlag(name: string): ToolError {
  return new ToolError('E_USAGE', `install: --${name} is missing`, { hint: 'Use the install.sh of the product: it knows them all.' });
}
