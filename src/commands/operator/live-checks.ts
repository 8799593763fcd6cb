// What is odd about an answer on this machine, told while a person is still answering. Rule: a warning, never a refusal; preflight decides.
import type { Manifest } from '../../model/manifest.ts';
import { placeholdersIn } from '../../model/placeholder.ts';
import { isResolved } from '../../observe/name.ts';
import { observePort } from '../../observe/ports.ts';

/** Checks ports that this release opens and host names; what is as it is `today` is not looked at. */
export function noticeOf({ env, requires }: Manifest, today: ReadonlyMap<string, string>) {
  const opened = new Map(requires.ports.flatMap(({ port, protocol }) => placeholdersIn(port).map((name) => [name, protocol] as const)));
  return async (name: string, value: string): Promise<string | undefined> => {
    const protocol = opened.get(name);
    if (today.get(name) === value) return undefined;
    if (protocol !== undefined && (await observePort(Number(value), protocol)).taken) return `port ${value} is taken on this machine`;
    if (env[name]?.type === 'hostname' && !(await isResolved(value))) return `${value} has no address yet, seen from this machine`;
    return undefined;
  };
}
