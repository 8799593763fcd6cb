// backup verify --restore: whether a backup can be restored is seen by restoring it. Rule: into a project of its own, which is gone afterwards.
import { join } from 'node:path';
import type { Digest } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { parseInstall } from '../../model/install.ts';
import { releaseOnSite } from '../../model/mixed.ts';
import type { Content } from '../../model/plan.ts';
import { documentOf, homesOf, MAIN_ENV } from '../../model/settings.ts';
import { COMPOSE_FILE } from '../../model/site-registry.ts';
import { unpackBackupFiles } from '../../observe/backup-files.ts';
import { observeCandidate, observeContainers, observeRunning } from '../../observe/engine.ts';
import { observeInstall, observeProject, readText } from '../../observe/install.ts';
import type { KeptBackup } from '../../observe/kept.ts';
import { makeScratch } from '../../observe/scratch.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeSettings } from '../../observe/settings.ts';
import { planTrial } from '../../plan/try-backup.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import type { CommandResult, Context } from '../command.ts';
import { withOpenBackup } from './opened-backup.ts';
import { manifestOf } from './restore.ts';

/** Tries this backup. Throws E_STEP_FAILED with what went wrong; nothing of the try is left either way. */
export async function tryBackup(context: Context, install: InstallFacts, backup: KeptBackup): Promise<CommandResult> {
  const { root } = install;
  await refuseOpenJournal(root, context.world);
  const id = `try-${context.world.random(8).toString('hex')}`;
  return withOpenBackup(context, { root, planId: id, backup }, (opened) => tryOpened(context, install, { id, opened, backup }));
}

interface Trying {
  readonly id: string;
  readonly backup: KeptBackup;
  /** As it can be read. */
  readonly opened: KeptBackup;
}

async function tryOpened(context: Context, install: InstallFacts, { id, opened, backup }: Trying): Promise<CommandResult> {
  const { world } = context;
  const { root, record } = install;
  const name = backup.path.slice(backup.path.lastIndexOf('/') + 1);
  const folder = join(await makeScratch(), 'files');
  const files = await unpackBackupFiles(root, opened.path, folder);
  const saved = parseInstall((await readText(join(folder, '.slipway/install.json'))) ?? '', 'install.json of the backup');
  const settings = await observeSettings(folder, homesOf((await manifestOf(root, opened, folder)).env));
  const project = await observeProject(folder, record.project, documentOf(settings, MAIN_ENV));
  const texts = new Map<string, string>();
  for (const file of project.files) texts.set(file, (await readText(join(folder, file))) ?? '');
  const target = releaseOnSite(await manifestOf(root, opened, folder), texts.get(COMPOSE_FILE) ?? '', saved).manifest;
  const next = await observeCandidate(world, root, { project, texts, settings });
  const containers = await observeContainers(world, root, record.project);
  const plan = planTrial({
    ...{
      id,
      basedOn: fingerprintInstall(install, containers),
      backup: opened.path,
      name,
      items: opened.items,
      target,
      features: saved.features,
    },
    ...{ files: files.filter(({ path }) => !path.startsWith('.slipway/')), project, next, isInstalled: opened.version === record.version },
  });
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root), await observeRunning(world, root, record.project));
  const contents = new Map(files.map((file): [Digest, Content] => [file.content, { file: join(folder, file.path) }]));
  const carrying = { root, recheck, operator: await observeSelf(context.file), program: context.file };
  const carried = await carryOut({ plan, contents }, context, carrying);
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  return {
    fields: { backups: [{ name, version: opened.version, problems: [], restored: true }] },
    text: `${name}: whole, and restored in a project of its own\n`,
  };
}

/** The one to try: by its name, else the newest that was asked for. Throws E_NOT_FOUND. */
export function backupToTry(backups: readonly KeptBackup[], name: string | undefined): KeptBackup {
  const found = name === undefined ? backups.findLast(({ rescue }) => !rescue) : backups.find(({ path }) => path.endsWith(`/${name}`));
  if (found !== undefined) return found;
  throw new ToolError('E_NOT_FOUND', name === undefined ? 'there is no backup' : `there is no backup ${name}`, {
    hint: '`backup list` names them.',
  });
}
