// What a channel offers. Rule: verified before it is believed; nothing of an install is touched.
import type { ChannelRelease } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';
import type { Trust } from '../model/trust.ts';
import { compareVersions, isPrerelease, parseVersion, satisfies, type Version } from '../model/version.ts';
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

/** The release to install: the version that was asked for, else the channel's latest. Throws E_NOT_FOUND or E_POLICY for a yanked one. */
export function chooseRelease(fetched: FetchedChannel, version: string | undefined): ChannelRelease {
  const wanted = version ?? fetched.channel.latest;
  const release = fetched.channel.releases.find((each) => each.version === wanted);
  if (release === undefined) {
    throw new ToolError('E_NOT_FOUND', `${fetched.channel.channel} has no release ${wanted ?? 'yet'}`, {
      hint: `It has: ${fetched.channel.releases.map((each) => each.version).join(', ') || 'nothing'}.`,
    });
  }
  refuseYanked(release);
  refuseImported(release);
  return release;
}

/** The next release on the way from `from` to `to` that this install may take in one hop, or undefined when it is there already. */
export function chooseUpgrade(
  fetched: FetchedChannel,
  from: Version,
  options: { readonly to?: string; readonly held: readonly string[] },
): ChannelRelease | undefined {
  const { to, held } = options;
  const wanted = to ?? fetched.channel.latest;
  if (wanted === null || wanted === from) return undefined;
  const version = parseVersion(wanted, 'version');
  if (compareVersions(version, from) < 0) {
    if (to === undefined) return undefined;
    throw new ToolError('E_POLICY', `${version} is older than ${from}`, {
      hint: 'Data only goes forward. `restore` goes back to a backup.',
    });
  }
  const release = chooseRelease(fetched, wanted);
  if (to === undefined && held.includes(wanted)) {
    throw new ToolError('E_POLICY', `${wanted} failed here before and is held`, {
      hint: `Wait for a newer release, or take it again with --to ${wanted}.`,
    });
  }
  if (!satisfies(from, release.from)) {
    throw new ToolError('E_POLICY', `${release.version} cannot be reached from ${from}: it takes ${release.from}`, {
      hint: `Upgrade with --to ${stopBefore(fetched, from) ?? 'a version in between'} first.`,
    });
  }
  const stop = fetched.channel.releases.find((each) => each.stop && isBetween(each.version, from, version));
  if (stop === undefined) return release;
  throw new ToolError('E_POLICY', `${stop.version} lies on the way to ${release.version} and must not be skipped`, {
    hint: `Upgrade with --to ${stop.version} first.`,
  });
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

function stopBefore(fetched: FetchedChannel, from: Version): string | undefined {
  return newerThan(fetched, from).find((version) =>
    satisfies(from, fetched.channel.releases.find((each) => each.version === version)?.from ?? ''),
  );
}

function isBetween(version: string, from: Version, to: Version): boolean {
  const middle = parseVersion(version, 'version');
  return compareVersions(middle, from) > 0 && compareVersions(middle, to) < 0;
}

function refuseImported({ version, imported }: ChannelRelease): void {
  if (!imported) return;
  throw new ToolError('E_POLICY', `${version} was made before this command, and cannot be installed with it`, {
    hint: 'Choose a newer version.',
  });
}

function refuseYanked(release: ChannelRelease): void {
  if (release.status !== 'yanked') return;
  throw new ToolError('E_POLICY', `${release.version} was taken back by its maintainer: ${release.reason ?? 'no reason given'}`, {
    hint: 'Choose another version.',
  });
}
