// What `.slipway` says about a run that is going on. Rule: reads only.
import { type JournalHead, parseJournal, wholeLines } from '../model/journal.ts';
import { journalPath } from '../model/layout.ts';
import { type LockRecord, parseLock } from '../model/lock.ts';
import { readTextIfThere } from './disk.ts';

/** The first line of a journal that has not ended, or undefined. */
export async function readOpenOperation(root: string): Promise<JournalHead | undefined> {
  const text = await readTextIfThere(journalPath(root), 256 * 1024 * 1024);
  const state = text === undefined ? undefined : parseJournal(wholeLines(text), journalPath(root));
  return state === undefined || state.end !== undefined ? undefined : state.head;
}

/** Who holds a lock, stale or not; undefined when nobody does. */
export async function readLock(path: string): Promise<LockRecord | undefined> {
  const text = await readTextIfThere(path);
  return text === undefined ? undefined : parseLock(text, path);
}
