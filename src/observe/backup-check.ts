// Are the backups whole? Rule: every byte is read and compared with what backup.json says; what is wrong is a finding, not an end.
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Backup, type BackupPart, isSealed, parseBackup } from '../model/backup.ts';
import { ToolError } from '../model/error.ts';
import { digestOfFile, listNames, readTextIfThere, statIfThere } from '../world/disk.ts';
import { readThrough } from '../world/volume-copy.ts';

export interface CheckedBackup {
  readonly name: string;
  /** undefined when its description cannot be read. */
  readonly backup: Backup | undefined;
  /** In words; none = it can be restored. */
  readonly problems: readonly string[];
}

/** Reads every backup in these folders to its end, or the one of this name. A folder without a backup.json is none. */
export async function checkBackups(root: string, folders: readonly string[], only?: string): Promise<CheckedBackup[]> {
  const found: CheckedBackup[] = [];
  for (const folder of folders) {
    for (const name of await listNames(resolve(root, folder))) {
      const place = join(resolve(root, folder), name);
      const isOne = (only === undefined || only === name) && !name.endsWith('.partial');
      if (isOne && (await statIfThere(join(place, 'backup.json'))) !== undefined) found.push(await checkBackup(place, name));
    }
  }
  return found;
}

/** Reads one backup to its end; an encrypted one as far as that goes without its key: it is, byte for byte, what was read back when it was made. */
export async function checkBackup(place: string, name: string): Promise<CheckedBackup> {
  const problems: string[] = [];
  const look = async <T>(check: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await check();
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const backup = await look(async () => parseBackup((await readTextIfThere(join(place, 'backup.json'))) ?? '', `${name}/backup.json`));
  if (backup === undefined || !isSealed(backup)) await look(() => readThrough(join(place, 'files.tar.gz')));
  for (const item of [...(backup?.parts ?? []), ...(backup?.items ?? [])]) {
    const problem = await problemOf(join(place, item.file), item);
    if (problem !== undefined) problems.push(`${item.file} ${problem}`);
  }
  return { name, backup, problems };
}

async function problemOf(path: string, { size, sha256 }: BackupPart): Promise<string | undefined> {
  if ((await statIfThere(path))?.isFile() !== true) return 'is missing';
  if ((await stat(path)).size !== size) return 'has another size than it was made with';
  return (await digestOfFile(path)) === sha256 ? undefined : 'is not what was written';
}
