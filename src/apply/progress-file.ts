// The file that tells whoever looks on what is being done. Rule: it never makes what it tells of: no folder, no install; a new run begins a new file.
import { open, rm } from 'node:fs/promises';
import { journalPath, progressPath, recordPath, resultPath } from '../model/layout.ts';
import { isThere } from '../world/folder-files.ts';
import { writeDurably } from './durable.ts';

export interface ProgressFile {
  readonly append: (line: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Begins the file anew, or goes on with it (`continued`: a program handed its work over to this one). Undefined where nothing is installed or begun yet. */
export async function openProgressFile(root: string, continued: boolean): Promise<ProgressFile | undefined> {
  if (!(await isInUse(root))) return undefined;
  const path = progressPath(root);
  const goesOn = continued && (await isThere(path));
  if (!goesOn) await rm(path, { force: true }); // who reads the former file reads it to its end
  const file = await open(path, goesOn ? 'a' : 'ax', 0o600);
  return { append: async (line) => void (await file.write(line)), close: () => file.close() };
}

/** Puts down how a command ended, unless nothing of the install is left. */
export async function writeResult(root: string, text: string): Promise<void> {
  if (await isInUse(root)) await writeDurably(resultPath(root), text, 0o600);
}

/** Removes both files: an install that was taken away leaves nothing to look at. */
export async function removeProgress(root: string): Promise<void> {
  for (const path of [progressPath(root), resultPath(root)]) await rm(path, { force: true });
}

async function isInUse(root: string): Promise<boolean> {
  return (await isThere(recordPath(root))) || (await isThere(journalPath(root)));
}
