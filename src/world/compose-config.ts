// What a compose project comes to once Compose has read it. Rule: Compose itself interprets the file; only its answer is parsed.
import { ToolError } from '../model/error.ts';
import type { ComposeFact, MountFact, ServiceFact } from '../model/facts.ts';
import { parseFields, parseJson, parseList, parseMap, parseOptional, parseText } from '../model/parse.ts';
import type { ComposeProject } from '../model/plan.ts';
import type { RunResult } from '../model/seams.ts';
import { type Engine, runCompose } from './docker.ts';

/** Reads a project through `docker compose config`, with the profiles that its `.env` chooses. Throws E_CONFIG with Compose's own words. */
export async function readComposeConfig(engine: Engine, project: ComposeProject): Promise<ComposeFact> {
  const result = expectRead(await runCompose(engine, project, ['config', '--format', 'json']));
  // Hashes of the files themselves would leave out what env files say; those of the resolved project are those of the containers' labels.
  const resolved = { ...project, files: ['-'] };
  const hashes = expectRead(await runCompose(engine, resolved, ['config', '--hash', '*'], { input: result.stdout }));
  const f = parseFields(parseJson(result.stdout, 'docker compose config'), 'docker compose config');
  return {
    name: parseText(f.name, 'name'),
    services: parseMap(f.services ?? {}, 'services', parseService),
    volumes: parseMap(f.volumes ?? {}, 'volumes', (value, where) => parseText(parseFields(value ?? {}, where).name, `${where}.name`)),
    unset: unsetVariables(result.stderr),
    hashes: Object.fromEntries(hashes.stdout.split('\n').filter(Boolean).map(splitHash)),
  };
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
