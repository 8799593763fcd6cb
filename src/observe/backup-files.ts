// The files inside a backup, unpacked to a private folder. Rule: a backup may come from another host, so only plain files with paths inside the install are taken.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { FileToWrite } from '../model/plan.ts';
import { factOfFile, listFiles } from '../world/disk.ts';

const MOST_FILES = 20_000;
const MOST_BYTES = 8 * 1024 ** 3;

/** Unpacks `files.tar.gz` of a backup into `into` and tells what is there. */
export async function unpackBackupFiles(root: string, backup: string, into: string): Promise<FileToWrite[]> {
  const { extract } = await import('tar');
  await mkdir(into, { recursive: true, mode: 0o700 });
  const archive = join(resolve(root, backup), 'files.tar.gz');
  let files = 0;
  let bytes = 0;
  await extract({
    file: archive,
    cwd: into,
    strict: true,
    preserveOwner: false,
    filter: (_path, entry) => {
      files += 1;
      bytes += 'size' in entry ? (entry.size ?? 0) : 0;
      const plain = 'type' in entry && (entry.type === 'File' || entry.type === 'OldFile');
      return plain && files <= MOST_FILES && bytes <= MOST_BYTES;
    },
  });
  if (files > MOST_FILES || bytes > MOST_BYTES)
    throw new ToolError('E_ARCHIVE', `${archive} is too large`, { hint: 'It is not a backup of ours.' });
  const found: FileToWrite[] = [];
  for (const path of await listFiles(into)) {
    const fact = await factOfFile(join(into, path));
    if (fact !== undefined && fact.mode !== 0) found.push({ path, content: fact.digest, mode: fact.mode });
  }
  return found;
}
