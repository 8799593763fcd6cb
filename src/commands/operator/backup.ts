// backup: the data, settings and files as they are, to go back to or to take elsewhere. Rule: verified before it counts; the services run again whatever happens.
import { resolve } from 'node:path';
import { noteBackupChecks } from '../../apply/backup-checks.ts';
import { forgetBackupFailure, noteBackupFailure } from '../../apply/backup-failure.ts';
import { isSealed } from '../../model/backup.ts';
import type { BackupChecks } from '../../model/backup-checks.ts';
import type { Digest } from '../../model/digest.ts';
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { momentOf } from '../../model/parse.ts';
import { parseRecipients } from '../../model/recipient.ts';
import { refuseMistyped } from '../../observe/age-keys.ts';
import { checkBackups } from '../../observe/backup-check.ts';
import { observeDataSizes } from '../../observe/data-size.ts';
import { observeEngine, observeRunning } from '../../observe/engine.ts';
import { observeInstall } from '../../observe/install.ts';
import { type KeptBackup, observeBackupChecks, observeBackups } from '../../observe/kept.ts';
import { observeOwnContent } from '../../observe/own-content.ts';
import { observeSelf } from '../../observe/self.ts';
import { backupsToPrune, type Prunable, planBackup } from '../../plan/backup.ts';
import { backupFolders, backupPath, backupsFolder, recipientsOf } from '../../plan/data.ts';
import { backupsToText, sizeOf } from '../../show/backups.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import {
  CHANGING_FLAGS,
  type Command,
  type CommandResult,
  type Context,
  type FlagTable,
  isPlanOnly,
  isSet,
  textFlag,
  textFlags,
} from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { forgetVolume } from './forget.ts';
import { IDENTITY_FLAG } from './opened-backup.ts';
import { backupToTry, tryBackup } from './try-backup.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...CHANGING_FLAGS,
  to: { type: 'string', value: 'DIR', help: 'another folder than usual, such as a mounted disk; nothing in it is pruned' },
  'encrypt-to': {
    type: 'string',
    value: 'KEY',
    multiple: true,
    help: 'encrypt it to this public key of age (age1…); default: what BACKUP_ENCRYPT_TO in .env, or the product, says',
  },
  restore: { type: 'boolean', help: 'with `verify`: restore it into a compose project of its own, see it work, and take that away again' },
  ...IDENTITY_FLAG,
  scheduled: { type: 'boolean', help: 'for timers: asks nothing, says nothing when all is well, and leaves a failure to `status`' },
} as const satisfies FlagTable;

export const backup: Command = {
  name: 'backup',
  summary:
    'Makes a backup of data, settings and files; `list` names those there are, `verify` reads them to their end. `forget` removes a volume that an upgrade kept.',
  usage: '[list|verify [NAME]|forget VOLUME]',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  const [verb, name, ...rest] = context.positionals;
  if (rest.length > 0 || (name !== undefined && verb !== 'verify' && verb !== 'forget')) throw unknownWord(rest[0] ?? name ?? '');
  const root = findInstall(context);
  if (verb === 'list') return list(context, await observeInstall(root));
  if (verb === 'verify') return verify(context, await observeInstall(root), name);
  if (verb === 'forget' && name !== undefined) return forgetVolume(context, root, name);
  if (verb !== undefined) throw unknownWord(verb);
  return isSet(context.flags, 'scheduled') ? makeQuietly(context, root) : make(context, root);
}

/** As a timer calls it: nobody reads along, so a failure is kept for `status`. */
async function makeQuietly(context: Context, root: string): Promise<CommandResult> {
  const { world } = context;
  const terminal = { ...world.terminal, interactive: false, err: () => undefined };
  const quiet = { ...context, flags: { ...context.flags, yes: true }, world: { ...world, terminal, report: () => undefined } };
  try {
    return { ...(await make(quiet, root)), text: '' };
  } catch (error) {
    if (error instanceof ToolError && error.code !== 'E_NO_INSTALL') {
      await noteBackupFailure(root, { at: momentOf(world.now()), code: error.code, message: reasonIn(error) });
    }
    throw error;
  }
}

async function make(context: Context, root: string): Promise<CommandResult> {
  const { world, flags } = context;
  await refuseOpenJournal(root, context.world);
  const install = await observeInstall(root);
  const { record, manifest } = install;
  const engine = await observeEngine(world, root, install.project);
  const at = momentOf(world.now());
  const elsewhere = textFlag(flags, 'to');
  const path = backupPath(elsewhere === undefined ? folderOf(install) : resolve(elsewhere), at, record.version);
  const before = elsewhere === undefined ? await observeBackups(root, [folderOf(install)]) : [];
  const encryptTo = await recipientsFor(context, install);
  const { files: own, tooMany } = await observeOwnContent(root, manifest);
  if (tooMany.length > 0)
    world.report({
      type: 'warning',
      text: `${tooMany.join(', ')}: too many files, left out`,
      hint: 'Ask the vendor to declare it as data.',
    });
  const id = `backup-${world.random(8).toString('hex')}`;
  const basedOn = fingerprintInstall(install, engine.containers);
  const reason = isSet(flags, 'scheduled') ? `${record.schedule ?? 'scheduled'} backup` : 'asked for';
  const prune = backupsToPrune(before.map(asPrunable(await observeBackupChecks(root))), {
    keep: manifest.backup.keep,
    version: record.version,
  });
  const places = { paths: Object.values(manifest.data).flatMap(({ path }) => path ?? []), volumes: engine.volumes };
  const sizes = await observeDataSizes(world, root, places);
  const plan = planBackup({ id, basedOn, backup: path, encryptTo, own, reason, prune, sizes }, install, engine);
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root), await observeRunning(world, root, record.project));
  const carrying = { root, recheck, operator: await observeSelf(context.file), program: context.file, project: record.project };
  const carried = await carryOut({ plan, contents: new Map() }, context, carrying);
  if (isPlanOnly(context)) return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  await forgetBackupFailure(root);
  return {
    fields: { outcome: 'made', backup: path, version: record.version, encryptedTo: encryptTo, pruned: prune },
    text: `the backup is at ${resolve(root, path)}\n`,
  };
}

/** What was found damaged is no way back. */
function asPrunable(checks: BackupChecks): (backup: KeptBackup) => Prunable {
  return (backup) => ({ ...backup, good: backup.complete && checks[nameOf(backup)]?.whole !== false });
}

/** The public keys of the command line, else those of product and site. Throws E_ANSWER for what is none, before anything stops. */
async function recipientsFor({ flags }: Context, { manifest, env }: InstallFacts): Promise<readonly string[]> {
  const given = parseRecipients(textFlags(flags, 'encrypt-to').join(' '), '--encrypt-to');
  const recipients = given.length > 0 ? given : recipientsOf(manifest, envValues(env));
  await refuseMistyped(recipients);
  return recipients;
}

async function list(context: Context, install: InstallFacts): Promise<CommandResult> {
  const backups = await observeBackups(install.root, foldersOf(context, install));
  const checks = await observeBackupChecks(install.root);
  const listed = backups.map((each) => ({ ...each, name: nameOf(each), check: checks[nameOf(each)] }));
  const fields = { backups: listed.map((each) => ({ ...each, size: sizeOf(each), encrypted: isSealed(each), check: each.check ?? null })) };
  return { fields, text: backupsToText(listed, momentOf(context.world.now())) };
}

async function verify(context: Context, install: InstallFacts, name: string | undefined): Promise<CommandResult> {
  const isTrial = isSet(context.flags, 'restore');
  const backups = await observeBackups(install.root, foldersOf(context, install));
  const tried = isTrial ? backupToTry(backups, name) : undefined;
  const read = await readThem(context, install, tried === undefined ? name : nameOf(tried));
  if (tried === undefined) return read;
  const result = await tryBackup(context, install, tried);
  if (!isPlanOnly(context)) await note(context, install, [{ name: nameOf(tried), whole: true, restored: true }]);
  return result;
}

interface Found {
  readonly name: string;
  readonly whole: boolean;
  readonly restored: boolean;
}

/** Writes down what was found; of backups that are gone nothing is kept. */
async function note(context: Context, { root, manifest, env }: InstallFacts, found: readonly Found[]): Promise<void> {
  const at = momentOf(context.world.now());
  const kept = new Set((await observeBackups(root, backupFolders(manifest, envValues(env)))).map(nameOf));
  const checks = Object.entries(await observeBackupChecks(root));
  const news = found.map(({ name, whole, restored }) => [name, { at, whole, restored }] as const);
  await noteBackupChecks(root, Object.fromEntries([...checks, ...news].filter(([name]) => kept.has(name))));
}

async function readThem(context: Context, install: InstallFacts, name: string | undefined): Promise<CommandResult> {
  const checked = await checkBackups(install.root, foldersOf(context, install), name);
  if (checked.length === 0)
    throw new ToolError('E_NOT_FOUND', name === undefined ? 'there is no backup' : `there is no backup ${name}`, {
      hint: '`backup list` names them.',
    });
  const backups = checked.map((each) => ({ name: each.name, version: each.backup?.version ?? null, problems: each.problems }));
  const bad = backups.filter(({ problems }) => problems.length > 0);
  await note(
    context,
    install,
    backups.map((each) => ({ name: each.name, whole: each.problems.length === 0, restored: false })),
  );
  if (bad.length === 0) return { fields: { backups }, text: `${backups.map((each) => `${each.name}: whole`).join('\n')}\n` };
  throw new ToolError('E_BACKUP', bad.map((each) => `${each.name}: ${each.problems.join('; ')}`).join(' | '), {
    hint: `${backups.length - bad.length} of ${backups.length} can be restored. Make a new one: \`backup\`.`,
    details: { backups },
  });
}

function nameOf({ path }: Pick<KeptBackup, 'path'>): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function folderOf({ manifest, env }: InstallFacts): string {
  return backupsFolder(manifest, envValues(env));
}

/** Where to look: a folder that is named, relative to where the person is, else all of the install's. */
function foldersOf({ flags }: Context, { manifest, env }: InstallFacts): readonly string[] {
  const elsewhere = textFlag(flags, 'to');
  return elsewhere === undefined ? backupFolders(manifest, envValues(env)) : [resolve(elsewhere)];
}

/** What a failed plan failed of, where that is known. */
function reasonIn({ message, details }: ToolError): string {
  return typeof details.reason === 'string' ? `${message} (${details.reason})` : message;
}

function unknownWord(word: string): ToolError {
  return new ToolError('E_USAGE', `backup: ${JSON.stringify(word)} is not known`, {
    hint: 'It is `backup`, `backup list`, `backup verify [NAME]` or `backup forget VOLUME`.',
  });
}
