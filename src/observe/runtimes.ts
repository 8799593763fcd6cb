// The Node.js for hosts without one, where it is built and where it is published. Rule: only looks; what was built is measured, never believed.
import type { ChannelAsset } from '../model/channel.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { isToolError } from '../model/error.ts';
import type { HostAddress, HostProblem, HostView } from '../model/host.ts';
import type { Reservation } from '../model/reservation.ts';
import type { Runtime } from '../model/runtime.ts';
import { measureFolder } from '../world/folder-source.ts';
import { type HostWorld, openView } from '../world/hosts.ts';

/** What one host has of the runtimes that a release was packed with, and what would stop them there. */
export interface FoundRuntimes {
  readonly host: HostAddress;
  /** The assets published under their tag. */
  readonly published: readonly ChannelAsset[] | undefined;
  readonly reservation: Reservation | undefined;
  /** The digests of what a folder shows below `runtimes/`, by asset name. */
  readonly shown: ReadonlyMap<string, Digest>;
  readonly problems: readonly HostProblem[];
}

export interface RuntimeQuestion {
  readonly host: HostAddress;
  readonly files: readonly Runtime[];
  readonly commit: string | null;
  /** What was built: it goes there unless something is there. */
  readonly built: readonly ChannelAsset[];
}

/** The files of a folder that `npm run build:runtime` made; none when it is not there. */
export async function measureBuilt(folder: string | undefined): Promise<readonly ChannelAsset[]> {
  return folder === undefined ? [] : ((await measureFolder(folder)) ?? []);
}

/** What the host has; a host that holds no releases, or a release without runtimes, asks for nothing. */
export async function findRuntimes({ host, files, commit, built }: RuntimeQuestion, world: HostWorld): Promise<FoundRuntimes | undefined> {
  const tag = files[0]?.tag;
  if (tag === undefined || host.type === 'git') return undefined;
  const view = openView(host, world);
  const published = await view.listRelease(tag);
  const problems = published === undefined ? await view.preflight({ tag, commit, assets: built, replace: false }) : [];
  const shown = host.type === 'folder' ? await shownIn(view, files) : new Map<string, Digest>();
  return { host, published, reservation: await view.reservation(tag), shown, problems };
}

async function shownIn(view: HostView, files: readonly Runtime[]): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>();
  for (const { name, size } of files) {
    const bytes = await view.read(`runtimes/${name}`, size).catch(ifTooLarge);
    if (bytes !== undefined) found.set(name, digestOf(bytes));
  }
  return found;
}

function ifTooLarge(error: unknown): undefined {
  if (!isToolError(error, 'E_TOO_LARGE')) throw error;
}
