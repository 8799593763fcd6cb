// What else stands around an install: its command, its Node.js, the mode of its settings. Rule: looks only; what is not there is undefined.
import { join, resolve } from 'node:path';
import type { InstallRecord } from '../model/install.ts';
import { launcherFolder } from '../model/launcher.ts';
import { statIfThere } from '../world/disk.ts';
import { readLauncher } from './launcher.ts';
import { isKept } from './runtime.ts';

export interface StandingFacts {
  readonly environmentMode: number | undefined;
  /** The folder that the command on PATH starts; `other` for a foreign file, undefined when it is gone. */
  readonly launches: string | undefined;
  readonly hasRuntime: boolean;
}

/** Looks at what the record says there is. */
export async function observeStanding(root: string, { launcher, runtime }: InstallRecord): Promise<StandingFacts> {
  const settings = await statIfThere(join(root, '.env'));
  const text = launcher === undefined ? undefined : await readLauncher(launcher);
  const folder = text === undefined ? undefined : (launcherFolder(text) ?? 'other');
  return {
    environmentMode: settings === undefined ? undefined : settings.mode & 0o777,
    launches: folder === undefined || folder === 'other' ? folder : resolve(folder),
    hasRuntime: runtime === undefined || (await isKept(runtime.store, runtime.program)),
  };
}
