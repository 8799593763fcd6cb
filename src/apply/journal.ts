// The journal on disk. Rule: a line counts once it is written and synced; the journal of an ended plan moves to history/.
import { mkdir, open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { hexOf } from '../model/digest.ts';
import { diskTrouble } from '../model/disk-trouble.ts';
import { systemCode, ToolError } from '../model/error.ts';
import {
  type JournalEnd,
  type JournalHead,
  type JournalLine,
  type JournalState,
  parseJournal,
  printLine,
  wholeLines,
} from '../model/journal.ts';
import { journalPath, operatorsFolder, stateFolder } from '../model/layout.ts';
import { readOpenOperation } from '../world/state.ts';
import { syncFolder, writeDurably } from './durable.ts';
import { clearUnbegun, clearWork, leavesNothing } from './work.ts';

/** What applying needs of a journal. */
export interface Journal {
  readonly state: JournalState;
  readonly append: (line: JournalLine) => Promise<void>;
  /** Gives back the space that was set aside; false when it was given back before. */
  readonly giveRoom: () => Promise<boolean>;
  /** Writes the last line, clears the plan's own files away and moves the journal to history/. */
  readonly end: (how: JournalEnd) => Promise<void>;
}

/** Set aside at the beginning of each plan and given back when the disk is full, so that the way back can always be recorded. Bytes. */
const RESERVE_BYTES = 256 * 1024;

/** Begins the journal of a plan. Throws E_OPEN_OPERATION when another one is open. */
export async function beginJournal(root: string, head: JournalHead): Promise<Journal> {
  await refuseOpenOperation(root);
  await mkdir(stateFolder(root), { recursive: true, mode: 0o700 });
  await writeDurably(reservePath(root), Buffer.alloc(RESERVE_BYTES, '\n'), 0o600);
  await writeDurably(journalPath(root), printLine(head), 0o600);
  return journalOf(root, { head, started: new Map(), done: new Set(), door: false, goingBack: false, end: undefined });
}

/**
 * Opens the journal that was left behind, or undefined when there is none. A torn last line is cut off, or the next line would be
 * glued to it; what an ended plan, or one that never began, had no time to clear away goes now. The caller holds the lock.
 */
export async function openJournal(root: string): Promise<Journal | undefined> {
  const path = journalPath(root);
  const text = await readIfThere(path);
  if (text === undefined) {
    await clearUnbegun(root);
    return undefined;
  }
  const whole = wholeLines(text);
  const state = parseJournal(whole, path);
  if (state === undefined) {
    await rm(path, { force: true });
    return undefined;
  }
  await cutTo(path, Buffer.byteLength(whole)); // synced even when nothing is cut: whoever wrote here may have been killed before that
  await syncFolder(stateFolder(root));
  const journal = journalOf(root, state);
  if (state.end === undefined) return journal;
  await putAway(root, state.head, state.end);
  return undefined;
}

/** Throws E_OPEN_OPERATION when an earlier plan was cut off. Reads only, so it may be asked while another process is at work. */
export async function refuseOpenOperation(root: string): Promise<void> {
  const head = await readOpenOperation(root);
  if (head !== undefined) throw openOperation(root, head);
}

function openOperation(root: string, head: JournalHead): ToolError {
  return new ToolError('E_OPEN_OPERATION', `an earlier ${head.command} (${head.id}) was cut off`, {
    hint: `Run \`recover\`, or node ${join(operatorsFolder(root), hexOf(head.operator))} recover --dir ${root}: it ends at exactly the old or exactly the new state. Without Node.js: install.sh --recover --dir ${root}.`,
    details: { operation: head.operation, command: head.command, since: head.at },
  });
}

function journalOf(root: string, state: JournalState): Journal {
  const append = async (line: JournalLine): Promise<void> => {
    try {
      await appendLine(journalPath(root), printLine(line));
    } catch {
      // A full disk, or a quota: the reserve is given back, the torn line is cut, and the line has one more try.
      await leavingOpen(root, 'the journal cannot be written', async () => {
        await rm(reservePath(root), { force: true });
        const text = (await readIfThere(journalPath(root))) ?? '';
        await cutTo(journalPath(root), Buffer.byteLength(wholeLines(text)));
        await appendLine(journalPath(root), printLine(line));
      });
    }
  };
  const end = async (how: JournalEnd): Promise<void> => {
    await append({ end: how });
    await leavingOpen(root, `the ${state.head.command} has ended (${how}), and could not be cleared away`, () =>
      putAway(root, state.head, how),
    );
  };
  const giveRoom = async (): Promise<boolean> => {
    const isThere = (await readIfThere(reservePath(root))) !== undefined;
    await rm(reservePath(root), { force: true });
    return isThere;
  };
  return { state, append, giveRoom, end };
}

/** What a disk refuses here leaves the journal open, so it is told as cut off: `recover` goes on, or finds nothing left to do. */
async function leavingOpen(root: string, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const trouble = diskTrouble(error, journalPath(root));
    if (trouble === undefined) throw error;
    throw new ToolError('E_CUT_OFF', `${what}: ${trouble.message}`, { cause: trouble, hint: `${trouble.hint} Then run \`recover\`.` });
  }
}

async function appendLine(path: string, line: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    await file.writeFile(line);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function putAway(root: string, { id, plan }: JournalHead, how: JournalEnd): Promise<void> {
  await clearWork(root, plan, how);
  if (leavesNothing(plan, how)) return;
  const history = join(stateFolder(root), 'history');
  await mkdir(history, { recursive: true, mode: 0o700 });
  await rm(reservePath(root), { force: true });
  await rename(journalPath(root), join(history, `${id}.ndjson`));
  await syncFolder(history);
  await syncFolder(stateFolder(root));
}

async function cutTo(path: string, bytes: number): Promise<void> {
  await truncate(path, bytes);
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function reservePath(root: string): string {
  return join(stateFolder(root), 'journal.reserve');
}
