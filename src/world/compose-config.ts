// What a compose project comes to once Compose has read it. Rule: Compose itself interprets the file; only its answer is parsed.
import { ToolError } from '../model/error.ts';
import type { ComposeFact, MountFact, ServiceFact } from '../model/facts.ts';
import { parseFields, parseJson, parseList, parseMap, parseOptional, parseText } from '../model/parse.ts';
import type { ComposeProject } from '../model/plan.ts';
import type { RunResult } from '../model/seams.ts';
import { type Engine, runCompose } from './docker.ts';

/** Reads a project through `docker compose config`, with the profiles that its `.env` chooses. Throws E_CONFIG with Compose's own words. */
export async function readComposeConfig(engine: Engine, project: ComposeProject): Promise<ComposeFact> {
  const reading = resolve(engine, project);
  const [read, hashed] = await Promise.all([reading, hashesOf(engine, project, textOf(reading))]);
  const fact = parseProject(read); // first what Compose says of the files themselves
  return { ...fact, hashes: Object.fromEntries(expectRead(hashed).stdout.split('\n').filter(Boolean).map(splitHash)) };
}

/** The same without hashes, which take Compose as long again. */
export async function readComposeProject(engine: Engine, project: ComposeProject): Promise<ComposeFact> {
  return parseProject(await resolve(engine, project));
}

function resolve(engine: Engine, project: ComposeProject): Promise<RunResult> {
  return runCompose(engine, project, ['config', '--format', 'json']);
}

function parseProject(result: RunResult): ComposeFact {
  const f = parseFields(parseJson(expectRead(result).stdout, 'docker compose config'), 'docker compose config');
  return {
    name: parseText(f.name, 'name'),
    services: parseMap(f.services ?? {}, 'services', parseService),
    volumes: parseMap(f.volumes ?? {}, 'volumes', (value, where) => parseText(parseFields(value ?? {}, where).name, `${where}.name`)),
    unset: unsetVariables(result.stderr),
    hashes: {},
  };
}

/** Hashes of the files themselves would leave out what env files say; those of the resolved project are those of the containers' labels. */
function hashesOf(engine: Engine, project: ComposeProject, resolved: string | Promise<string>): Promise<RunResult> {
  return runCompose(engine, { ...project, files: ['-'] }, ['config', '--hash', '*'], { input: resolved });
}

/** What another Compose may wait for, so that both start at the same time. */
function textOf(reading: Promise<RunResult>): Promise<string> {
  return reading.then(
    ({ stdout }) => stdout,
    () => '',
  );
}

/** With more dependencies than this only "all" and "none" are looked at: each set costs a call. */
const MOST_DEPENDENCIES = 4;

/** The config hashes that these services have when only some of what they depend on is started along with them: service → hashes. */
export async function hashesByDependencies(
  engine: Engine,
  project: ComposeProject,
  services: ReadonlySet<string>,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const result = expectRead(await resolve(engine, project));
  const resolved = parseFields(parseJson(result.stdout, 'docker compose config'), 'docker compose config');
  const all = parseMap(resolved.services ?? {}, 'services', parseFields);
  const wanted = Object.entries(all).filter(([name, { depends_on: needs }]) => services.has(name) && Object.keys(needs ?? {}).length > 0);
  const found = new Map(wanted.map(([name]) => [name, new Set<string>()]));
  const rounds = Math.max(0, ...wanted.map(([, { depends_on: needs }]) => setsOf(Object.keys(needs ?? {}))));
  for (let round = 0; round < rounds; round += 1) {
    const some = wanted.map(([name, service]) => [name, { ...service, depends_on: pick(service.depends_on, round) }] as const);
    const input = JSON.stringify({ ...resolved, services: { ...all, ...Object.fromEntries(some) } });
    const hashes = expectRead(await hashesOf(engine, project, input));
    for (const [name, hash] of hashes.stdout.split('\n').filter(Boolean).map(splitHash)) found.get(name)?.add(hash);
  }
  return found;
}

/** How many sets there are, all of them left out: that is the usual hash. */
function setsOf(needs: readonly string[]): number {
  return needs.length > MOST_DEPENDENCIES ? 1 : 2 ** needs.length - 1;
}

/** Each round takes another set of the dependencies; the first takes none. */
function pick(needs: unknown, round: number): object {
  const entries = Object.entries(parseFields(needs ?? {}, 'depends_on'));
  const mask = round % setsOf(entries.map(([name]) => name));
  return Object.fromEntries(entries.filter((_, index) => (mask & (1 << index)) !== 0));
}

function expectRead(result: RunResult): RunResult {
  if (result.code === 0) return result;
  throw new ToolError('E_CONFIG', `docker compose refuses the files: ${result.stderr.trim().split('\n').slice(-2).join(' | ')}`, {
    hint: 'Mend the compose file, the override file or the env files; nothing was changed.',
  });
}

function splitHash(line: string): [string, string] {
  const [service = '', hash = ''] = line.trim().split(/\s+/);
  return [service, hash];
}

/** Compose warns: The "X" variable is not set. Defaulting to a blank string. */
function unsetVariables(stderr: string): string[] {
  const names = [...stderr.matchAll(/\\?"([A-Za-z_][A-Za-z0-9_]*)\\?" variable is not set/g)].map((match) => match[1] ?? '');
  return [...new Set(names)].sort();
}

function parseService(value: unknown, where: string): ServiceFact {
  const f = parseFields(value, where);
  const ports = parseList(f.ports ?? [], `${where}.ports`, parseFields);
  return {
    ...(f.build === undefined || f.build === null ? {} : { builds: true as const }),
    image: parseOptional(f.image, `${where}.image`, parseText) ?? '',
    profiles: parseList(f.profiles ?? [], `${where}.profiles`, parseText),
    publishes: ports.filter((port) => port.published !== undefined).map((port) => `${port.published}/${port.protocol ?? 'tcp'}`),
    mounts: parseList(f.volumes ?? [], `${where}.volumes`, parseMount),
  };
}

function parseMount(value: unknown, where: string): MountFact {
  const f = parseFields(value, where);
  return {
    type: parseText(f.type, `${where}.type`),
    source: parseOptional(f.source, `${where}.source`, parseText) ?? '',
    target: parseText(f.target, `${where}.target`),
    readOnly: f.read_only === true,
  };
}
