// Private folders for work in progress. Rule: they go when the work or the process ends, and what a killed process left goes with the next one.
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownMark, sweepDead } from './made-by.ts';

const PREFIX = 'slipway-';
const live = new Set<string>();
let opened: Promise<void> | undefined;

/** A killed process's folder is left alone for so long: the program that it handed its work over to may lie there. Milliseconds. */
const ABANDONED_AFTER = 3_600_000;

/** Makes a folder (mode 0700), which goes at exit. */
export async function makeScratch(): Promise<string> {
  opened ??= open();
  await opened;
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${await ownMark()}-`));
  live.add(folder);
  return folder;
}

/** The same for as long as this work takes. */
export async function inScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await makeScratch();
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
    live.delete(folder);
  }
}

/** Removes what killed processes of this user left, too: env files with secrets may be in it. */
async function open(): Promise<void> {
  process.once('exit', () => {
    for (const folder of live) rmSync(folder, { recursive: true, force: true });
  });
  await sweepDead(tmpdir(), PREFIX, ABANDONED_AFTER);
}
