// .slipway/install.json: what is installed here, and whom it trusts (contract: slipway/install@1). Rule: fields this program does not know are kept.
import { type Adopted, parseAdopted } from './adoption.ts';
import { type Digest, parseDigest } from './digest.ts';
import { prettyJson } from './json.ts';
import { parseProductName } from './manifest.ts';
import { type Mixed, parseMixed } from './mixed.ts';
import {
  type Fields,
  parseCount,
  parseFields,
  parseFlag,
  parseJson,
  parseList,
  parseMap,
  parseOptional,
  parseText,
  parseType,
} from './parse.ts';
import type { Schedule } from './schedule.ts';
import type { SiteNetwork } from './site-network.ts';
import type { Trust } from './trust.ts';
import type { UnitScope } from './unit.ts';

export const INSTALL_TYPE = 'slipway/install@1';

export interface SecretPrint {
  readonly salt: string;
  readonly fingerprint: string;
}

/** The Node.js that an install keeps because the host has none: `<store>/<program's hex>/node`. */
export interface KeptRuntime {
  /** Absolute; shared by the installs of one account. */
  readonly store: string;
  readonly program: Digest;
  /** Its version. */
  readonly node: string;
}

/** The systemd units of an install. */
export interface UnitsRecord {
  readonly scope: UnitScope;
  /** Where they lie; absolute. */
  readonly folder: string;
  /** Unit → the digest of its file as it was written. */
  readonly files: Readonly<Record<string, Digest>>;
}

/** A volume that no release uses any more, and that a person has not let go yet. */
export interface KeptVolume {
  /** The engine's name. */
  readonly volume: string;
  /** The data item, and the release that it is of. */
  readonly name: string;
  readonly version: string;
  /** Since when. */
  readonly at: string;
}

export interface OperationRecord {
  readonly id: string;
  readonly command: string;
  readonly from: string | null;
  readonly to: string;
  readonly outcome: string;
  readonly at: string;
}

export interface InstallRecord {
  readonly type: typeof INSTALL_TYPE;
  readonly product: string;
  readonly folder: string;
  /** The compose project's name; it never changes, for volumes are named after it. */
  readonly project: string;
  readonly version: string;
  readonly manifest: Digest;
  readonly channel: string;
  readonly hosts: readonly string[];
  readonly registry: string | null;
  readonly trust: Trust;
  /** Data item → the engine's volume. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Volumes with data of earlier releases; `backup forget` lets them go. */
  readonly kept?: readonly KeptVolume[];
  readonly features: readonly string[];
  readonly secrets: Readonly<Record<string, SecretPrint>>;
  /** Derived secrets: fingerprints of what they were made from. */
  readonly derived?: Readonly<Record<string, SecretPrint>>;
  /** Versions that failed here; only `--to` takes them again. */
  readonly held: readonly string[];
  readonly installed: string;
  /** The small command on PATH; absolute. */
  readonly launcher?: string;
  /** How the site reaches the world, with the passwords of its proxies. */
  readonly network?: SiteNetwork;
  /** The registry that docker was logged in to for this install. */
  readonly login?: string;
  readonly runtime?: KeptRuntime;
  /** Files that were rendered here, as they were rendered last: path → digest. */
  readonly rendered?: Readonly<Record<string, Digest>>;
  /** Services on images of other releases, until the next whole upgrade. */
  readonly mixed?: Mixed;
  /** How often a backup is made by itself; absent = never. */
  readonly schedule?: Schedule;
  /** What systemd has of it. */
  readonly units?: UnitsRecord;
  /** When it was uninstalled; data, settings and secrets are kept for a later install. */
  readonly uninstalled?: string;
  /** Present when it was made without us and taken over. */
  readonly adopted?: Adopted;
  readonly operations: readonly OperationRecord[];
}

export function parseInstall(text: string, where: string): InstallRecord {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, INSTALL_TYPE, where);
  const at = (key: string): string => `${where}: ${key}`;
  return {
    ...f,
    type: INSTALL_TYPE,
    product: parseProductName(f.product, at('product')),
    folder: parseText(f.folder, at('folder')),
    project: parseText(f.project, at('project')),
    version: parseText(f.version, at('version')),
    manifest: parseDigest(f.manifest, at('manifest')),
    channel: parseText(f.channel, at('channel')),
    hosts: parseList(f.hosts, at('hosts'), parseText),
    registry: parseOptional(f.registry, at('registry'), parseText) ?? null,
    trust: parseTrust(f.trust, at('trust')),
    volumes: parseMap(f.volumes, at('volumes'), parseText),
    ...(f.kept === undefined ? {} : { kept: parseList(f.kept, at('kept'), parseKeptVolume) }),
    features: parseList(f.features, at('features'), parseText),
    secrets: parseMap(f.secrets, at('secrets'), parseSecretPrint),
    ...(f.derived === undefined ? {} : { derived: parseMap(f.derived, at('derived'), parseSecretPrint) }),
    held: parseList(f.held ?? [], at('held'), parseText),
    installed: parseText(f.installed, at('installed')),
    ...(f.network === undefined ? {} : { network: parseMap(f.network, at('network'), parseText) }),
    ...(f.login === undefined ? {} : { login: parseText(f.login, at('login')) }),
    ...(f.launcher === undefined ? {} : { launcher: parseText(f.launcher, at('launcher')) }),
    ...(f.runtime === undefined ? {} : { runtime: parseKeptRuntime(f.runtime, at('runtime')) }),
    ...(f.rendered === undefined ? {} : { rendered: parseMap(f.rendered, at('rendered'), parseDigest) }),
    ...(f.mixed === undefined ? {} : { mixed: parseMixed(f.mixed, at('mixed')) }),
    ...(f.schedule === undefined ? {} : { schedule: f.schedule === 'weekly' ? ('weekly' as const) : ('daily' as const) }),
    ...(f.units === undefined ? {} : { units: parseUnits(f.units, at('units')) }),
    ...(f.uninstalled === undefined ? {} : { uninstalled: parseText(f.uninstalled, at('uninstalled')) }),
    ...(f.adopted === undefined ? {} : { adopted: parseAdopted(f.adopted, at('adopted')) }),
    operations: parseList(f.operations ?? [], at('operations'), parseOperation),
  };
}

export function printInstall(record: InstallRecord): string {
  return prettyJson(record);
}

/** Only the last ones are kept; history/ has them all. */
export function withOperation(record: InstallRecord, operation: OperationRecord): InstallRecord {
  return { ...record, operations: [...record.operations, operation].slice(-50) };
}

function parseTrust(value: unknown, where: string): Trust {
  const f = parseFields(value, where);
  return {
    ...f,
    key: parseOptional(f.key, `${where}.key`, parseText) ?? null,
    sequences: parseMap(f.sequences ?? {}, `${where}.sequences`, parseCount),
    signed: parseFlag(f.signed, `${where}.signed`),
    ...(f.former === undefined ? {} : { former: parseList(f.former, `${where}.former`, parseText) }),
    payloads: parseMap(f.payloads ?? {}, `${where}.payloads`, parseDigest),
  };
}

function parseKeptRuntime(value: unknown, where: string): KeptRuntime {
  const f = parseFields(value, where);
  return {
    store: parseText(f.store, `${where}.store`),
    program: parseDigest(f.program, `${where}.program`),
    node: parseText(f.node, `${where}.node`),
  };
}

function parseUnits(value: unknown, where: string): UnitsRecord {
  const f = parseFields(value, where);
  return {
    scope: f.scope === 'user' ? 'user' : 'system',
    folder: parseText(f.folder, `${where}.folder`),
    files: parseMap(f.files, `${where}.files`, parseDigest),
  };
}

function parseKeptVolume(value: unknown, where: string): KeptVolume {
  const f = parseFields(value, where);
  return {
    volume: parseText(f.volume, `${where}.volume`),
    name: parseText(f.name, `${where}.name`),
    version: parseText(f.version, `${where}.version`),
    at: parseText(f.at, `${where}.at`),
  };
}

function parseSecretPrint(value: unknown, where: string): SecretPrint {
  const f = parseFields(value, where);
  return { salt: parseText(f.salt, `${where}.salt`), fingerprint: parseText(f.fingerprint, `${where}.fingerprint`) };
}

function parseOperation(value: unknown, where: string): OperationRecord {
  const f: Fields = parseFields(value, where);
  return {
    id: parseText(f.id, `${where}.id`),
    command: parseText(f.command, `${where}.command`),
    from: parseOptional(f.from, `${where}.from`, parseText) ?? null,
    to: parseText(f.to, `${where}.to`),
    outcome: parseText(f.outcome, `${where}.outcome`),
    at: parseText(f.at, `${where}.at`),
  };
}
