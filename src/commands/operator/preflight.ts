// Preflight before anything is asked or changed. Rule: what blocks is told all at once; warnings are told and the work goes on.

import { keep } from '../../model/description.ts';
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { ContainerFact, InstallFacts } from '../../model/facts.ts';
import { isActive } from '../../model/feature.ts';
import type { Manifest } from '../../model/manifest.ts';
import { fillPlaceholders } from '../../model/placeholder.ts';
import type { RegistryLogin } from '../../model/registry-login.ts';
import type { DataPlaces } from '../../observe/data-size.ts';
import { type EngineVersion, observeMachine } from '../../observe/machine.ts';
import { copiesFolder } from '../../plan/data.ts';
import { type PreflightFinding, preflight } from '../../plan/preflight.ts';
import type { Context } from '../command.ts';

export interface FitWish {
  readonly manifest: Manifest;
  readonly root: string;
  readonly project: string;
  readonly ports: readonly { readonly port: number; readonly protocol: 'tcp' | 'udp' }[];
  /** Where releases come from: its clock is compared, and registries are asked. Absent = only this machine is looked at. */
  readonly hosts?: readonly string[];
  /** The data that will be backed up, and where to; none before there is an install. */
  readonly backup?: BackupPlaces;
  /** The site's own registry, in which the images must be; null = there is none. */
  readonly registry?: string | null;
  /** A login that docker does not keep yet. */
  readonly login?: RegistryLogin | undefined;
  /** How many upgrades follow each other, each with a backup of its own. */
  readonly hops?: number;
  /** Where these are looked at already: what the engine is, and the project's containers. */
  readonly engine?: Promise<EngineVersion>;
  readonly containers?: Promise<readonly ContainerFact[]>;
  /** Where Compose reads the project meanwhile: its version is only asked for when that has failed, or the release requires one. */
  readonly hasComposeFailed?: () => boolean;
}

export interface BackupPlaces {
  readonly data: DataPlaces;
  /** Relative to the install, or absolute. */
  readonly folder: string;
}

/**
 * Throws E_PREFLIGHT, or E_PROJECT_ELSEWHERE, naming everything that stands in the way. Gives what was measured of the data to back up, by volume or
 * path.
 */
export async function refuseUnfit(context: Context, wish: FitWish): Promise<ReadonlyMap<string, number>> {
  const { world } = context;
  const { findings, sizes } = await examineFit(context, wish);
  for (const finding of findings)
    if (finding.severity === 'warn') world.report({ type: 'warning', text: finding.message, hint: finding.hint });
  const blocks = findings.filter((finding) => finding.severity === 'block');
  const [first] = blocks;
  if (first === undefined) return sizes;
  const code = blocks.length === 1 && first.code === 'project-elsewhere' ? 'E_PROJECT_ELSEWHERE' : 'E_PREFLIGHT';
  throw new ToolError(code, blocks.map((block) => block.message).join('; '), {
    hint: blocks.map((block) => block.hint).join(' '),
    details: { findings },
  });
}

/** All findings, for `doctor`. */
export async function findUnfit(context: Context, wish: FitWish): Promise<readonly PreflightFinding[]> {
  return (await examineFit(context, wish)).findings;
}

interface Fit {
  readonly findings: readonly PreflightFinding[];
  readonly sizes: ReadonlyMap<string, number>;
}

async function examineFit(context: Context, wish: FitWish): Promise<Fit> {
  const { manifest, root, project, ports, backup, hosts, engine, containers, hasComposeFailed } = wish;
  const images = manifest.images.map(({ reference, digest }) => ({ pinned: `${reference}@${digest}`, digest }));
  const { data = { paths: [], volumes: [] }, folder: backups = '.' } = backup ?? {};
  const machine = await observeMachine(context.world, {
    root,
    project,
    ports,
    images,
    data,
    backups,
    login: wish.login,
    ...keep({ engine, containers }),
    ...(manifest.requires.compose === undefined ? keep({ hasComposeFailed }) : {}),
    ...(hosts === undefined ? {} : { hosts }),
  });
  return {
    findings: preflight({ manifest, root, project, mirror: wish.registry ?? null, hops: wish.hops ?? 1 }, machine),
    sizes: machine.dataSizes ?? new Map(),
  };
}

/** Throws E_PROJECT_ELSEWHERE when containers of the project belong to another folder: they are not ours to change. */
export function refuseOtherFolder(containers: readonly ContainerFact[], project: string, root: string): void {
  const other = containers.map((each) => each.workingFolder).find((folder) => folder !== '' && folder !== root);
  if (other === undefined) return;
  throw new ToolError('E_PROJECT_ELSEWHERE', `the compose project ${project} belongs to ${other}`, {
    hint: `Work in that folder, or stop its containers there (docker compose -p ${project} down, which keeps data).`,
  });
}

/** What an upgrade of this install copies before it changes anything. */
export function backupPlaces({ manifest, record, env }: InstallFacts): BackupPlaces {
  const items = Object.entries(manifest.data).filter(([, { ephemeral, onUpgrade }]) => ephemeral !== true && onUpgrade !== 'skip');
  const paths = items.flatMap(([, { path }]) => path ?? []);
  const volumes = items.flatMap(([name, { path }]) => (path === undefined ? (record.volumes[name] ?? []) : []));
  return { data: { paths, volumes }, folder: copiesFolder(manifest, envValues(env)) };
}

/** The ports that a release needs on this machine, with these answers and features. */
export function portsOf(manifest: Manifest, values: ReadonlyMap<string, string>, features: readonly string[]): FitWish['ports'] {
  return manifest.requires.ports
    .filter((need) => isActive(need.when, features))
    .map((need) => ({ port: Number(fillPlaceholders(need.port, values, 'requires.ports')), protocol: need.protocol }));
}

/** A variable that would come out blank in the compose file is an error, not a warning. */
export function refuseUnset(names: readonly string[]): void {
  if (names.length === 0) return;
  throw new ToolError('E_PREFLIGHT', `${names.join(', ')} would be blank in the compose file`, {
    hint: 'Give a value in .env or with --set; report it to the maintainer.',
  });
}
