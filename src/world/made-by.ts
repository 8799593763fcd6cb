// Names that tell which process made them. Rule: what a killed process left goes with the next one; whoever cannot be seen from here is given a day.
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pidNamespace, processStart, sightProcess } from './processes.ts';

/** Nobody works on one thing for so long. Milliseconds. */
const UNSEEN_LIFE = 24 * 60 * 60 * 1000;
const MARK = /^(\d+)-(\w+)-(\d+)-/;
let mark: Promise<string> | undefined;

/** Tells this process from all others: its number, when it started, and the pid namespace that counts it so (0 = the system has none). */
export function ownMark(): Promise<string> {
  mark ??= makeMark();
  return mark;
}

async function makeMark(): Promise<string> {
  const namespace = /\d+/.exec((await pidNamespace()) ?? '')?.[0] ?? '0';
  return `${process.pid}-${(await processStart(process.pid)) ?? 'unknown'}-${namespace}`;
}

/**
 * Removes what is named `PREFIX MARK-…` in a folder when its maker is gone and it is older than `olderThan` milliseconds. What belongs neither to this
 * user nor to the folder's owner stays, and so does what cannot be looked at or removed: tidying up never fails the work.
 */
export async function sweepDead(folder: string, prefix: string, olderThan = 0): Promise<void> {
  const owners = [process.getuid?.(), (await lstat(folder).catch(() => undefined))?.uid];
  for (const name of await readdir(folder).catch(() => [])) {
    const [, pid, started = '', namespace] = MARK.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '') ?? [];
    if (pid === undefined) continue;
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined); // somebody else may sweep, too
    if (found === undefined || !owners.includes(found.uid)) continue;
    const seen = await sightProcess({ pid: Number(pid), started, namespace: namespace === '0' ? undefined : `pid:[${namespace}]` });
    const life = { alive: Number.POSITIVE_INFINITY, hidden: UNSEEN_LIFE, gone: olderThan }[seen];
    if (Date.now() - found.mtimeMs >= life) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}
