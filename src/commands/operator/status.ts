// status: what runs here, and what is newer. Rule: only looks; a host that does not answer is a line, not a failure.
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import { ownServers } from '../../model/external.ts';
import type { ContainerFact, InstallFacts } from '../../model/facts.ts';
import type { InstallRecord } from '../../model/install.ts';
import type { Manifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import { networkToText } from '../../model/site-network.ts';
import { type Standing, standingOf } from '../../model/standing.ts';
import { parseVersion } from '../../model/version.ts';
import { observeContainers } from '../../observe/engine.ts';
import { observeInstall } from '../../observe/install.ts';
import { observeBackupFailure, observeBackups } from '../../observe/kept.ts';
import { newerThan, observeChannel } from '../../observe/remote.ts';
import { backupFolders } from '../../plan/data.ts';
import { localEdits } from '../../plan/files.ts';
import { type ServiceLine, statusToText } from '../../show/status.ts';
import { type Command, type CommandResult, type Context, type FlagTable, isSet, refusePositionals } from '../command.ts';
import { registryOf } from './choose-registry.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { isSourceInstall } from './source-install.ts';

const FLAGS = { ...FOLDER_FLAG, offline: { type: 'boolean', help: 'do not ask for newer releases' } } as const satisfies FlagTable;

export const status: Command = { name: 'status', summary: 'What runs here, and what is newer.', flags: FLAGS, run };

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const root = findInstall(context);
  const install = await observeInstall(root);
  const { record, manifest } = install;
  const [containers, remote] = await Promise.all([observeContainers(context.world, root, record.project), lookForNewer(context, install)]);
  const services = containers
    .filter((each) => !each.oneOff)
    .map((each) => ({ ...serviceLine(each, manifest), release: releaseOf(each, record) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const open = install.openOperation;
  const backups = await observeBackups(root, backupFolders(manifest, envValues(install.env)));
  const fields = {
    product: record.product,
    version: record.version,
    channel: record.channel,
    folder: root,
    available: remote.available,
    standing: remote.standing,
    services,
    openOperation: open === undefined ? null : { id: open.id, command: open.command, at: open.at },
    registry: registryOf(install),
    network: networkToText(record.network) ?? null,
    ownServers: ownServers(manifest.services, record.features),
    localEdits: localEdits(install),
    held: record.held,
    mixed: versionsOf(record),
    keptVolumes: record.kept ?? [],
    source: await isSourceInstall(root, record),
    lastBackup: backups.at(-1)?.at ?? null,
    backups: backups.length,
    schedule: record.schedule ?? null,
    backupFailure: (await observeBackupFailure(root)) ?? null,
  };
  const view = { title: manifest.title, cli: manifest.cli, remoteTrouble: remote.trouble, now: momentOf(context.world.now()) };
  return { fields, text: statusToText({ ...fields, ...view }) };
}

interface Remote {
  readonly available: readonly string[];
  /** What the maintainer says of the installed release by now; null = nothing. */
  readonly standing: Standing | null;
  readonly trouble?: string;
}

async function lookForNewer(context: Context, { record }: InstallFacts): Promise<Remote> {
  if (isSet(context.flags, 'offline')) return { available: [], standing: null };
  try {
    const fetched = await observeChannel(context.world, {
      locations: record.hosts,
      product: record.product,
      channel: record.channel,
      trust: record.trust,
      acceptExpired: true,
    });
    const trouble = fetched.expired ? { trouble: 'the channel file has expired' } : {};
    const standing = standingOf(fetched.channel, record);
    return { available: newerThan(fetched, parseVersion(record.version)), standing, ...trouble };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return { available: [], standing: null, trouble: error.message };
  }
}

/** The release that a service's image is of, where that is not the installed one. */
function versionsOf({ mixed }: InstallRecord): Readonly<Record<string, string>> | null {
  return mixed === undefined
    ? null
    : Object.fromEntries(Object.entries(mixed.services).map(([service, { version }]) => [service, version]));
}

function releaseOf({ service }: ContainerFact, record: InstallRecord): string {
  const versions = versionsOf(record) ?? {};
  return Object.hasOwn(versions, service) ? (versions[service] ?? record.version) : record.version;
}

function serviceLine(container: ContainerFact, manifest: Manifest): ServiceLine {
  const job = manifest.services[container.service]?.kind === 'job';
  const health = job && container.state === 'exited' && container.exitCode === 0 ? 'done' : (container.health ?? '-');
  return {
    name: container.service,
    state: container.state,
    health,
    image: container.image.replace(/@sha256:[0-9a-f]+$/, ''),
    ...(container.state === 'running' ? { since: container.startedAt } : {}),
    digest: /@(sha256:[0-9a-f]{64})$/.exec(container.image)?.[1] ?? null,
  };
}
