// Files of an install: stage, swap, make and remove. Rule: a running install's file is replaced by one rename, and what it replaced is kept until the plan has ended.
import { chmod, chown, copyFile, link, mkdir, rename, rm, rmdir, stat, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { digestOf, hexOf } from '../../model/digest.ts';
import { systemCode, ToolError } from '../../model/error.ts';
import type { Saved } from '../../model/journal.ts';
import { parseCount, parseFields, parseFlag, parseList, parseText } from '../../model/parse.ts';
import type { FileAfter, FileToWrite, Kind, Step } from '../../model/plan.ts';
import { factOfFile, statIfThere } from '../../world/disk.ts';
import { copyDurably, removeDurably, syncFolder, syncFoldersUpTo } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { undoFolder } from '../site.ts';

const makeFolders: Handler<'make-folders'> = {
  done: async (step, site) => {
    for (const folder of step.folders) if ((await statIfThere(join(site.root, folder.path)))?.isDirectory() !== true) return false;
    return true;
  },
  save: async (step, site) => ({
    created: await missingFolders(
      site.root,
      step.folders.map((folder) => folder.path),
    ),
  }),
  run: async (step, site) => {
    for (const folder of step.folders) {
      const path = join(site.root, folder.path);
      if ((await statIfThere(path))?.isDirectory() === true) continue;
      await mkdir(path, { recursive: true });
      await chmod(path, folder.mode);
    }
    await syncMade(step, site);
  },
  settle: (step, site) => syncMade(step, site),
  undo: async (_step, saved, site) => {
    // What these folders hold came from the release that is taken back: none of them was there before it.
    for (const path of textsOf(saved, 'created')) await removeDurably(join(site.root, path));
  },
};

const stageFiles: Handler<'stage-files'> = {
  done: async (step, site) => {
    const owner = await stat(site.root);
    for (const file of step.files) {
      const path = join(site.root, step.to, file.path);
      if (!(await isWritten(path, file)) || !(await isOwnedBy(path, owner))) return false;
    }
    for (const name of step.links ?? []) if (await lacksLink(join(site.root, step.to), site.root, name)) return false;
    return true;
  },
  save: async (step, site) => ({ existed: (await statIfThere(join(site.root, step.to))) !== undefined }),
  run: async (step, site) => {
    const owner = await stat(site.root);
    for (const file of step.files) {
      const path = join(site.root, step.to, file.path);
      await mkdir(dirname(path), { recursive: true });
      if (!(await isWritten(path, file))) await stageOne(site, path, file);
      if (!(await isOwnedBy(path, owner))) await chown(path, owner.uid, owner.gid);
    }
    for (const name of step.links ?? []) await linkInto(join(site.root, step.to), site.root, name);
    await syncStaged(step, site);
  },
  settle: (step, site) => syncStaged(step, site),
  undo: async (step, saved, site) => {
    if (!parseFlag(saved.existed, 'saved.existed')) await removeDurably(join(site.root, step.to));
  },
};

interface Before {
  readonly path: string;
  readonly existed: boolean;
  readonly digest: string;
  readonly mode: number;
}

const swapFiles: Handler<'swap-files'> = {
  done: async (step, site) => {
    for (const file of step.files) if (!(await isAsWanted(site.root, file))) return false;
    return true;
  },
  save: async (step, site) => {
    const aside = undoFolder(site, nameOf(step));
    await rm(aside, { recursive: true, force: true });
    const before: Before[] = [];
    for (const file of step.files) before.push(await setAside(site.root, aside, file.path));
    for (const folder of foldersOf(aside, before)) await syncFoldersUpTo(folder, site.root); // the journal will count on what lies there
    const parents = step.files.filter((file) => file.content !== null).map((file) => dirname(file.path));
    return {
      before,
      created: await missingFolders(
        site.root,
        [...new Set(parents)].filter((path) => path !== '.'),
      ),
    };
  },
  run: async (step, site) => {
    for (const file of step.files) if (!(await isAsWanted(site.root, file))) await swapOne(site, step.from, file);
    await syncParents(site.root, step.files);
  },
  settle: (step, site) => syncParents(site.root, step.files),
  undo: async (step, saved, site) => {
    const aside = undoFolder(site, nameOf(step));
    for (const before of parseList(saved.before, 'saved.before', parseBefore)) await bringBack(site.root, aside, before);
    for (const path of textsOf(saved, 'created').reverse()) await removeEmptyFolder(join(site.root, path));
    await syncParents(site.root, step.files);
  },
};

/** Only after the point of no return: what it removes cannot come back. */
const removePaths: Handler<'remove-paths'> = {
  done: async (step, site) => {
    for (const path of step.paths) if ((await statIfThere(resolve(site.root, path))) !== undefined) return false;
    return true;
  },
  run: async (step, site) => {
    for (const path of step.paths) await removeDurably(resolve(site.root, path));
  },
  settle: async (step, site) => {
    for (const path of step.paths) await removeDurably(resolve(site.root, path));
  },
};

/** The handlers of everything that writes files of an install. */
export const fileSteps = {
  'make-folders': makeFolders,
  'stage-files': stageFiles,
  'swap-files': swapFiles,
  'remove-paths': removePaths,
} satisfies Pick<Handlers, 'make-folders' | 'stage-files' | 'swap-files' | 'remove-paths'>;

/** A folder name for a step's undo data: the same step always gets the same name. */
export function nameOf(step: Step<Kind>): string {
  return `${step.kind}-${hexOf(digestOf(JSON.stringify(step))).slice(0, 16)}`;
}

/** Nothing is swapped in that is not what the plan named: a person may write on into a file that was linked, and a disk may lose what it said it kept. */
async function stageOne(site: Site, path: string, file: FileToWrite): Promise<void> {
  await copyDurably(site.content(file.content), path, file.mode);
  if ((await factOfFile(path))?.digest === file.content) return;
  throw new ToolError('E_DIGEST', `${file.path} is not what it was when the plan was made`, {
    hint: 'Run the command again, and look at the new plan.',
  });
}

async function isWritten(path: string, file: FileToWrite): Promise<boolean> {
  const fact = await factOfFile(path);
  return fact !== undefined && fact.digest === file.content && fact.mode === file.mode;
}

async function isAsWanted(root: string, file: FileAfter): Promise<boolean> {
  if (file.content === null) return (await statIfThere(join(root, file.path))) === undefined;
  return isWritten(join(root, file.path), { ...file, content: file.content });
}

async function swapOne(site: Site, from: string, file: FileAfter): Promise<void> {
  const target = join(site.root, file.path);
  if (file.content === null) return rm(target, { force: true });
  await mkdir(dirname(target), { recursive: true });
  await placeOver(join(site.root, from, file.path), target);
}

/** The present file goes under another name by a second link, so that not even its inode changes hands. */
async function setAside(root: string, aside: string, path: string): Promise<Before> {
  const fact = await factOfFile(join(root, path));
  if (fact === undefined) {
    if ((await statIfThere(join(root, path))) !== undefined) throw inTheWay(path);
    return { path, existed: false, digest: '', mode: 0 };
  }
  await mkdir(dirname(join(aside, path)), { recursive: true, mode: 0o700 });
  await linkOrCopy(join(root, path), join(aside, path));
  return { path, existed: true, digest: fact.digest, mode: fact.mode };
}

/** The folders that hold what was set aside. */
function foldersOf(aside: string, before: readonly Before[]): Set<string> {
  return new Set(before.filter(({ existed }) => existed).map(({ path }) => dirname(join(aside, path))));
}

async function bringBack(root: string, aside: string, before: Before): Promise<void> {
  const target = join(root, before.path);
  await rm(temporaryOf(target), { force: true }); // of a swap that was cut off half-way
  if (!before.existed) return rm(target, { force: true });
  const now = await factOfFile(target);
  if (now !== undefined && now.digest === before.digest && now.mode === before.mode) return;
  await mkdir(dirname(target), { recursive: true });
  await placeOver(join(aside, before.path), target);
}

/** Puts the file `from` at `target` in one rename, and keeps `from`. */
async function placeOver(from: string, target: string): Promise<void> {
  const temporary = temporaryOf(target);
  await rm(temporary, { force: true });
  await linkOrCopy(from, temporary);
  await rename(temporary, target);
  await rm(temporary, { force: true }); // rename does nothing when both names were links to one file (rename(2))
}

function temporaryOf(target: string): string {
  return `${target}.slipway-new`;
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK' && code !== 'ENOTSUP') throw error;
    await copyFile(from, to);
  }
}

async function linkInto(staged: string, root: string, name: string): Promise<void> {
  if (!(await lacksLink(staged, root, name))) return;
  const path = join(staged, name);
  await mkdir(dirname(path), { recursive: true });
  await symlink(join(root, name), path);
}

async function lacksLink(staged: string, root: string, name: string): Promise<boolean> {
  return (await statIfThere(join(staged, name))) === undefined && (await statIfThere(join(root, name))) !== undefined;
}

/** A folder of another user stays that user's, as far as we may see to it. */
async function isOwnedBy(path: string, owner: { readonly uid: number; readonly gid: number }): Promise<boolean> {
  if (process.getuid?.() !== 0) return true;
  const found = await stat(path);
  return found.uid === owner.uid && found.gid === owner.gid;
}

function syncMade({ folders }: Step<'make-folders'>, { root }: Site): Promise<void> {
  return syncWayTo(
    root,
    folders.map(({ path }) => join(root, path)),
  );
}

function syncStaged({ to, files, links = [] }: Step<'stage-files'>, { root }: Site): Promise<void> {
  return syncWayTo(
    root,
    [...files.map(({ path }) => path), ...links].map((path) => dirname(join(root, to, path))),
  );
}

function syncParents(root: string, files: readonly { readonly path: string }[]): Promise<void> {
  return syncWayTo(
    root,
    files.map((file) => dirname(join(root, file.path))),
  );
}

/** Syncs these folders, as far as they are there, and all between them and the install's. */
async function syncWayTo(root: string, folders: readonly string[]): Promise<void> {
  const all = new Set<string>();
  for (const folder of folders) for (let each = folder; each.startsWith(root) && !all.has(each); each = dirname(each)) all.add(each);
  for (const folder of all) if ((await statIfThere(folder)) !== undefined) await syncFolder(folder);
}

/** The folders among these and their parents that do not exist yet, parents first. */
async function missingFolders(root: string, paths: readonly string[]): Promise<string[]> {
  const missing = new Set<string>();
  for (const path of paths) {
    const parts = path.replace(/\/$/, '').split('/');
    for (let length = 1; length <= parts.length; length += 1) {
      const part = parts.slice(0, length).join('/');
      if ((await statIfThere(join(root, part))) === undefined) missing.add(part);
    }
  }
  return [...missing].sort((a, b) => a.length - b.length);
}

async function removeEmptyFolder(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT' && code !== 'EEXIST') throw error;
  }
}

function inTheWay(path: string): ToolError {
  return new ToolError('E_CONFLICT', `${path} is a folder, but the release has a file there`, {
    hint: 'Move the folder away, then try again.',
  });
}

function parseBefore(value: unknown, where: string): Before {
  const f = parseFields(value, where);
  return {
    path: parseText(f.path, `${where}.path`),
    existed: parseFlag(f.existed, `${where}.existed`),
    digest: parseText(f.digest, `${where}.digest`),
    mode: parseCount(f.mode, `${where}.mode`),
  };
}

/** A list of texts among a step's saved data. */
export function textsOf(saved: Saved, key: string): string[] {
  return parseList(saved[key], `saved.${key}`, parseText);
}
