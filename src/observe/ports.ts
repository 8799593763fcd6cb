// Ports of this machine and who holds them. Rule: looks only; a holder that this user may not see has no name.
import { readdir, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { systemCode } from '../model/error.ts';
import type { ContainerFact, PortFact } from '../model/facts.ts';
import { readTextIfThere } from '../world/disk.ts';

export interface PortWish {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Which of these ports are taken, and by what. A container is named rather than the program that listens for it. */
export async function observePorts(wanted: readonly PortWish[], containers: () => Promise<readonly ContainerFact[]>): Promise<PortFact[]> {
  const facts = await Promise.all(wanted.map(({ port, protocol }) => observePort(port, protocol)));
  const taken = facts.filter((fact) => fact.taken);
  if (taken.length === 0) return facts;
  const known = await containers();
  const holders = new Map<number, PortFact>();
  for (const fact of taken) holders.set(fact.port, { ...fact, ...(await holderOf(fact, known)) });
  return facts.map((fact) => (fact.taken ? (holders.get(fact.port) ?? fact) : fact));
}

/** A TCP port is free when it can be listened on; whoever asks again later may find it taken. UDP is not tried. */
async function observePort(port: number, protocol: 'tcp' | 'udp'): Promise<PortFact> {
  if (protocol === 'udp') return { port, protocol, taken: false };
  const taken = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(false)));
  });
  return { port, protocol, taken };
}

async function holderOf({ port, protocol }: PortFact, containers: readonly ContainerFact[]): Promise<Pick<PortFact, 'holder' | 'project'>> {
  const container = containers.find((each) => each.published?.includes(`${port}/${protocol}`) === true);
  if (container !== undefined) return { holder: `the container ${container.name}`, project: container.project };
  const sockets = await listeningSockets(port);
  const process = sockets.size === 0 ? undefined : await processWith(sockets);
  return process === undefined ? {} : { holder: process };
}

/** The inodes of the sockets that listen on a port (proc(5), /proc/net/tcp: state 0A). */
async function listeningSockets(port: number): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const name of ['tcp', 'tcp6']) {
    for (const line of ((await readProc(`/proc/net/${name}`)) ?? '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(suffix) === true && fields[3] === '0A' && fields[9] !== undefined) found.add(`socket:[${fields[9]}]`);
    }
  }
  return found;
}

async function processWith(sockets: ReadonlySet<string>): Promise<string | undefined> {
  for (const pid of (await namesIn('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const handle of await namesIn(join('/proc', pid, 'fd'))) {
      if (!sockets.has((await target(join('/proc', pid, 'fd', handle))) ?? '')) continue;
      const name = ((await readProc(join('/proc', pid, 'comm'))) ?? '').trim();
      return `${name || 'a program'} (process ${pid})`;
    }
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    return orNothing(error, []);
  }
}

async function target(link: string): Promise<string | undefined> {
  try {
    return await readlink(link);
  } catch (error) {
    return orNothing(error, undefined);
  }
}

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readTextIfThere(path);
  } catch (error) {
    return orNothing(error, undefined);
  }
}

/** Processes end while they are looked at, and those of others may not be. */
function orNothing<T>(error: unknown, nothing: T): T {
  if (systemCode(error) === undefined) throw error;
  return nothing;
}
