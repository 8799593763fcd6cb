// Writes that survive a power cut. Rule: the file is synced before its name appears, and its folder after.
import { constants } from 'node:fs';
import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { diskTrouble } from '../model/disk-trouble.ts';
import { systemCode } from '../model/error.ts';
import { statIfThere } from '../world/disk.ts';

/** Writes text or bytes beside `path`, syncs, renames over `path` and syncs the folder. A reader sees the old or the new file, never part of one. */
export async function writeDurably(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  await naming(path, async () => {
    const temporary = temporaryOf(path);
    await rm(temporary, { force: true });
    const file = await open(temporary, 'wx', mode);
    try {
      await file.chmod(mode); // whatever the umask says
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  });
}

/** Puts a copy of the file `from` at `path` in the same way, with its own inode. */
export async function copyDurably(from: string, path: string, mode: number): Promise<void> {
  await naming(path, async () => {
    const temporary = temporaryOf(path);
    await rm(temporary, { force: true });
    await copyFile(from, temporary, constants.COPYFILE_EXCL);
    const file = await open(temporary, 'r+');
    try {
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  });
}

/** Creates `path` with this content, or returns false when it exists already. `link()` decides, so two writers never both succeed. */
export async function createDurably(path: string, content: string, tag: string): Promise<boolean> {
  const temporary = `${path}.${tag}`;
  return naming(path, async () => {
    try {
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await link(temporary, path);
      await syncFolder(dirname(path));
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/** Makes a folder and its parents, and syncs the parents of all that are new. */
export async function makeFolder(path: string, mode: number): Promise<void> {
  const first = (await mkdir(path, { recursive: true, mode })) ?? path;
  await syncFoldersUpTo(dirname(path), dirname(first));
}

/** Removes a path with all that is in it, and syncs its folder, so that no power cut brings it back. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  if ((await statIfThere(dirname(path))) !== undefined) await syncFolder(dirname(path));
}

/** Syncs a folder and those above it, up to `top`, so that a power cut leaves the way to its files. */
export async function syncFoldersUpTo(path: string, top: string): Promise<void> {
  for (let folder = path; folder.startsWith(top); folder = dirname(folder)) {
    await syncFolder(folder);
    if (folder === top) return;
  }
}

/** Syncs a folder, so that the names in it survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}

/** Syncs what a file holds. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A disk's refusal names the file that was to be written: an open file's own errors name none. */
async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskTrouble(error, path) ?? error;
  }
}

const HALF_WRITTEN = '.slipway-new';

function temporaryOf(path: string): string {
  return `${path}${HALF_WRITTEN}`;
}

/** True for the names of files whose own name has not appeared yet. */
export function isHalfWritten(name: string): boolean {
  return name.endsWith(HALF_WRITTEN);
}
