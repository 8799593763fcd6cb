// What a support bundle is made of. Rule: reads only, each text up to a size; secrets are still in it, and are taken out before it goes anywhere.
import { arch, release, type as systemType, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { ContainerFact } from '../model/facts.ts';
import { journalPath, stateFolder } from '../model/layout.ts';
import type { World } from '../model/seams.ts';
import { readYaml } from '../model/yaml-file.ts';
import { listNames, readTextIfThere } from '../world/disk.ts';
import { dockerEnvironment } from '../world/docker.ts';

/** Characters of one log that are kept, from its end. */
const MOST_LOG = 2_000_000;
const MOST_JOURNALS = 10;

/** The machine in words that a maintainer asks for. */
export async function observeSystem(): Promise<Readonly<Record<string, string>>> {
  const distribution = /^PRETTY_NAME="?([^"\n]*)/m.exec((await readTextIfThere('/etc/os-release')) ?? '')?.[1];
  return {
    system: `${systemType()} ${release()} ${arch()}`,
    distribution: distribution ?? 'not known',
    node: process.versions.node,
    memory: String(totalmem()),
    uptime: String(Math.round(uptime())),
  };
}

/** The last lines of a container's log, stdout and stderr. */
export async function observeLog(world: World, { id }: ContainerFact, lines: number): Promise<string> {
  const argv = ['docker', 'logs', '--timestamps', '--tail', String(lines), id];
  const { stdout, stderr } = await world.run(argv, { env: dockerEnvironment(world.env), timeout: 60 });
  return `${stdout}${stderr}`.slice(-MOST_LOG);
}

/** The open journal and the last ended ones: name → text. */
export async function observeJournals(root: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const open = await readTextIfThere(journalPath(root), 64 * 1024 * 1024);
  if (open !== undefined) found.set('journal.ndjson', open);
  const folder = join(stateFolder(root), 'history');
  for (const name of (await listNames(folder)).slice(-MOST_JOURNALS)) {
    const text = await readTextIfThere(join(folder, name), 64 * 1024 * 1024);
    if (text !== undefined) found.set(`history/${name}`, text);
  }
  return found;
}

/** Everything that looks like a setting in files that look like env files, where nobody can say what they are: better too much than too little. */
export async function observeRawSettings(root: string): Promise<Map<string, ReadonlyMap<string, string>>> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const name of (await listNames(root)).filter((each) => /^\.env|\.env$/.test(each))) {
    const text = (await readTextIfThere(join(root, name))) ?? '';
    const rows = [...text.matchAll(/^\s*(?:export\s+)?([A-Za-z_]\w*)[^\S\n]*=[^\S\n]*(.*)$/gm)];
    found.set(name, new Map(rows.map(([, key = '', value = '']) => [key, value.trim().replace(/^(["'])(.*)\1$/, '$2')])));
  }
  return found;
}

/** A YAML file of the install as plain values; undefined when it is not there or no YAML. */
export async function observeTree(root: string, path: string): Promise<unknown> {
  const text = await readTextIfThere(join(root, path));
  if (text === undefined) return undefined;
  try {
    return readYaml(text, path).value;
  } catch (error) {
    if (error instanceof ToolError) return undefined;
    throw error;
  }
}
