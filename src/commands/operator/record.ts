// install.json as it will be. Rule: made once, from what was verified and chosen; secrets only as salted fingerprints.

import { join } from 'node:path';
import { type DataMove, findMoves, keptVolumes, movedVolumes } from '../../model/data-move.ts';
import type { Digest } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { withoutOwnServers } from '../../model/external.ts';
import type { ComposeFact } from '../../model/facts.ts';
import { renderedFiles } from '../../model/host-file.ts';
import { INSTALL_TYPE, type InstallRecord, type OperationRecord, type SecretPrint, withOperation } from '../../model/install.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Mixed } from '../../model/mixed.ts';
import type { World } from '../../model/seams.ts';
import { matchesFingerprint, takeFingerprint } from '../../model/secret.ts';
import { originOf } from '../../model/secret-rule.ts';
import type { SiteNetwork } from '../../model/site-network.ts';
import type { Trust } from '../../model/trust.ts';
import { compareVersions, parseVersion } from '../../model/version.ts';
import { observeVolumes } from '../../observe/engine.ts';
import type { Launching } from './launching.ts';

export interface NewRecord {
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  readonly folder: string;
  readonly project: string;
  readonly channel: string;
  readonly hosts: readonly string[];
  readonly trust: Trust;
  readonly config: ComposeFact;
  readonly features: readonly string[];
  /** The site's own registry; null = the product's; absent = as before. */
  readonly registry?: string | null;
  /** Services on images of other releases, as a backup has them. */
  readonly mixed?: Mixed | undefined;
  /** Proxies and certificates; absent = as before. */
  readonly network?: SiteNetwork;
  /** The registry that docker is logged in to from now on. */
  readonly login?: string | undefined;
  readonly values: ReadonlyMap<string, string>;
  readonly at: string;
  readonly operation: OperationRecord;
  readonly launching?: Launching['fields'];
}

/** The record of a first install. */
export function newRecord(wish: NewRecord, world: World): InstallRecord {
  const { manifest, folder, project, channel, hosts, trust, config, features, at, operation } = wish;
  return {
    type: INSTALL_TYPE,
    product: manifest.product,
    folder,
    project,
    version: manifest.version,
    manifest: wish.manifestDigest,
    channel,
    hosts,
    registry: wish.registry ?? null,
    trust,
    volumes: dataVolumes(withoutOwnServers(manifest, features), config),
    features,
    secrets: fingerprints(manifest, wish.values, {}, world),
    ...originsOf(manifest, wish.values, {}, world),
    held: [],
    ...(Object.keys(wish.network ?? {}).length === 0 ? {} : { network: wish.network ?? {} }),
    ...(wish.login === undefined ? {} : { login: wish.login }),
    ...(wish.mixed === undefined ? {} : { mixed: wish.mixed }),
    installed: at,
    ...wish.launching,
    ...renderedOf(manifest),
    operations: [operation],
  };
}

export interface NextRecord
  extends Pick<
    NewRecord,
    | 'manifest'
    | 'manifestDigest'
    | 'trust'
    | 'config'
    | 'features'
    | 'registry'
    | 'login'
    | 'network'
    | 'values'
    | 'operation'
    | 'launching'
  > {
  /** Data that lies in other volumes from now on. */
  readonly moves?: readonly DataMove[];
}

/** The record after an upgrade or a change of answers. */
export function nextRecord(before: InstallRecord, wish: NextRecord, world: World): InstallRecord {
  const { manifest, manifestDigest, trust, config, features, values, operation, moves = [] } = wish;
  const { derived, rendered: __, mixed, ...others } = before;
  const { runtime: _, schedule: ___, units: ____, ...kept } = others; // an upgrade says anew which Node.js it runs on
  const volumes = { ...movedVolumes(before.volumes, moves), ...dataVolumes(withoutOwnServers(manifest, features), config) };
  const keeping = moves.flatMap(({ from, kept }) =>
    kept === null ? [] : [{ volume: kept, name: from, version: before.version, at: operation.at }],
  );
  const changed = {
    ...(wish.launching === undefined ? others : { ...kept, ...wish.launching }),
    version: manifest.version,
    manifest: manifestDigest,
    trust,
    volumes,
    ...keptVolumes(before, volumes, keeping),
    features,
    ...(wish.network === undefined ? {} : { network: wish.network }),
    ...(wish.login === undefined ? {} : { login: wish.login }),
    registry: wish.registry === undefined ? before.registry : wish.registry,
    secrets: fingerprints(manifest, values, before.secrets, world),
    ...originsOf(manifest, values, derived ?? {}, world),
    held: before.held.filter((version) => version !== manifest.version),
    ...(mixed === undefined || operation.command === 'upgrade' ? {} : { mixed }), // a whole upgrade ends it
    ...(before.adopted === undefined || operation.command !== 'upgrade' ? {} : { adopted: { ...before.adopted, missing: [] } }),
    ...renderedOf(manifest),
  };
  return withOperation(changed, operation);
}

/** Refuses a new install over what another product, project or a newer version left: volumes are named after the project, and data only goes forward. */
export function refuseOtherIdentity(
  known: InstallRecord,
  wanted: { readonly product: string; readonly project: string; readonly version: string },
): void {
  const here = `the data of ${known.product} ${known.version} is kept at ${known.folder}`;
  const hint = 'Choose another folder with --dir, or remove what is kept: `uninstall --purge-data`.';
  if (known.product !== wanted.product) throw new ToolError('E_POLICY', `${here}, and this is ${wanted.product}`, { hint });
  if (known.project !== wanted.project)
    throw new ToolError('E_POLICY', `${here} in the compose project ${known.project}; as ${wanted.project} it would start empty`, {
      hint: `Leave --project away, or give another folder with --dir for a second install.`,
    });
  if (compareVersions(parseVersion(wanted.version), parseVersion(known.version)) < 0)
    throw new ToolError('E_POLICY', `${here}; ${wanted.version} is older, and data only goes forward`, {
      hint: `Install ${known.version} or a newer one. ${hint}`,
    });
}

/** Refuses a first install over kept data that only an upgrade can carry into the volumes of this release. */
export function refuseStrandedData(known: InstallRecord, manifest: Manifest, next: ComposeFact): void {
  const facts = { record: known, old: { data: {} }, target: manifest, next, majors: new Map() };
  const names = findMoves(facts).map(({ volume }) => volume);
  if (names.length === 0) return;
  throw new ToolError(
    'E_POLICY',
    `${manifest.version} keeps its data elsewhere than ${known.version}, whose data is here (${names.join(', ')})`,
    {
      hint: `Install ${known.version} again with --release-version, then \`upgrade\`: that carries the data over.`,
    },
  );
}

export interface Waiting {
  readonly root: string;
  readonly project: string;
  readonly manifest: Manifest;
}

/** Data without its key is lost data: a new secret beside an old volume would make it unreadable. `open` are the secrets that have no value. */
export async function refuseLostSecrets(world: World, { root, project, manifest }: Waiting, open: readonly string[]): Promise<void> {
  const lost = open.filter((name) => manifest.env[name]?.immutable === true);
  if (lost.length === 0) return;
  const volumes = await observeVolumes(world, root, project);
  if (volumes.length === 0) return;
  throw new ToolError(
    'E_POLICY',
    `data of an earlier install is here (${volumes.join(', ')}), but ${lost.join(', ')} ${lost.length === 1 ? 'is' : 'are'} not`,
    { hint: `Put the old .env at ${join(root, '.env')}, or remove the volumes if the data is not needed.` },
  );
}

/** Refuses when an immutable secret is not the one that the data was made with. */
export function refuseOtherSecrets(record: InstallRecord, values: ReadonlyMap<string, string>): void {
  const wrong = secretTroubles(record, values);
  if (wrong.length === 0) return;
  throw new ToolError(
    'E_POLICY',
    `${wrong.join(', ')} in .env ${wrong.length === 1 ? 'is' : 'are'} missing or not what the data was made with`,
    {
      hint: `Put the old value back; copies of .env are in the backups (${record.folder}/.slipway/backups/*/env).`,
    },
  );
}

/** The immutable secrets that are missing or different. */
export function secretTroubles(record: InstallRecord, values: ReadonlyMap<string, string>): string[] {
  return Object.entries(record.secrets)
    .filter(([name, print]) => !matchesFingerprint(values.get(name) ?? '', print))
    .map(([name]) => name);
}

function renderedOf(manifest: Manifest): Pick<InstallRecord, 'rendered'> {
  return manifest.hostFiles === undefined ? {} : { rendered: renderedFiles(manifest) };
}

function dataVolumes(manifest: Manifest, config: ComposeFact): Record<string, string> {
  const names = Object.entries(manifest.data).filter(
    ([name, item]) => item.path === undefined && item.ephemeral !== true && config.volumes[name] !== undefined,
  );
  return Object.fromEntries(names.map(([name]) => [name, config.volumes[name] ?? '']));
}

function fingerprints(
  manifest: Manifest,
  values: ReadonlyMap<string, string>,
  before: InstallRecord['secrets'],
  world: World,
): Record<string, SecretPrint> {
  const prints: Record<string, SecretPrint> = {};
  for (const [name, variable] of Object.entries(manifest.env)) {
    const value = values.get(name) ?? '';
    const known = before[name];
    if (variable.immutable === true && value !== '') prints[name] = known ?? takeFingerprint(value, world.random);
  }
  return prints;
}

/** What derived secrets are made from, as fingerprints: known ones stay as long as they fit. */
function originsOf(
  manifest: Manifest,
  values: ReadonlyMap<string, string>,
  before: Readonly<Record<string, SecretPrint>>,
  world: World,
): Pick<InstallRecord, 'derived'> {
  const prints = Object.entries(manifest.env).flatMap(([name, { secret }]): [string, SecretPrint][] => {
    const origin = values.get(originOf(secret) ?? '') ?? '';
    const known = before[name];
    if (origin === '' || (values.get(name) ?? '') === '') return [];
    return [[name, known !== undefined && matchesFingerprint(origin, known) ? known : takeFingerprint(origin, world.random)]];
  });
  return prints.length === 0 ? {} : { derived: Object.fromEntries(prints) };
}
