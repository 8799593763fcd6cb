// What is taken away at the very end of an install. Rule: only what still is ours; both steps come after the point of no return.
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { launcherFolder } from '../../model/launcher.ts';
import { readTextIfThere, statIfThere } from '../../world/disk.ts';
import type { Handler, Handlers } from '../handler.ts';
import { removeIfEmpty } from '../work.ts';

const MOST_LAUNCHER_BYTES = 64 * 1024;

const removeLauncher: Handler<'remove-launcher'> = {
  done: async ({ path }, site) => !(await isOurs(path, site.root)),
  run: async ({ path }) => rm(path, { force: true }),
};

/** Running it again is cheap, and what is in use by then simply stays. */
const clearFolders: Handler<'clear-folders'> = {
  done: async ({ folders }, site) => {
    for (const folder of folders) if ((await statIfThere(resolve(site.root, folder))) !== undefined) return false;
    return true;
  },
  run: async ({ folders }, site) => {
    for (const folder of folders) await removeIfEmpty(resolve(site.root, folder));
  },
};

/** The handlers of an uninstall's own steps. */
export const removalSteps = {
  'remove-launcher': removeLauncher,
  'clear-folders': clearFolders,
} satisfies Pick<Handlers, 'remove-launcher' | 'clear-folders'>;

async function isOurs(path: string, root: string): Promise<boolean> {
  const found = await statIfThere(path);
  if (found?.isFile() !== true || found.size > MOST_LAUNCHER_BYTES) return false;
  const folder = launcherFolder((await readTextIfThere(path, MOST_LAUNCHER_BYTES)) ?? '');
  return folder !== undefined && resolve(folder) === resolve(root);
}
