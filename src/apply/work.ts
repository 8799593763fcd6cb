// What a plan keeps on disk while it is carried out. Rule: there before the journal begins, gone before the journal is put away, so that a crash leaves neither half.
import { copyFile, link, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hexOf } from '../model/digest.ts';
import { systemCode } from '../model/error.ts';
import type { JournalEnd } from '../model/journal.ts';
import { cacheFolder, INCOMING, journalPath, openedFolder, operatorsFolder, stateFolder } from '../model/layout.ts';
import type { Content, Plan, Planned } from '../model/plan.ts';
import { listNames } from '../world/disk.ts';
import { sweepDead } from '../world/made-by.ts';
import { isHalfWritten, syncFile, syncFolder, syncFoldersUpTo, writeDurably } from './durable.ts';
import { contentsFolder, workFolder } from './site.ts';

/** Puts the contents on disk, where whoever recovers finds them. Private: `.env` is among them. The caller holds the lock and has called `openJournal`. */
export async function placeContents(root: string, { plan, contents }: Planned): Promise<void> {
  const folder = contentsFolder(root, plan.id);
  await mkdir(root, { recursive: true }); // with the usual mode; only what is ours is private
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [digest, content] of contents) await placeContent(content, join(folder, hexOf(digest)));
  await syncFoldersUpTo(folder, root);
  await syncAbove(root);
}

/** The name of an install's folder is as new as the folder may be. What this user may not read cannot be synced. */
async function syncAbove(root: string): Promise<void> {
  try {
    await syncFolder(dirname(root));
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
  }
}

/** Removes what a plan left that was cut off before its journal began. The caller holds the lock, and no journal is open. */
export async function clearUnbegun(root: string): Promise<void> {
  const state = stateFolder(root);
  for (const name of ['staged', 'journal.reserve']) await rm(join(state, name), { recursive: true, force: true });
  for (const folder of [state, operatorsFolder(root)]) await removeHalfWritten(folder);
  await sweepDead(cacheFolder(root), INCOMING);
  await removeIfEmpty(state);
}

/** What `writeDurably` and `copyDurably` were killed over. */
async function removeHalfWritten(folder: string): Promise<void> {
  for (const name of await listNames(folder)) if (isHalfWritten(name)) await rm(join(folder, name), { force: true });
}

/** True when a plan that ended in this way leaves nothing of ours behind: a fresh install that was undone, or an uninstall that takes everything. */
export function leavesNothing(plan: Plan, how: JournalEnd): boolean {
  return how === 'undone' ? plan.fresh !== undefined : how === 'done' && plan.leaves === 'nothing';
}

/** Removes what belonged to an ended plan alone. When nothing is to be left that is all we made, the journal last: it says what is left to do. */
export async function clearWork(root: string, plan: Plan, how: JournalEnd): Promise<void> {
  await rm(workFolder(root, plan.id), { recursive: true, force: true });
  await rm(join(root, openedFolder(plan.id)), { recursive: true, force: true });
  if (!leavesNothing(plan, how)) return;
  const state = stateFolder(root);
  const journal = basename(journalPath(root));
  for (const name of await readdir(state)) if (name !== journal) await rm(join(state, name), { recursive: true, force: true });
  await syncFolder(state); // or a power cut could keep of all this what was removed first, without the journal that removes it
  await rm(join(state, journal), { force: true });
  await removeIfEmpty(state);
  if (how === 'done' || plan.fresh === 'root') await removeIfEmpty(root);
}

/** Removes a folder that holds nothing; any other stays, and so does one that is a mount, in a folder that is not ours to change, or on a disk that fails. */
export async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    const code = systemCode(error);
    if (!STAYS.includes(code ?? '')) throw error;
  }
}

const STAYS: readonly string[] = ['ENOTEMPTY', 'ENOENT', 'EEXIST', 'ENOTDIR', 'EBUSY', 'EACCES', 'EPERM', 'EROFS', 'EIO'];

/** Linked or copied, it may be as new as a backup that was unpacked just now: the journal counts on it, so it is synced in any case. */
async function placeContent(content: Content, path: string): Promise<void> {
  if ('text' in content) return writeDurably(path, content.text, 0o600);
  try {
    await link(content.file, path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') await copyFile(content.file, path); // another file system, or one without links
  }
  await syncFile(path);
}
