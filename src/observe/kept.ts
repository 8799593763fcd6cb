// What an install keeps of its past: backups, pristine releases, local image tags. Rule: only whole backups count.
import { join, resolve } from 'node:path';
import { type Backup, parseBackup } from '../model/backup.ts';
import { BACKUP_CHECKS_FILE, type BackupChecks, parseBackupChecks } from '../model/backup-checks.ts';
import { BACKUP_FAILURE_FILE, type BackupFailure, parseBackupFailure } from '../model/backup-failure.ts';
import { ToolError } from '../model/error.ts';
import { operatorsFolder, stateFolder } from '../model/layout.ts';
import { parseFields, parseList, parseText } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { listNames, readTextIfThere, statIfThere } from '../world/disk.ts';
import { askEngine, docker } from '../world/docker.ts';

export interface KeptBackup extends Backup {
  /** As plans name it: relative to the install, or absolute. */
  readonly path: string;
  /** Every file is there in its size. */
  readonly complete: boolean;
}

/** The finished backups in these folders (relative to the install, or absolute), oldest first. */
export async function observeBackups(root: string, folders: readonly string[]): Promise<KeptBackup[]> {
  const found: KeptBackup[] = [];
  for (const folder of folders) {
    for (const name of await listNames(resolve(root, folder))) {
      const text = await readTextIfThere(join(resolve(root, folder), name, 'backup.json'));
      const backup = text === undefined ? undefined : readable(text, name);
      if (backup === undefined) continue;
      found.push({ ...backup, path: `${folder}/${name}`, complete: await isComplete(join(resolve(root, folder), name), backup) });
    }
  }
  return found.sort((a, b) => (a.at < b.at ? -1 : 1));
}

/** One that is damaged must not stop what has nothing to do with it: `backup verify` names it, and nobody prunes it. */
function readable(text: string, name: string): Backup | undefined {
  try {
    return parseBackup(text, `${name}/backup.json`);
  } catch (error) {
    if (error instanceof ToolError) return undefined;
    throw error;
  }
}

/** Whether every file of a backup is there in its size; reading them takes longer. */
export async function isComplete(folder: string, { items, parts = [] }: Backup): Promise<boolean> {
  for (const { file, size } of [...items, ...parts]) {
    const stats = await statIfThere(join(folder, file));
    if (stats?.isFile() !== true || stats.size !== size) return false;
  }
  return true;
}

/** What was found when backups were verified. */
export async function observeBackupChecks(root: string): Promise<BackupChecks> {
  const path = join(stateFolder(root), BACKUP_CHECKS_FILE);
  const text = await readTextIfThere(path);
  return text === undefined ? {} : parseBackupChecks(text, path);
}

/** What the last backup that was made by itself failed of; undefined when it did not. */
export async function observeBackupFailure(root: string): Promise<BackupFailure | undefined> {
  const path = join(stateFolder(root), BACKUP_FAILURE_FILE);
  const text = await readTextIfThere(path, 64 * 1024);
  return text === undefined ? undefined : parseBackupFailure(text, path);
}

/** The versions whose pristine files are kept. */
export async function observeReleases(root: string): Promise<string[]> {
  return listNames(join(root, '.slipway/releases'));
}

/** The operator programs that are kept, by the hex of their digests. */
export async function observeOperators(root: string): Promise<string[]> {
  return listNames(operatorsFolder(root));
}

/** The local tags that protect a product's images, `slipway.local/<product>/<name>:<version>`. */
export async function observeLocalImages(world: World, root: string, product: string): Promise<string[]> {
  const tag = `slipway.local/${product}/`;
  const asked = await askEngine({ world, root }, `/images/json?filters=${encodeURIComponent(JSON.stringify({ reference: [`${tag}*`] }))}`);
  if (Array.isArray(asked))
    return asked
      .flatMap(tagsOf)
      .filter((each) => each.startsWith(tag))
      .sort();
  const text = await docker({ world, root }, ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=${tag}*`]);
  return text.split('\n').filter(Boolean).sort();
}

function tagsOf(image: unknown): string[] {
  const where = 'the engine\u2019s list of images';
  return parseList(parseFields(image, where).RepoTags ?? [], where, parseText);
}
