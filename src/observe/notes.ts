// The changelog file of a version. Rule: what is not there is absent; a link out of the product's folder is not followed.
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { notesPath } from '../model/changelog.ts';
import { ToolError } from '../model/error.ts';
import type { Version } from '../model/version.ts';
import { readTextIfThere, statIfThere } from '../world/disk.ts';

const MOST_NOTES_BYTES = 1024 * 1024;

/** The text of the changelog file by its path; empty when there is none or the product names none. `pattern` is `release.notes`. */
export async function observeNotes(root: string, pattern: string | undefined, version: Version): Promise<ReadonlyMap<string, string>> {
  if (pattern === undefined) return new Map();
  const path = notesPath(pattern, version);
  const file = join(root, path);
  if ((await statIfThere(file)) === undefined) return new Map();
  const real = await realpath(file).catch(() => '');
  if (!real.startsWith(`${await realpath(root)}/`)) {
    throw new ToolError('E_CONFIG', `${path} leads out of the product's folder`, { hint: 'Put the text itself there.' });
  }
  const text = await readTextIfThere(real, MOST_NOTES_BYTES);
  return text === undefined ? new Map() : new Map([[path, text]]);
}
