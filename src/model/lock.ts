// Who holds an install (or a compose project of an engine). Rule: a lock names a process by pid, start time and boot, and by where that pid counts, so that a stale one is known for sure.
import { keep } from './description.ts';
import { prettyJson } from './json.ts';
import { type Fields, parseCount, parseFields, parseJson, parseOptional, parseText } from './parse.ts';

/** A container as it runs now: started again it is another one, with other processes. */
export interface RunningContainer {
  readonly id: string;
  /** The engine's word for when it was started. */
  readonly startedAt: string;
}

export interface LockRecord {
  readonly command: string;
  readonly pid: number;
  /** The process's start time as the system gives it. */
  readonly started: string;
  readonly boot: string;
  readonly nonce: string;
  readonly since: string;
  /** The pid namespace that the pid is of, as /proc names it; absent in locks of older programs and where there are none. */
  readonly pidNamespace?: string;
  /** The container that the process runs in. */
  readonly container?: RunningContainer;
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
    ...parseWhereabouts(f, where),
  };
}

/** Where the process is at home: optional fields, unknown to older programs. */
export function parseWhereabouts(f: Fields, where: string): Pick<LockRecord, 'pidNamespace' | 'container'> {
  return keep({
    pidNamespace: parseOptional(f.pidNamespace, `${where}: pidNamespace`, parseText),
    container: parseOptional(f.container, `${where}: container`, parseContainer),
  });
}

function parseContainer(value: unknown, where: string): RunningContainer {
  const f = parseFields(value, where);
  return { id: parseText(f.id, `${where}.id`), startedAt: parseText(f.startedAt, `${where}.startedAt`) };
}

export function printLock(lock: LockRecord): string {
  return prettyJson(lock);
}
