// How Compose joins files and services (compose-spec, "Merge and override"), and where their relative paths start. Rule: plain values in, plain values out.
import { posix } from 'node:path';
import { fieldsOf, listOf } from './compose-parts.ts';

type Fields = Record<string, unknown>;

const REPLACED = ['command', 'entrypoint', 'test'];
const NAMED = ['environment', 'labels', 'args', 'sysctls', 'extra_hosts'];
const SECTIONS = ['services', 'volumes', 'networks', 'configs', 'secrets'];

/** Two files of one project; the later one wins. */
export function mergeProjects(base: Fields, over: Fields): Fields {
  const merged: Fields = { ...base };
  for (const [key, value] of Object.entries(over)) {
    merged[key] = SECTIONS.includes(key) && base[key] !== undefined ? mergeSection(key, fieldsOf(base[key]), fieldsOf(value)) : value;
  }
  return merged;
}

/** A service and what is said about it later. */
export function mergeServices(base: Fields, over: Fields): Fields {
  const merged: Fields = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = key in base ? mergeValue(key, base[key], value) : value;
  return merged;
}

/** The project with its relative paths written from the folder that this one lies in. */
export function rebaseProject(project: Fields, folder: string): Fields {
  if (folder === '.') return project;
  const each = (section: string, change: (fields: Fields) => Fields): Fields =>
    project[section] === undefined
      ? {}
      : {
          [section]: Object.fromEntries(Object.entries(fieldsOf(project[section])).map(([name, value]) => [name, change(fieldsOf(value))])),
        };
  const file = (fields: Fields): Fields => (typeof fields.file === 'string' ? { ...fields, file: rebased(fields.file, folder) } : fields);
  return { ...project, ...each('services', (fields) => rebaseService(fields, folder)), ...each('configs', file), ...each('secrets', file) };
}

function mergeSection(section: string, base: Fields, over: Fields): Fields {
  const merged: Fields = { ...base };
  for (const [name, value] of Object.entries(over)) {
    merged[name] = name in base && section === 'services' ? mergeServices(fieldsOf(base[name]), fieldsOf(value)) : value;
  }
  return merged;
}

function mergeValue(key: string, base: unknown, over: unknown): unknown {
  if (REPLACED.includes(key) || over === null) return over;
  if (NAMED.includes(key)) return { ...namedOf(base), ...namedOf(over) };
  if (key === 'build') return mergeServices(buildOf(base), buildOf(over));
  if (key === 'depends_on' && !(Array.isArray(base) && Array.isArray(over))) return { ...dependsOf(base), ...dependsOf(over) };
  if (key === 'volumes') return mergeVolumes(listOf(base), listOf(over));
  if (Array.isArray(base) || Array.isArray(over)) return [...new Set([base, over].flat())];
  if (isFields(base) && isFields(over)) return mergeServices(base, over);
  return over;
}

/** One mount for each place in the container. */
function mergeVolumes(base: readonly unknown[], over: readonly unknown[]): unknown[] {
  const taken = new Set(over.map(targetOf));
  return [...base.filter((volume) => !taken.has(targetOf(volume))), ...over];
}

function targetOf(volume: unknown): string {
  if (typeof volume !== 'string') return String(fieldsOf(volume).target);
  const [source = '', target = source] = volume.replace(/\$\{[^}]*\}/g, 'x').split(':');
  return target;
}

/** `- A=1` and `A: 1` are the same. */
export function namedOf(value: unknown): Fields {
  if (!Array.isArray(value)) return fieldsOf(value);
  return Object.fromEntries(
    value.map(String).map((text): [string, unknown] => {
      const at = text.indexOf('=');
      return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

export function buildOf(value: unknown): Fields {
  return typeof value === 'string' ? { context: value } : fieldsOf(value);
}

export function dependsOf(value: unknown): Fields {
  if (!Array.isArray(value)) return fieldsOf(value);
  return Object.fromEntries(value.map((name) => [String(name), { condition: 'service_started' }]));
}

function rebaseService(service: Fields, folder: string): Fields {
  const { volumes, env_file: envFile, build } = service;
  const files = (value: unknown): unknown =>
    typeof value === 'string' ? rebasedEnv(value, folder) : { ...fieldsOf(value), path: rebasedEnv(String(fieldsOf(value).path), folder) };
  return {
    ...service,
    ...(volumes === undefined ? {} : { volumes: listOf(volumes).map((volume) => rebaseVolume(volume, folder)) }),
    ...(envFile === undefined ? {} : { env_file: Array.isArray(envFile) ? envFile.map(files) : files(envFile) }),
    ...(build === undefined ? {} : { build: rebaseBuild(build, folder) }),
  };
}

function rebaseVolume(volume: unknown, folder: string): unknown {
  if (typeof volume === 'string') return /^\.{1,2}[/:]/.test(volume) ? volume.replace(/^[^:]+/, (path) => rebased(path, folder)) : volume;
  const fields = fieldsOf(volume);
  return typeof fields.source === 'string' && /^\.{1,2}(?:\/|$)/.test(fields.source)
    ? { ...fields, source: rebased(fields.source, folder) }
    : volume;
}

function rebaseBuild(build: unknown, folder: string): unknown {
  const { context = '.', ...rest } = buildOf(build);
  const isPath = typeof context === 'string' && !/^[a-z+]+:\/\/|^git@/.test(context);
  const place = isPath ? rebased(context, folder) : context;
  return typeof build === 'string' ? place : { context: place, ...rest };
}

/** `.env` is the product's one, wherever the compose file lies. */
function rebasedEnv(path: string, folder: string): string {
  return posix.normalize(path) === '.env' ? './.env' : rebased(path, folder);
}

function rebased(path: string, folder: string): string {
  if (path.startsWith('/') || path.startsWith('~') || path.startsWith('$')) return path;
  const joined = posix.join(folder, path);
  return joined.startsWith('.') ? joined : `./${joined}`;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
