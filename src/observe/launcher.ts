// The small command on PATH, as it is. Rule: looks only; a file that is no launcher has no text worth reading.
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { statIfThere } from '../world/disk.ts';
import { readBounded } from '../world/folder-files.ts';

const MOST_LAUNCHER_BYTES = 64 * 1024;

/** The text at this path; undefined when nothing is there. What is there and cannot be a launcher gives an empty text. */
export async function readLauncher(path: string): Promise<string | undefined> {
  const found = await statIfThere(path);
  if (found === undefined) return undefined;
  if (!found.isFile() || found.size > MOST_LAUNCHER_BYTES) return '';
  return (await readBounded(path, MOST_LAUNCHER_BYTES))?.toString();
}

/** True when a file can be made there, or its folders. */
export async function isWritable(path: string): Promise<boolean> {
  const folder = dirname(path);
  if ((await statIfThere(folder)) === undefined) return folder !== path && isWritable(folder);
  try {
    await access(folder, constants.W_OK);
    return (await stat(folder)).isDirectory();
  } catch {
    return false; // whatever stops us, it cannot be written
  }
}
