// The way from the installed release to the wanted one, release by release. Rule: pure; no stop is skipped, nothing that was taken back or held is landed on, and there is
// no needless hop.
import type { Channel, ChannelRelease } from '../model/channel.ts';
import { chooseRelease, obstacleOf } from '../model/choose-release.ts';
import { ToolError } from '../model/error.ts';
import { compareVersions, isPrerelease, parseVersion, satisfies, type Version } from '../model/version.ts';

export interface PathWish {
  /** The installed version; the channel need not have it. */
  readonly from: Version;
  /** Instead of the channel's latest. */
  readonly to?: string;
  /** Versions that failed here: only `to` itself takes one of them again. */
  readonly held: readonly string[];
}

/**
 * The releases to install one after the other, the wanted one last; none when it is installed already. A stop that was taken back is stood in for by the next stop
 * that was not. Throws E_POLICY naming the release that stands in the way and how far one gets, E_NOT_FOUND for a release that there is not.
 */
export function findPath(channel: Channel, wish: PathWish): readonly ChannelRelease[] {
  const target = chooseTarget(channel, wish);
  if (target === undefined) return [];
  const map = mapOf(channel, wish, target);
  const path: ChannelRelease[] = [];
  let from = wish.from;
  for (const landing of [...map.stops, map.target]) {
    const leg = findLeg(map, from, landing);
    if (leg === undefined) throw noWay(map, from, landing);
    path.push(...leg.map(({ release }) => release));
    from = landing.version;
  }
  return path;
}

function chooseTarget(channel: Channel, { from, to, held }: PathWish): ChannelRelease | undefined {
  const wanted = to ?? channel.latest;
  if (wanted === null || wanted === from) return undefined;
  const version = parseVersion(wanted, 'version');
  if (compareVersions(version, from) < 0) {
    if (to === undefined) return undefined;
    throw new ToolError('E_POLICY', `${version} is older than ${from}`, {
      hint: 'Data only goes forward. `restore` goes back to a backup.',
    });
  }
  const release = chooseRelease(channel, wanted);
  if (to !== undefined || !held.includes(wanted)) return release;
  throw new ToolError('E_POLICY', `${wanted} failed here before and is held`, {
    hint: `Wait for a newer release, or take it again with --to ${wanted}.`,
  });
}

interface Place {
  readonly version: Version;
  readonly release: ChannelRelease;
  /** Why it is not landed on, to follow its version in a sentence. */
  readonly obstacle: string | undefined;
}

/** What lies between the installed release and the wanted one, oldest first. */
interface PathMap {
  readonly from: Version;
  readonly target: Place;
  /** All releases on the way, without the wanted one. */
  readonly between: readonly Place[];
  /** Those that must be landed on. */
  readonly stops: readonly Place[];
}

function mapOf(channel: Channel, { from, held }: PathWish, release: ChannelRelease): PathMap {
  const target = { version: parseVersion(release.version), release, obstacle: undefined };
  const withPrereleases = isPrerelease(from) || isPrerelease(target.version);
  const between = channel.releases
    .map((each) => placeOf(each, held))
    .filter(({ version }) => compareVersions(version, from) > 0 && compareVersions(version, target.version) < 0)
    .filter(({ version }) => withPrereleases || !isPrerelease(version)) // they bind and serve those alone who take prereleases
    .sort((a, b) => compareVersions(a.version, b.version));
  const stops = between.filter((place) => place.release.stop && !isStoodInFor(place, between, target));
  return { from, target, between, stops };
}

function placeOf(release: ChannelRelease, held: readonly string[]): Place {
  const failed = held.includes(release.version) ? 'failed here before and is held' : undefined;
  return { version: parseVersion(release.version, 'version'), release, obstacle: obstacleOf(release) ?? failed };
}

/** Its maintainer took it back and made another stop after it. What failed here is the site's own trouble, and nothing stands in for that. */
function isStoodInFor({ version, release }: Place, between: readonly Place[], target: Place): boolean {
  if (obstacleOf(release) === undefined) return false;
  return [...between, target].some(
    (other) => other.release.stop && obstacleOf(other.release) === undefined && compareVersions(other.version, version) > 0,
  );
}

/** The fewest hops from a version to the next landing; among as few, supported releases and newer ones first. Undefined when there is no way. */
function findLeg(map: PathMap, from: Version, landing: Place): readonly Place[] | undefined {
  if (landing.obstacle !== undefined) return undefined;
  const places = landable(map, from, landing);
  const hops = hopsTo(landing, places);
  const leg: Place[] = [];
  for (let at = from; at !== landing.version; at = leg.at(-1)?.version ?? landing.version) {
    const next = [...places, landing].filter((place) => isHop(at, place) && hops.has(place)).sort(byWorth(hops))[0];
    if (next === undefined) return undefined;
    leg.push(next);
  }
  return leg;
}

/** Where one may land before the landing: a release beyond a stop that was taken back needs what stands in for that stop first. */
function landable({ between }: PathMap, from: Version, landing: Place): readonly Place[] {
  const ahead = between.filter(({ version }) => compareVersions(version, from) > 0 && compareVersions(version, landing.version) < 0);
  const barrier = ahead.findIndex(({ release }) => release.stop);
  return ahead.slice(0, barrier < 0 ? ahead.length : barrier).filter(({ obstacle }) => obstacle === undefined);
}

/** How many hops it still takes from each of these places, which all lie before the landing; those without a way are left out. */
function hopsTo(landing: Place, places: readonly Place[]): ReadonlyMap<Place, number> {
  const hops = new Map([[landing, 0]]);
  for (const [place, count] of hops)
    for (const before of places) if (!hops.has(before) && isHop(before.version, place)) hops.set(before, count + 1);
  return hops;
}

function isHop(from: Version, { version, release }: Place): boolean {
  return compareVersions(from, version) < 0 && satisfies(from, release.from);
}

function byWorth(hops: ReadonlyMap<Place, number>): (a: Place, b: Place) => number {
  const isOld = ({ release }: Place): number => (release.status === 'deprecated' ? 1 : 0);
  return (a, b) => (hops.get(a) ?? 0) - (hops.get(b) ?? 0) || isOld(a) - isOld(b) || compareVersions(b.version, a.version);
}

function noWay(map: PathMap, from: Version, landing: Place): ToolError {
  const { version, obstacle, release } = landing;
  const why = obstacle ?? `cannot be reached from ${from}: it takes ${release.from}`;
  const reachable = farthest(map, from, landing);
  const isStop = landing !== map.target;
  const message = isStop ? `${version} must not be skipped on the way to ${map.target.version}, and ${why}` : `${version} ${why}`;
  const isHeld = obstacle !== undefined && obstacleOf(release) === undefined;
  const hint = isHeld
    ? `Take it again with --to ${version}.`
    : reachable === undefined
      ? 'No release of this channel leads there; ask the maintainer.'
      : `Upgrade with --to ${reachable} first; it is as far as one gets from ${map.from} by now.`;
  return new ToolError('E_POLICY', message, { hint, details: { blocking: version, reachable: reachable ?? null } });
}

/** The newest release that there is a way to, before the landing that there is none to. */
function farthest(map: PathMap, from: Version, landing: Place): Version | undefined {
  const reached = new Set([from]);
  const places = landable(map, from, landing);
  for (const at of reached) for (const place of places) if (isHop(at, place)) reached.add(place.version);
  const newest = [...reached].sort(compareVersions).at(-1);
  return newest === map.from ? undefined : newest;
}
