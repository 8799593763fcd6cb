// Private folders for work in progress. Rule: they go when the work or the process ends, and what a killed process left goes with the next one.
import { rmSync } from 'node:fs';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processStart } from './processes.ts';

const live = new Set<string>();
let opened: Promise<string> | undefined;

/** A killed process's folder is left alone for so long: whoever shares the place for such folders from another container cannot be seen. Milliseconds. */
const ABANDONED_AFTER = 3_600_000;

/** Makes a folder (mode 0700), which goes at exit. */
export async function makeScratch(): Promise<string> {
  opened ??= open();
  const folder = await mkdtemp(join(tmpdir(), `slipway-${process.pid}-${await opened}-`));
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

/** When this process started, as the names of its folders say it. */
async function open(): Promise<string> {
  process.once('exit', () => {
    for (const folder of live) rmSync(folder, { recursive: true, force: true });
  });
  await sweep();
  return (await processStart(process.pid)) ?? 'unknown';
}

/** Removes what killed processes of this user left: env files with secrets may be in it. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const [, pid, started] = /^slipway-(\d+)-(\d+)-\w{6}$/.exec(name) ?? [];
    if (pid === undefined || (await processStart(Number(pid))) === started) continue;
    const path = join(tmpdir(), name);
    const { uid, mtimeMs } = await lstat(path).catch(() => NOBODYS); // somebody else may sweep, too
    if (uid === process.getuid?.() && Date.now() - mtimeMs > ABANDONED_AFTER)
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

const NOBODYS = { uid: -1, mtimeMs: 0 };
