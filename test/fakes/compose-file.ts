// Compose files as `docker compose` reads them, for the few forms our products use. Rule: what it does not know it refuses; it reads the files on disk, every time.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parse } from 'yaml';
import { envValues, parseEnvFile } from '../../src/model/env-file.ts';

export interface FakeMount {
  readonly type: 'volume' | 'bind';
  /** A volume's key in the file, or an absolute path. */
  readonly source: string;
  readonly target: string;
  readonly read_only: boolean;
}

export interface FakeService {
  /** What the file says; empty = Compose gives it a name. */
  readonly image: string;
  readonly build?: { readonly context: string };
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
  readonly ports: readonly { readonly target: number; readonly published: string; readonly protocol: string }[];
  readonly volumes: readonly FakeMount[];
  readonly restart: string;
  readonly depends_on: Readonly<Record<string, object>>;
}

export interface ComposeCall {
  readonly name: string;
  readonly folder: string;
  readonly environment: string;
  readonly files: readonly string[];
}

export interface ComposeModel {
  readonly name: string;
  /** Every service of the files, those of profiles that are off included. */
  readonly services: Readonly<Record<string, FakeService>>;
  readonly active: readonly string[];
  /** Key → the engine's name. */
  readonly volumes: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

type Fields = Record<string, unknown>;
const KNOWN = [
  'image',
  'build',
  'command',
  'environment',
  'env_file',
  'labels',
  'profiles',
  'ports',
  'volumes',
  'restart',
  'depends_on',
  'healthcheck',
];

/** Reads a project; throws with Compose's words for a file that is missing or not understood. */
export function readCompose(call: ComposeCall): ComposeModel {
  const values = readEnvironment(call.environment);
  const warnings = new Set<string>();
  const merged = call.files.map((file) => readOne(file, values, warnings)).reduce<Fields>((all, next) => merge(all, next) as Fields, {});
  const services = Object.entries(fields(merged.services)).map(([name, value]) => [name, serviceOf(name, fields(value), call)] as const);
  const profiles = new Set((values.get('COMPOSE_PROFILES') ?? '').split(',').filter(Boolean));
  const isActive = (service: FakeService): boolean => service.profiles.length === 0 || service.profiles.some((each) => profiles.has(each));
  // What the call says, else what `.env` says, else what the file says, else the folder's own name (compose-spec, project name).
  const name = call.name || values.get('COMPOSE_PROJECT_NAME') || String(merged.name ?? basename(call.folder).toLowerCase());
  const volumes = Object.entries(fields(merged.volumes)).map(
    ([key, value]) => [key, String(fields(value).name ?? `${name}_${key}`)] as const,
  );
  return {
    name,
    services: Object.fromEntries(services),
    active: services.filter(([, service]) => isActive(service)).map(([name]) => name),
    volumes: Object.fromEntries(volumes),
    warnings: [...warnings],
  };
}

/** A project as `config --format json` gave it, read from the call's input. */
export function readResolved(call: ComposeCall, input: string): ComposeModel {
  const { name, services, volumes } = JSON.parse(input) as {
    readonly name: string;
    readonly services: ComposeModel['services'];
    readonly volumes: Readonly<Record<string, { readonly name: string }>>;
  };
  if (call.name !== '' && name !== call.name) throw new Error(`the project is called ${name}, and not ${call.name}`);
  const named = Object.entries(volumes).map(([key, volume]) => [key, volume.name] as const);
  return { name, services, active: Object.keys(services), volumes: Object.fromEntries(named), warnings: [] };
}

/** The service as `up --no-deps` of these sees it: dependencies that are not started with it are none (compose-go, WithSelectedServices). */
export function selected(service: FakeService, names: readonly string[]): FakeService {
  const kept = Object.entries(service.depends_on).filter(([name]) => names.includes(name));
  return { ...service, depends_on: Object.fromEntries(kept) };
}

/** The config hash of a service, as the label of its container has it. */
export function hashOfService(service: FakeService): string {
  const { profiles: _, build: __, ...rest } = service; // compose-go, ServiceHash
  return createHash('sha256').update(JSON.stringify(rest)).digest('hex');
}

/** By the rules that are compared with Compose's own, file by file, where there is a real one. */
function readEnvironment(path: string): ReadonlyMap<string, string> {
  return envValues(parseEnvFile(readText(path), path));
}

function readOne(file: string, values: ReadonlyMap<string, string>, warnings: Set<string>): unknown {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') return interpolate(value, values, warnings);
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each)]));
    return value;
  };
  return fill(parseOnce(readText(file)));
}

const parsed = new Map<string, unknown>();

/** The same text is the same tree. */
function parseOnce(text: string): unknown {
  if (!parsed.has(text)) parsed.set(text, parse(text, { merge: true }));
  return parsed.get(text);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new Error(`open ${path}: no such file or directory`);
  }
}

function interpolate(text: string, values: ReadonlyMap<string, string>, warnings: Set<string>): string {
  return text.replace(/\$(?:\$|\{([A-Za-z_]\w*)(?:(:?[-?])([^}]*))?\}|([A-Za-z_]\w*))/g, (all, braced, operator, rest, plain) => {
    if (all === '$$') return '$';
    const name = braced ?? plain;
    const value = values.get(name);
    const isThere = value !== undefined && (value !== '' || !String(operator).startsWith(':'));
    if (isThere) return value;
    if (operator?.endsWith('?') === true) throw new Error(`required variable ${name} is missing a value: ${rest}`);
    if (operator?.endsWith('-') === true) return rest;
    warnings.add(`time="2026-01-01T00:00:00Z" level=warning msg="The \\"${name}\\" variable is not set. Defaulting to a blank string."`);
    return '';
  });
}

function merge(below: unknown, above: unknown): unknown {
  if (Array.isArray(below) && Array.isArray(above)) return [...below, ...above];
  if (!isMap(below) || !isMap(above)) return above ?? below;
  const keys = new Set([...Object.keys(below), ...Object.keys(above)]);
  return Object.fromEntries([...keys].map((key) => [key, merge(below[key], above[key])]));
}

function serviceOf(name: string, f: Fields, call: ComposeCall): FakeService {
  const unknown = Object.keys(f).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) throw new Error(`services.${name} additional properties '${unknown}' not allowed`);
  if (typeof f.image !== 'string' && f.build === undefined)
    throw new Error(`service "${name}" has neither an image nor a build context specified`);
  return {
    image: typeof f.image === 'string' ? f.image : '',
    ...(f.build === undefined ? {} : { build: { context: resolve(call.folder, String(isMap(f.build) ? f.build.context : f.build)) } }),
    command: texts(f.command),
    environment: Object.fromEntries([
      ...(typeof f.env_file === 'string' ? [f.env_file] : texts(f.env_file)).flatMap((path) => [
        ...readEnvironment(resolve(call.folder, path)),
      ]),
      ...Object.entries(fields(f.environment)).map(([key, value]) => [key, String(value)]),
    ]),
    labels: Object.fromEntries(Object.entries(fields(f.labels)).map(([key, value]) => [key, String(value)])),
    profiles: texts(f.profiles),
    ports: texts(f.ports).map((port) => {
      const [, published = '', target = '', protocol = 'tcp'] = /^(?:[\d.]+:)?(\d+):(\d+)(?:\/(tcp|udp))?$/.exec(port) ?? [];
      return { target: Number(target), published, protocol };
    }),
    volumes: texts(f.volumes).map((mount) => mountOf(mount, call)),
    restart: String(f.restart ?? 'no'),
    depends_on: Object.fromEntries(
      (isMap(f.depends_on) ? Object.keys(f.depends_on) : texts(f.depends_on)).map((other) => [
        other,
        { condition: 'service_started', required: true },
      ]),
    ),
  };
}

function mountOf(text: string, call: ComposeCall): FakeMount {
  const [source = '', target = '', mode] = text.split(':');
  const isPath = source.startsWith('.') || source.startsWith('/');
  return { type: isPath ? 'bind' : 'volume', source: isPath ? resolve(call.folder, source) : source, target, read_only: mode === 'ro' };
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fields(value: unknown): Fields {
  return isMap(value) ? value : {};
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
