// install --restore: a backup brought up on a host that has nothing of the product yet. Rule: the release is fetched and verified as at any install; only files, settings and data are the backup's.
import { join, resolve } from 'node:path';
import type { ChannelRelease } from '../../model/channel.ts';
import { chooseRelease } from '../../model/choose-release.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { setCompose } from '../../model/env-render.ts';
import { ToolError } from '../../model/error.ts';
import { allProfiles, profilesOf } from '../../model/feature.ts';
import { fingerprintSite } from '../../model/fingerprint.ts';
import { type InstallRecord, parseInstall, printInstall } from '../../model/install.ts';
import { type Manifest, parseProductName } from '../../model/manifest.ts';
import { releaseOnSite } from '../../model/mixed.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content, DataToCopy, FileToWrite } from '../../model/plan.ts';
import { documentOf, homesOf, MAIN_ENV, type Settings, settingsContents, settingsFiles, settingsValues } from '../../model/settings.ts';
import { mergeSettings } from '../../model/settings-merge.ts';
import type { SiteNetwork } from '../../model/site-network.ts';
import { COMPOSE_FILE, shippedComposeOf } from '../../model/site-registry.ts';
import { checkBackup } from '../../observe/backup-check.ts';
import { unpackBackupFiles } from '../../observe/backup-files.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeCandidate, observeRunning } from '../../observe/engine.ts';
import { observeForeignBackup } from '../../observe/foreign-backup.ts';
import { isThere, observeFiles, observeProject, readText } from '../../observe/install.ts';
import type { KeptBackup } from '../../observe/kept.ts';
import { type FetchedRelease, readReleaseText } from '../../observe/release.ts';
import { makeScratch } from '../../observe/scratch.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeSettings } from '../../observe/settings.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { planRestoreElsewhere } from '../../plan/restore-elsewhere.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { welcome } from '../../show/welcome.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, type FlagTable, isSet, textFlag, textFlags } from '../command.ts';
import { answersFor, givenNames } from './answers.ts';
import { renderFetched } from './host-files.ts';
import { prepareLaunching } from './launching.ts';
import { IDENTITY_FLAG, withOpenBackup } from './opened-backup.ts';
import { portsOf, refuseUnfit, refuseUnset } from './preflight.ts';
import { newRecord, refuseOtherSecrets } from './record.ts';
import { ensureLogin } from './registry-login.ts';
import { releaseContents, releaseExtras } from './release-files.ts';

export const RESTORE_FLAGS = {
  restore: { type: 'string', value: 'PATH', help: 'bring up this backup: its folder, or a tar file of it' },
  ...IDENTITY_FLAG,
} as const satisfies FlagTable;

/** The backup of the command line; undefined without one. Throws for one that is none, that is another product's, and where something is installed already. */
export async function wantedBackup({ flags }: Context, product: string, known: InstallRecord | undefined): Promise<KeptBackup | undefined> {
  const path = textFlag(flags, 'restore');
  if (path === undefined) return undefined;
  if (isSet(flags, 'no-start'))
    throw new ToolError('E_USAGE', '--restore needs the engine: volumes are made and filled', { hint: 'Leave --no-start away.' });
  const backup = await observeForeignBackup(path);
  if (backup.product !== product)
    throw new ToolError('E_WRONG_PRODUCT', `${path} is a backup of ${backup.product}, and this is ${product}`, {
      hint: `Use the install.sh of ${backup.product}.`,
    });
  if (known === undefined) return backup;
  throw new ToolError('E_POLICY', `${known.folder} still keeps data and settings of ${known.product} ${known.version}`, {
    hint: 'Choose another folder with --dir, or remove what is kept: `uninstall --purge-data`. To take it up again instead, leave --restore away.',
  });
}

/** The very release that the backup is of. */
export function releaseOf(fetched: FetchedChannel, backup: KeptBackup): ChannelRelease {
  const release = find(fetched, backup);
  if (release.manifest === backup.manifest) return release;
  throw new ToolError('E_DIGEST', `the ${backup.version} that is published is not the ${backup.version} that the backup is of`, {
    hint: 'Nothing was changed. Use the releases that the product was installed from (SLIPWAY_RELEASES), or ask the vendor.',
  });
}

function find(fetched: FetchedChannel, { version }: KeptBackup): ChannelRelease {
  try {
    return chooseRelease(fetched.channel, version);
  } catch (cause) {
    if (!(cause instanceof ToolError)) throw cause;
    throw new ToolError(cause.code, `the backup is of ${version}, and that cannot be installed: ${cause.message}`, {
      cause,
      hint: 'Nothing was changed, and the backup is whole. Name the channel that it came from with --channel, or where that release still is (SLIPWAY_RELEASES).',
    });
  }
}

export interface Elsewhere {
  readonly root: string;
  readonly fetched: FetchedChannel;
  readonly release: ChannelRelease;
  readonly bundle: FetchedRelease;
  readonly cache: string;
  readonly network: SiteNetwork;
  readonly saved: KeptBackup;
}

/** Installs what the backup holds. Throws before anything has changed, or ends with the folder as it was. */
export async function installRestored(context: Context, site: Elsewhere): Promise<CommandResult> {
  const planId = `install-${context.world.random(8).toString('hex')}`;
  const rootExists = await isThere(site.root);
  return withOpenBackup(context, { root: site.root, planId, backup: site.saved }, async (opened) => {
    const { problems } = await checkBackup(resolve(site.root, opened.path), 'the backup');
    if (problems.length > 0) throw damaged(site.saved.path, problems);
    return bringUp(context, site, { planId, rootExists, backup: opened });
  });
}

interface Opened {
  readonly planId: string;
  readonly rootExists: boolean;
  readonly backup: KeptBackup;
}

async function bringUp(asked: Context, site: Elsewhere, { planId, rootExists, backup }: Opened): Promise<CommandResult> {
  const { root, bundle, cache, fetched, release, saved } = site;
  const folder = join(await makeScratch(), 'files');
  const files = await unpackBackupFiles(root, backup.path, folder);
  const before = parseInstall((await readText(join(folder, '.slipway/install.json'))) ?? '', 'install.json of the backup');
  const project = parseProductName(textFlag(asked.flags, 'project') ?? before.project, '--project');
  const used = releaseOnSite(bundle.manifest, await readReleaseText(bundle, cache, COMPOSE_FILE), before);
  const { manifest } = used;
  const { context, login } = await ensureLogin(asked, { manifest, root });
  const { world, flags } = context;
  const { settings, features, values } = await settingsOf(context, { manifest, before, folder, project });
  await refuseUnfit(context, {
    ...{ manifest, root, project, ports: portsOf(manifest, values, features), hosts: textFlags(flags, 'releases') },
    ...{ registry: before.registry, login },
  });
  const { target, contents: rendered } = await renderFetched({ ...bundle, manifest }, cache, { values, features });
  const own = ownFiles(files, { target, before });
  const compose = await observeProject(folder, project, documentOf(settings, MAIN_ENV));
  const texts = new Map<string, string>();
  for (const name of compose.files) texts.set(name, (await readText(join(folder, name))) ?? '');
  const next = await observeCandidate(world, root, { project: compose, texts, settings });
  refuseUnset(next.unset);
  const extras = releaseExtras(bundle);
  const places = [...own, ...extras.files, ...settingsFiles(settings)].map(({ path }) => path);
  const found = await observeFiles(root, places);
  const look = async (): Promise<Digest> => fingerprintSite(await observeFiles(root, places), await observeRunning(world, root, project));
  const at = momentOf(world.now());
  const launching = await prepareLaunching(context, { root, manifest, project, fetched, record: undefined });
  const recordText = printInstall(
    newRecord(
      {
        ...{ manifest: target, manifestDigest: release.manifest, folder: root, project, channel: fetched.channel.channel },
        hosts: [...new Set([...textFlags(flags, 'releases'), ...manifest.hosts])],
        ...{
          trust: fetched.trust,
          config: next,
          features,
          registry: before.registry,
          mixed: before.mixed,
          login: login?.registry,
          network: site.network,
          values,
          at,
        },
        operation: { id: planId, command: 'install', from: null, to: manifest.version, outcome: 'restored', at },
        launching: launching.fields,
      },
      world,
    ),
  );
  const plan = planRestoreElsewhere(
    {
      ...{ id: planId, basedOn: await look(), target, ...shippedComposeOf(used), login: login?.registry, extra: extras.files },
      ...{ settings: settingsFiles(settings), files: own, record: digestOf(recordText), features, launching: launching.wish },
      ...{
        backup: backup.path,
        name: saved.path,
        items: itemsFor(backup, manifest, { next, image: imagesToPull(manifest)[0]?.pinned ?? '' }),
      },
    },
    { rootExists, project: compose, found, next },
  );
  const contents = new Map<Digest, Content>([
    ...releaseContents(cache, used),
    ...rendered,
    ...extras.contents,
    ...launching.contents,
    ...settingsContents(settings),
    ...files.map((file): [Digest, Content] => [file.content, { file: join(folder, file.path) }]),
    [digestOf(recordText), { text: recordText }],
  ]);
  const carrying = { root, recheck: look, operator: await observeSelf(context.file), program: context.file, project };
  const carried = await carryOut({ plan, contents }, context, carrying);
  if (carried.outcome === 'planned')
    return { fields: { plan: planToJson(plan) }, text: planToText(plan), ...(isSet(flags, 'exit-code') ? { exit: 4 } : {}) };
  throwUnlessDone(carried);
  const command = launching.fields.launcher ?? join(root, manifest.cli);
  return {
    fields: { product: manifest.product, version: manifest.version, folder: root, outcome: 'restored', backup: saved.path },
    text: `${welcome(manifest, { root, start: true, command })}Its data is that of ${backup.at}.\n`,
  };
}

interface SettingsWish {
  readonly manifest: Manifest;
  readonly before: InstallRecord;
  /** Where the files of the backup lie. */
  readonly folder: string;
  readonly project: string;
}

/** The settings of the backup, with what the command line says otherwise for this host. */
async function settingsOf(
  context: Context,
  { manifest, before, folder, project }: SettingsWish,
): Promise<{ readonly settings: Settings; readonly features: readonly string[]; readonly values: ReadonlyMap<string, string> }> {
  const current = await observeSettings(folder, homesOf(manifest.env));
  const then = settingsValues(current, manifest.env);
  refuseOtherSecrets(before, then);
  const said = await givenNames(context);
  const today = new Map([
    ...[...then].filter(([name]) => manifest.env[name] !== undefined),
    ['FEATURES', before.features.join(',')] as const,
  ]);
  const answers = await answersFor(context, { manifest, today });
  const told = new Map([...answers.values].filter(([name]) => said.has(name) || !then.has(name)));
  const { features } = answers;
  const merged = mergeSettings({
    ...{ oldVariables: manifest.env, newVariables: manifest.env, current, answers: told, generated: new Map(), features },
    version: manifest.version,
  });
  const main = setCompose(documentOf(merged.settings, MAIN_ENV), {
    project,
    profiles: profilesOf(manifest.features, features),
    known: allProfiles(manifest.features),
  });
  const settings = new Map([...merged.settings, [MAIN_ENV, main] as const]);
  const values = settingsValues(settings, manifest.env);
  refuseOtherSecrets(before, values);
  return { settings, features, values };
}

/** The files of the backup that are neither settings nor ours; what was rendered there and not edited is rendered here. */
function ownFiles(
  files: readonly FileToWrite[],
  { target, before }: { readonly target: Manifest; readonly before: InstallRecord },
): FileToWrite[] {
  const ours = new Set(['bundle.json', 'bundle.json.minisig', '.slipway/install.json', ...homesOf(target.env)]);
  const shipped = new Map(target.files.map((file) => [file.path, file]));
  return files
    .filter(({ path }) => !ours.has(path))
    .map((file) => {
      const anew = before.rendered?.[file.path] === file.content ? shipped.get(file.path) : undefined;
      return anew === undefined ? file : { ...file, content: anew.sha256 };
    });
}

/** Where each item of the backup goes on this host. */
function itemsFor(
  backup: KeptBackup,
  manifest: Manifest,
  { next, image }: { readonly next: { readonly volumes: Readonly<Record<string, string>> }; readonly image: string },
): DataToCopy[] {
  return backup.items
    .filter(({ kind }) => kind === 'copy')
    .map(({ name, path }) => {
      if (path !== undefined) return { name, image, path: manifest.data[name]?.path ?? path };
      const volume = next.volumes[name];
      if (volume !== undefined) return { name, image, volume };
      throw new ToolError('E_BACKUP', `the backup has the data ${name}, and the compose file has no such volume`, {
        hint: 'Tell the vendor.',
      });
    });
}

function damaged(path: string, problems: readonly string[]): ToolError {
  return new ToolError('E_BACKUP', `${path} is damaged: ${problems.join('; ')}`, {
    hint: 'Nothing was changed. Copy it again, or take another backup.',
  });
}
