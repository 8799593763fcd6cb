// What an install keeps of its past: backups, pristine releases, local image tags. Rule: only whole backups count.
import { join, resolve } from 'node:path';
import { type Backup, parseBackup } from '../model/backup.ts';
import { BACKUP_FAILURE_FILE, type BackupFailure, parseBackupFailure } from '../model/backup-failure.ts';
import { operatorsFolder, stateFolder } from '../model/layout.ts';
import type { World } from '../model/seams.ts';
import { listNames, readTextIfThere } from '../world/disk.ts';
import { docker } from '../world/docker.ts';

export interface KeptBackup extends Backup {
  /** As plans name it: relative to the install, or absolute. */
  readonly path: string;
}

/** The finished backups in these folders (relative to the install, or absolute), oldest first. */
export async function observeBackups(root: string, folders: readonly string[]): Promise<KeptBackup[]> {
  const found: KeptBackup[] = [];
  for (const folder of folders) {
    for (const name of await listNames(resolve(root, folder))) {
      const text = await readTextIfThere(join(resolve(root, folder), name, 'backup.json'));
      if (text !== undefined) found.push({ ...parseBackup(text, `${name}/backup.json`), path: `${folder}/${name}` });
    }
  }
  return found.sort((a, b) => (a.at < b.at ? -1 : 1));
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
  const text = await docker({ world, root }, [
    'image',
    'ls',
    '--format',
    '{{.Repository}}:{{.Tag}}',
    '--filter',
    `reference=slipway.local/${product}/*`,
  ]);
  return text.split('\n').filter(Boolean).sort();
}
