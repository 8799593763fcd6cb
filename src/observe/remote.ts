// What a channel offers. Rule: verified before it is believed; nothing of an install is touched.
import type { World } from '../model/seams.ts';
import type { Trust } from '../model/trust.ts';
import { compareVersions, isPrerelease, parseVersion, type Version } from '../model/version.ts';
import { openSource } from '../world/hosts.ts';
import { type FetchedChannel, fetchChannel } from './channel.ts';

export interface RemoteWish {
  readonly locations: readonly string[];
  readonly product: string;
  readonly channel: string;
  readonly trust: Trust;
  readonly acceptExpired: boolean;
}

/** The verified channel file from the first host that answers. */
export async function observeChannel(world: World, wish: RemoteWish): Promise<FetchedChannel> {
  const sources = wish.locations.map((location) => openSource(location, world));
  return fetchChannel({ ...wish, sources, now: world.now() });
}

/** Newer versions than the installed one, newest first; those that were taken back are left out. */
export function newerThan(fetched: FetchedChannel, from: Version): string[] {
  const versions = fetched.channel.releases
    .filter((each) => each.status !== 'yanked' && !each.imported)
    .map((each) => parseVersion(each.version, 'version'));
  return versions
    .filter((each) => compareVersions(each, from) > 0 && (!isPrerelease(each) || isPrerelease(from)))
    .sort((a, b) => compareVersions(b, a));
}
