// Who holds an install (or a compose project of an engine). Rule: a lock names a process by pid, start time and boot, so that a stale one is known for sure.
import { prettyJson } from './json.ts';
import { parseCount, parseFields, parseJson, parseText } from './parse.ts';

export interface LockRecord {
  readonly command: string;
  readonly pid: number;
  /** The process's start time as the system gives it. */
  readonly started: string;
  readonly boot: string;
  readonly nonce: string;
  readonly since: string;
}

export function parseLock(text: string, where: string): LockRecord {
  const f = parseFields(parseJson(text, where), where);
  return {
    command: parseText(f.command, `${where}: command`),
    pid: parseCount(f.pid, `${where}: pid`),
    started: parseText(f.started, `${where}: started`),
    boot: parseText(f.boot, `${where}: boot`),
    nonce: parseText(f.nonce, `${where}: nonce`),
    since: parseText(f.since, `${where}: since`),
  };
}

export function printLock(lock: LockRecord): string {
  return prettyJson(lock);
}
