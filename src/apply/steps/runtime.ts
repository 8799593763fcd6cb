// The Node.js that installs share, and the launcher of a command. Rule: whoever uses a Node.js leaves its mark there first, and one without a living mark may go.
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestOf, hexOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { stateFolder } from '../../model/layout.ts';
import { parseFlag, parseList, parseText } from '../../model/parse.ts';
import type { Step } from '../../model/plan.ts';
import { digestOfFile, factOfFile, listNames, readTextIfThere, statIfThere } from '../../world/disk.ts';
import { makeFolder } from '../../world/folder-files.ts';
import { copyDurably, syncFolder, writeDurably } from '../durable.ts';
import type { Handler, Handlers } from '../handler.ts';
import { removeIfEmpty } from '../work.ts';

const MOST_LAUNCHER_BYTES = 64 * 1024;

type RuntimeStep = Pick<Step<'keep-runtime'>, 'store' | 'program' | 'user'>;

const keepRuntime: Handler<'keep-runtime'> = {
  done: async (step) => (await isMarked(step)) && (await isKept(step)),
  save: async (step) => ({ kept: (await statIfThere(folderOf(step))) !== undefined, marked: await isMarked(step) }),
  run: async (step, site) => {
    await makeFolder(marksOf(step));
    await writeDurably(markOf(step), `${step.user}\n`, 0o644);
    if (await isKept(step)) return;
    await copyDurably(site.content(step.program), programOf(step), 0o755);
    if (await isKept(step)) return;
    throw new ToolError('E_DIGEST', `${programOf(step)} is not the Node.js that was fetched`, { hint: 'Is the disk sound? Try again.' });
  },
  undo: async (step, saved) => {
    if (!parseFlag(saved.marked, 'saved.marked')) await rm(markOf(step), { force: true });
    if (!parseFlag(saved.kept, 'saved.kept')) await removeUnused(step);
  },
};

/** Only after the point of no return: what it removes cannot come back. */
const dropRuntime: Handler<'drop-runtime'> = {
  done: async (step) => {
    if (await isMarked(step)) return false;
    if ((await statIfThere(folderOf(step))) !== undefined) return isUsed(step);
    return !(await isEmpty(step.store)) && !(await isEmpty(dirname(step.store)));
  },
  run: async (step) => {
    await rm(markOf(step), { force: true });
    await removeUnused(step);
  },
};

const putLauncher: Handler<'put-launcher'> = {
  done: async ({ path, content }) => {
    const fact = await factOfFile(path);
    return fact?.digest === content && fact.mode === 0o755;
  },
  save: async ({ path }) => ({
    before: (await readTextIfThere(path, MOST_LAUNCHER_BYTES)) ?? null,
    created: await missingFolders(dirname(path)),
  }),
  run: async ({ path, content }, site) => {
    await makeFolder(dirname(path));
    await copyDurably(site.content(content), path, 0o755);
  },
  undo: async ({ path }, saved) => {
    if (saved.before !== null) return writeDurably(path, parseText(saved.before, 'saved.before'), 0o755);
    await rm(`${path}.slipway-new`, { force: true });
    await rm(path, { force: true });
    for (const folder of parseList(saved.created, 'saved.created', parseText)) await removeIfEmpty(folder);
  },
};

/** The handlers of what an install's command needs. */
export const runtimeSteps = {
  'keep-runtime': keepRuntime,
  'drop-runtime': dropRuntime,
  'put-launcher': putLauncher,
} satisfies Pick<Handlers, 'keep-runtime' | 'drop-runtime' | 'put-launcher'>;

function folderOf({ store, program }: RuntimeStep): string {
  return join(store, hexOf(program));
}

function programOf(step: RuntimeStep): string {
  return join(folderOf(step), 'node');
}

function marksOf(step: RuntimeStep): string {
  return join(folderOf(step), 'used-by');
}

function markOf(step: RuntimeStep): string {
  return join(marksOf(step), hexOf(digestOf(step.user)).slice(0, 16));
}

async function isMarked(step: RuntimeStep): Promise<boolean> {
  return (await readTextIfThere(markOf(step), MOST_LAUNCHER_BYTES)) === `${step.user}\n`;
}

async function isKept(step: RuntimeStep): Promise<boolean> {
  const found = await statIfThere(programOf(step));
  return found?.isFile() === true && (found.mode & 0o111) === 0o111 && (await digestOfFile(programOf(step))) === step.program;
}

/** True while a folder that uses it holds an install. */
async function isUsed(step: RuntimeStep): Promise<boolean> {
  for (const name of await listNames(marksOf(step))) {
    const folder = (await readFile(join(marksOf(step), name), 'utf8')).trim();
    if ((await statIfThere(stateFolder(folder))) !== undefined) return true;
  }
  return false;
}

async function isEmpty(folder: string): Promise<boolean> {
  return (await statIfThere(folder)) !== undefined && (await listNames(folder)).length === 0;
}

async function removeUnused(step: RuntimeStep): Promise<void> {
  if (await isUsed(step)) return;
  await rm(folderOf(step), { recursive: true, force: true });
  await removeIfEmpty(step.store);
  await removeIfEmpty(dirname(step.store));
  if ((await statIfThere(step.store)) !== undefined) await syncFolder(step.store);
}

/** The folders that are not there, the innermost first. */
async function missingFolders(folder: string): Promise<string[]> {
  if ((await statIfThere(folder)) !== undefined) return [];
  return [folder, ...(await missingFolders(dirname(folder)))];
}
