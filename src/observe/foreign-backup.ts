// A backup that was brought from elsewhere: its folder, or a tar file of that folder. Rule: hostile until read; nothing outside a private folder is written.
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Backup, parseBackup } from '../model/backup.ts';
import { diskTrouble } from '../model/disk-trouble.ts';
import { ToolError } from '../model/error.ts';
import { listNames, readTextIfThere, statIfThere } from '../world/disk.ts';
import { makeScratch } from '../world/scratch.ts';
import { isComplete, type KeptBackup } from './kept.ts';

const MOST_ENTRIES = 10_000;
const DESCRIPTION = 'backup.json';

/** Finds and describes it; a tar file is unpacked to a folder that is gone when this process ends. Throws E_NOT_FOUND, E_BACKUP, E_DISK_FULL. */
export async function observeForeignBackup(path: string): Promise<KeptBackup> {
  const place = resolve(path);
  const stats = await stat(place).catch(() => undefined);
  if (stats === undefined)
    throw new ToolError('E_NOT_FOUND', `there is no ${place}`, { hint: 'Give the folder of one backup, or a tar file of it.' });
  const folder = await findDescription(stats.isDirectory() ? place : await unpack(place));
  if (folder !== undefined) {
    const backup = await describe(folder);
    return { ...backup, path: folder, complete: await isComplete(folder, backup) };
  }
  throw new ToolError('E_BACKUP', `${place} is no backup: it has no ${DESCRIPTION}`, {
    hint: 'Give one folder from among the backups (`backup list` names them where the product runs), or a tar file of it, whole.',
  });
}

async function describe(folder: string): Promise<Backup> {
  return parseBackup((await readTextIfThere(join(folder, DESCRIPTION))) ?? '', join(folder, DESCRIPTION));
}

/** The folder itself, or the only one in it, as tar and rsync leave it. */
async function findDescription(folder: string): Promise<string | undefined> {
  const names = await listNames(folder);
  const [only = ''] = names;
  for (const each of names.length === 1 ? [folder, join(folder, only)] : [folder])
    if ((await statIfThere(join(each, DESCRIPTION)))?.isFile() === true) return each;
  return undefined;
}

async function unpack(file: string): Promise<string> {
  const { extract } = await import('tar');
  const folder = await makeScratch();
  let entries = 0;
  try {
    await extract({
      file,
      cwd: folder,
      strict: true,
      preserveOwner: false,
      filter: (_path, entry) => {
        entries += 1;
        return 'type' in entry && ['File', 'OldFile', 'Directory'].includes(entry.type) && entries <= MOST_ENTRIES;
      },
    });
  } catch (cause) {
    throw (
      diskTrouble(cause, folder) ??
      new ToolError('E_BACKUP', `${file} cannot be unpacked to its end`, {
        cause,
        hint: 'It is no tar file of a backup, or was cut short: copy it again.',
      })
    );
  }
  return folder;
}
