// restore: back to a backup, on purpose. Rule: what is there now is kept as a rescue backup before anything is exchanged.
import { join } from 'node:path';
import { keptVolumes } from '../../model/data-move.ts';
import { keep } from '../../model/description.ts';
import { type Digest, digestOf } from '../../model/digest.ts';
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { type InstallRecord, parseInstall, printInstall, withOperation } from '../../model/install.ts';
import { pristineFolder } from '../../model/layout.ts';
import { type Manifest, parseManifest } from '../../model/manifest.ts';
import { releaseOnSite } from '../../model/mixed.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content, DataToCopy, FileToWrite } from '../../model/plan.ts';
import { homesOf, settingsValues } from '../../model/settings.ts';
import { COMPOSE_FILE, siteRegistry } from '../../model/site-registry.ts';
import { unpackBackupFiles } from '../../observe/backup-files.ts';
import { observeCandidate, observeEngine, observeRunning } from '../../observe/engine.ts';
import { observeInstall, readText } from '../../observe/install.ts';
import type { KeptBackup } from '../../observe/kept.ts';
import { observeBackups } from '../../observe/kept.ts';
import { makeScratch } from '../../observe/scratch.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeSettings } from '../../observe/settings.ts';
import { backupFolders, backupPath, copiesFolder, dataToCopy } from '../../plan/data.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { planRestore } from '../../plan/restore.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, isSet, textFlag } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { IDENTITY_FLAG, withOpenBackup } from './opened-backup.ts';
import { refuseUnset } from './preflight.ts';
import { refuseOtherCommit } from './source-install.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...CHANGING_FLAGS,
  list: { type: 'boolean', help: 'the backups there are' },
  backup: { type: 'string', value: 'NAME', help: 'this backup instead of the newest' },
  ...IDENTITY_FLAG,
} as const satisfies FlagTable;

export const restore: Command = {
  name: 'restore',
  summary: 'Goes back to a backup; what is there now is kept as a rescue backup.',
  usage: '[BACKUP]',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  const root = findInstall(context);
  await refuseOpenJournal(root, context.world);
  const install = await observeInstall(root);
  const backups = await observeBackups(root, backupFolders(install.manifest, envValues(install.env)));
  if (isSet(context.flags, 'list')) return listBackups(backups);
  const backup = chooseBackup(backups, textFlag(context.flags, 'backup') ?? context.positionals[0], install.record.version);
  const planId = `restore-${context.world.random(8).toString('hex')}`;
  return withOpenBackup(context, { root, planId, backup }, (opened) => restoreFrom(context, root, opened, { planId, name: backup.path }));
}

async function restoreFrom(
  context: Context,
  root: string,
  backup: KeptBackup,
  { planId: id, name }: { readonly planId: string; readonly name: string },
): Promise<CommandResult> {
  const { world } = context;
  const scratch = await makeScratch();
  const files = await unpackBackupFiles(root, backup.path, join(scratch, 'files'));
  const replaced = files.map((file) => file.path); // some of them may be the person's own by now
  const install = await observeInstall(root, replaced);
  const shipped = await manifestOf(root, backup, join(scratch, 'files'));
  await refuseOtherCommit(context, install, shipped);
  const engine = await observeEngine(world, root, install.project);
  const at = momentOf(world.now());
  const record = await recordAfter(install, join(scratch, 'files'), {
    id,
    command: 'restore',
    from: install.record.version,
    to: shipped.version,
    outcome: 'restored',
    at,
  });
  const texts = new Map<string, string>();
  for (const name of install.project.files)
    if (files.some((file) => file.path === name)) texts.set(name, (await readText(join(scratch, 'files', name))) ?? '');
  const settings = await observeSettings(join(scratch, 'files'), homesOf(shipped.env));
  const registry = siteRegistry(shipped, settingsValues(settings, shipped.env), record.registry);
  const target = releaseOnSite(shipped, texts.get(COMPOSE_FILE) ?? '', { ...record, registry }).manifest;
  const next = await observeCandidate(world, root, { project: install.project, texts, settings });
  refuseUnset(next.unset);
  const image = imagesToPull(target)[0]?.pinned ?? '';
  const presentItems = dataToCopy({ manifest: install.manifest, config: engine.config, volumes: engine.volumes, image, forUpgrade: false });
  const items: DataToCopy[] = backup.items
    .filter((item) => item.kind === 'copy')
    .map(({ name, volume, path }) => ({
      name,
      image,
      ...(volume === undefined ? {} : { volume }),
      ...(path === undefined ? {} : { path }),
    }));
  const plan = planRestore(
    {
      id,
      basedOn: fingerprintInstall(install, engine.containers),
      ...{ backup: backup.path, name, target },
      items,
      rescue: `${backupPath(copiesFolder(install.manifest, envValues(install.env)), at, install.record.version)}-rescue`,
      files: [...files.filter((file) => file.path !== '.slipway/install.json'), record.file],
      features: record.features,
    },
    { install, present: presentServices(engine.containers), next, presentItems, engine },
  );
  const contents = new Map<Digest, Content>([
    ...files.map((file) => [file.content, { file: join(scratch, 'files', file.path) }] as const),
    [record.file.content, { text: record.text }],
  ]);
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root, replaced), await observeRunning(world, root, install.record.project));
  const carried = await carryOut({ plan, contents }, context, {
    root,
    recheck,
    operator: await observeSelf(context.file),
    program: context.file,
  });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  return {
    fields: { outcome: 'restored', from: install.record.version, version: target.version, backup: name },
    text: `${target.version} as of ${backup.at} is back; what was there is kept as a rescue backup\n`,
  };
}

function presentServices(containers: readonly { readonly service: string; readonly oneOff: boolean }[]): string[] {
  return [...new Set(containers.filter((each) => !each.oneOff).map((each) => each.service))].sort();
}

/** The record of that time with today's trust: going back in data never goes back in what was seen of channels. */
async function recordAfter(
  install: InstallFacts,
  folder: string,
  operation: Parameters<typeof withOperation>[1],
): Promise<{ file: FileToWrite; text: string } & Pick<InstallRecord, 'features' | 'registry' | 'mixed'>> {
  const path = join(folder, '.slipway/install.json');
  const {
    schedule: _,
    units: __,
    network: ___,
    kept: ____,
    ...then
  } = parseInstall((await readText(path)) ?? '', 'install.json of the backup');
  const { trust, operations, held, schedule, units, network } = install.record; // what starts by itself, and how the world is reached, is this machine's, not the backup's
  const restored = {
    ...keep({ ...then, trust, operations, held, schedule, units, network }),
    ...keptAfter(install, then.volumes, operation.at),
  };
  const text = printInstall(withOperation(restored, operation));
  return {
    file: { path: '.slipway/install.json', content: digestOf(text), mode: 0o600 },
    text,
    features: then.features,
    registry: then.registry,
    ...keep({ mixed: then.mixed }),
  };
}

/** The present release's volumes that the restored one does not use stay, until they are let go. */
function keptAfter({ record }: InstallFacts, used: Readonly<Record<string, string>>, at: string): ReturnType<typeof keptVolumes> {
  const more = Object.entries(record.volumes).map(([name, volume]) => ({ volume, name, version: record.version, at }));
  return keptVolumes(record, used, more);
}

/** The backup's own manifest, as it lay in the install, or as it is kept among the releases. */
export async function manifestOf(root: string, backup: KeptBackup, folder: string): Promise<Manifest> {
  for (const path of [join(folder, 'bundle.json'), join(root, pristineFolder(backup.version), 'bundle.json')]) {
    const text = await readText(path);
    if (text !== undefined && digestOf(text) === backup.manifest) return parseManifest(text, path);
  }
  throw new ToolError('E_BACKUP', `the manifest of ${backup.version} is neither in the backup nor among the kept releases`, {
    hint: 'Take another backup.',
  });
}

/** Without a name: the newest one of another release than the installed one, for that is what going back means; else the newest. */
function chooseBackup(backups: readonly KeptBackup[], name: string | undefined, installed: string): KeptBackup {
  const own = backups.filter((each) => !each.rescue);
  const found =
    name === undefined
      ? (own.findLast((each) => each.version !== installed) ?? own.at(-1))
      : backups.find((each) => each.path.endsWith(`/${name}`));
  if (found !== undefined) return found;
  throw new ToolError('E_NOT_FOUND', name === undefined ? 'there is no backup' : `there is no backup ${name}`, {
    hint: '`restore --list` names them.',
  });
}

function listBackups(backups: readonly KeptBackup[]): CommandResult {
  const lines = backups.map(
    (each) => `${each.path.slice(each.path.lastIndexOf('/') + 1)}  ${each.version}${each.rescue ? '  rescue' : ''}  ${each.reason}`,
  );
  return { fields: { backups }, text: lines.length === 0 ? 'no backups\n' : `${lines.join('\n')}\n` };
}
