// Where downloads arrive. Rule: a private folder of the cache for each, on the file system of what it becomes; what killed processes left there goes first.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { INCOMING } from '../model/layout.ts';
import { ownMark, sweepDead } from '../world/made-by.ts';

/** Makes the folder in the cache, which is made when it is not there, for as long as this work takes. */
export async function inIncoming<T>(cache: string, work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(cache, { recursive: true, mode: 0o700 });
  await sweepDead(cache, INCOMING);
  const folder = await mkdtemp(join(cache, `${INCOMING}${await ownMark()}-`));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
