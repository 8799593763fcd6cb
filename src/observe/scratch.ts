// A private folder for what is fetched before there is an install. Rule: it is gone when the process ends, however it ends short of a kill.
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes the folder (mode 0700) and sees to its removal at exit. */
export async function makeScratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
