// The parts of a product's description that travel from slipway.yaml into the manifest. Rule: what is read here was normalised by the packager (bytes, seconds, lists), and is still hostile until parsed.
import { type DumpRecipe, parseDumpRecipe } from './dump-recipe.ts';
import { ToolError } from './error.ts';
import { type MajorChange, parseMajorChange } from './major-change.ts';
import {
  type Fields,
  parseCount,
  parseFields,
  parseFlag,
  parseList,
  parseMap,
  parseNumber,
  parseOptional,
  parseRelativePath,
  parseText,
} from './parse.ts';
import { SCHEDULES, type Schedule } from './schedule.ts';
import { parseSecretRule, type SecretRule } from './secret-rule.ts';

export const VARIABLE_TYPES = ['text', 'integer', 'boolean', 'port', 'hostname', 'email', 'url', 'path', 'choice'] as const;
export type VariableType = (typeof VARIABLE_TYPES)[number];
export type Scalar = string | number | boolean;

/** One environment variable of the product: asked, defaulted or generated. */
export interface Variable {
  readonly group?: string;
  readonly ask?: string;
  readonly help?: string;
  readonly type?: VariableType;
  readonly required?: boolean;
  readonly default?: Scalar;
  readonly choices?: readonly string[];
  readonly pattern?: string;
  readonly sensitive?: boolean;
  /** Made on the host; `length` counts characters (hex digits for `hex`). */
  readonly secret?: SecretRule;
  readonly length?: number;
  readonly immutable?: boolean;
  readonly when?: string;
  readonly deprecated?: string;
  readonly renamedFrom?: string;
  /** Shown at the end of the command that generated it, and never again. */
  readonly reveal?: 'once';
  /** The env file that it lives in, relative to the install; `.env` when absent. */
  readonly file?: string;
  /** Takes a new value into use: it is on the command's stdin. */
  readonly rotate?: ServiceCommand;
}

/** A choice of the person: compose profiles that are on or off. */
export interface Feature {
  readonly ask?: string;
  readonly profiles: readonly string[];
  /** On or off; the name of a choice where there are choices. */
  readonly default: boolean | string;
  /** One of these is chosen: its name → the profiles that it switches on. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  /** Features that are switched on with this one. */
  readonly requires?: readonly string[];
  /** Bytes of memory this feature needs beyond the product's own. */
  readonly memory?: number;
}

export interface ServiceTraits {
  readonly kind?: 'job';
  readonly optional?: boolean;
  readonly writer?: boolean;
  /** The site may use a server of its own instead: the service has a profile of its own name, and these variables are asked for. */
  readonly external?: { readonly ask?: string; readonly variables: readonly string[] };
}

/** Data that must survive: a named volume, or a folder (`path`) of the install. */
export interface DataItem {
  readonly path?: string;
  readonly engine?: string;
  readonly major?: number;
  readonly ephemeral?: boolean;
  readonly onUpgrade?: 'copy' | 'skip';
  readonly backup?: DumpRecipe;
  readonly migrate?: MajorChange;
  /** Its name in earlier releases: their volume is carried over. */
  readonly renamedFrom?: string;
}

export interface BackupPolicy {
  readonly keep: number;
  /** A folder, may hold `{{VARIABLE}}`; `.slipway/backups` when absent. */
  readonly to?: string;
  /** Public keys of age, may hold `{{VARIABLE}}`; the site's BACKUP_ENCRYPT_TO when absent. */
  readonly encryptTo?: string;
  /** Offered at install: a backup is made by itself so often. */
  readonly schedule?: Schedule;
}

/** A one-shot command of the new images, run against healthy data services. */
export interface Migration {
  readonly service: string;
  readonly command: readonly string[];
  readonly needs: readonly string[];
  readonly on: readonly ('install' | 'upgrade')[];
  /** Seconds; null = no limit. */
  readonly timeout: number | null;
}

/** What the vendor says a healthy product answers. Exactly one of http, tcp, service. */
export interface Probe {
  readonly http?: string;
  readonly status?: number;
  readonly json?: Readonly<Record<string, Scalar>>;
  readonly tcp?: string;
  readonly service?: string;
  readonly command?: readonly string[];
  readonly refused?: boolean;
  /** `entry`: asked when the door is open. `finished`: not part of health; it says when background work has ended, before which no later release begins. */
  readonly after?: 'entry' | 'finished';
  readonly when?: string;
}

export interface UpgradeRules {
  readonly from: string;
  readonly stop: boolean;
  readonly migrate: readonly Migration[];
  readonly entry: readonly string[];
  readonly maintenance?: string;
  readonly health: readonly Probe[];
  /** Seconds; `finishTimeout` is for probes `after: finished`, an hour when it is not said. */
  readonly timeout: number;
  readonly finishTimeout?: number;
  /** Seconds. */
  readonly probation: number;
}

/** A command in a service. As a validation it runs on the staged files, in the new image, before anything stops. */
export interface ServiceCommand {
  readonly service: string;
  readonly command: readonly string[];
}

export function parseVariable(value: unknown, where: string): Variable {
  const f = parseFields(value, where);
  return keep({
    group: text(f, 'group', where),
    ask: text(f, 'ask', where),
    help: text(f, 'help', where),
    type: oneOf(f, 'type', VARIABLE_TYPES, where),
    required: flag(f, 'required', where),
    default: parseOptional(f.default, `${where}.default`, parseScalar),
    choices: parseOptional(f.choices, `${where}.choices`, parseTexts),
    pattern: text(f, 'pattern', where),
    sensitive: flag(f, 'sensitive', where),
    secret: parseOptional(f.secret, `${where}.secret`, parseSecretRule),
    length: parseOptional(f.length, `${where}.length`, parseCount),
    immutable: flag(f, 'immutable', where),
    when: text(f, 'when', where),
    deprecated: text(f, 'deprecated', where),
    renamedFrom: text(f, 'renamedFrom', where),
    reveal: oneOf(f, 'reveal', ['once'] as const, where),
    file: parseOptional(f.file, `${where}.file`, parseRelativePath),
    rotate: parseOptional(f.rotate, `${where}.rotate`, parseServiceCommand),
  });
}

export function parseFeature(value: unknown, where: string): Feature {
  const f = parseFields(value, where);
  return keep({
    ask: text(f, 'ask', where),
    profiles: parseTexts(f.profiles, `${where}.profiles`),
    default: typeof f.default === 'string' ? f.default : parseFlag(f.default, `${where}.default`),
    choices: parseOptional(f.choices, `${where}.choices`, (map, at) => parseMap(map, at, parseTexts)),
    requires: parseOptional(f.requires, `${where}.requires`, parseTexts),
    memory: parseOptional(f.memory, `${where}.memory`, parseCount),
  });
}

export function parseServiceTraits(value: unknown, where: string): ServiceTraits {
  const f = parseFields(value, where);
  return keep({
    kind: oneOf(f, 'kind', ['job'] as const, where),
    optional: flag(f, 'optional', where),
    writer: flag(f, 'writer', where),
    external: parseOptional(f.external, `${where}.external`, parseExternal),
  });
}

function parseExternal(value: unknown, where: string): NonNullable<ServiceTraits['external']> {
  const f = parseFields(value, where);
  return keep({ ask: text(f, 'ask', where), variables: parseTexts(f.variables, `${where}.variables`) });
}

export function parseDataItem(value: unknown, where: string): DataItem {
  const f = parseFields(value, where);
  return keep({
    path: text(f, 'path', where),
    engine: text(f, 'engine', where),
    major: parseOptional(f.major, `${where}.major`, parseNumber),
    ephemeral: flag(f, 'ephemeral', where),
    onUpgrade: oneOf(f, 'onUpgrade', ['copy', 'skip'] as const, where),
    backup: parseOptional(f.backup, `${where}.backup`, parseDumpRecipe),
    migrate: parseOptional(f.migrate, `${where}.migrate`, parseMajorChange),
    renamedFrom: text(f, 'renamedFrom', where),
  });
}

export function parseBackupPolicy(value: unknown, where: string): BackupPolicy {
  const f = parseFields(value, where);
  return keep({
    keep: parseCount(f.keep, `${where}.keep`),
    ...{ to: text(f, 'to', where), encryptTo: text(f, 'encryptTo', where), schedule: oneOf(f, 'schedule', SCHEDULES, where) },
  });
}

export function parseUpgradeRules(value: unknown, where: string): UpgradeRules {
  const f = parseFields(value, where);
  return {
    from: parseText(f.from, `${where}.from`),
    stop: parseFlag(f.stop, `${where}.stop`),
    migrate: parseList(f.migrate, `${where}.migrate`, parseMigration),
    entry: parseTexts(f.entry, `${where}.entry`),
    ...keep({ maintenance: text(f, 'maintenance', where) }),
    health: parseList(f.health, `${where}.health`, parseProbe),
    timeout: parseNumber(f.timeout, `${where}.timeout`),
    probation: parseNumber(f.probation, `${where}.probation`),
    ...(f.finishTimeout === undefined ? {} : { finishTimeout: parseNumber(f.finishTimeout, `${where}.finishTimeout`) }),
  };
}

export function parseServiceCommand(value: unknown, where: string): ServiceCommand {
  const f = parseFields(value, where);
  return { service: parseText(f.service, `${where}.service`), command: parseTexts(f.command, `${where}.command`) };
}

export function parseTexts(value: unknown, where: string): string[] {
  return parseList(value, where, parseText);
}

function parseMigration(value: unknown, where: string): Migration {
  const f = parseFields(value, where);
  return {
    service: parseText(f.service, `${where}.service`),
    command: parseTexts(f.command, `${where}.command`),
    needs: parseTexts(f.needs, `${where}.needs`),
    on: parseList(f.on, `${where}.on`, (item, at) => parseOneOf(item, ['install', 'upgrade'] as const, at)),
    timeout: f.timeout === null ? null : parseNumber(f.timeout, `${where}.timeout`),
  };
}

function parseProbe(value: unknown, where: string): Probe {
  const f = parseFields(value, where);
  return keep({
    http: text(f, 'http', where),
    status: parseOptional(f.status, `${where}.status`, parseCount),
    json: parseOptional(f.json, `${where}.json`, (map, at) => parseMap(map, at, parseScalar)),
    tcp: text(f, 'tcp', where),
    service: text(f, 'service', where),
    command: parseOptional(f.command, `${where}.command`, parseTexts),
    refused: flag(f, 'refused', where),
    after: oneOf(f, 'after', ['entry', 'finished'] as const, where),
    when: text(f, 'when', where),
  });
}

function parseScalar(value: unknown, where: string): Scalar {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new ToolError('E_FORMAT', `${where}: expected text, a number, true or false`);
}

export function parseOneOf<const T extends string>(value: unknown, allowed: readonly T[], where: string): T {
  const found = allowed.find((item) => item === value);
  if (found !== undefined) return found;
  throw new ToolError('E_FORMAT', `${where}: expected one of ${allowed.join(', ')}`);
}

function oneOf<const T extends string>(f: Fields, key: string, allowed: readonly T[], where: string): T | undefined {
  return parseOptional(f[key], `${where}.${key}`, (value, at) => parseOneOf(value, allowed, at));
}

function text(f: Fields, key: string, where: string): string | undefined {
  return parseOptional(f[key], `${where}.${key}`, parseText);
}

function flag(f: Fields, key: string, where: string): boolean | undefined {
  return parseOptional(f[key], `${where}.${key}`, parseFlag);
}

type Kept<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without the fields that are undefined, so that canonical JSON and `exactOptionalPropertyTypes` agree. */
export function keep<T extends object>(fields: T): Kept<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Kept<T>;
}
