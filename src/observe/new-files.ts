// The place where new files are to be. Rule: looks only; a link counts as a file that is there, wherever it leads.
import { lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../model/error.ts';

/** Those of the paths below the root that exist, and parents of theirs that are no folder. */
export async function observePresent(root: string, paths: readonly string[]): Promise<string[]> {
  const present = new Set<string>();
  for (const path of paths) {
    if ((await kindOf(join(root, path))) !== 'nothing') present.add(path);
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      if ((await kindOf(join(root, parent))) === 'other') present.add(parent);
    }
  }
  return [...present];
}

/** True when our own folder is there. */
export async function observeHasState(root: string): Promise<boolean> {
  return (await kindOf(join(root, '.slipway'))) !== 'nothing';
}

async function kindOf(path: string): Promise<'nothing' | 'folder' | 'other'> {
  try {
    return (await lstat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'nothing';
    throw error;
  }
}
