// Decides how a release gets into channel files. Rule: its own channel first, then those that include it; the authority's file first, its mirrors after it.
import type { Channel, ChannelAsset, ChannelRelease } from '../model/channel.ts';
import { type ChannelAddition, latestAfter } from '../model/channel-change.ts';
import type { Digest } from '../model/digest.ts';
import { type HostAddress, ROOT_ASSETS } from '../model/host.ts';
import type { Manifest } from '../model/manifest.ts';
import { momentOf } from '../model/parse.ts';
import type { Signing, Step } from '../model/plan.ts';
import type { Reservation } from '../model/reservation.ts';
import type { RuntimeFacts } from './runtime-release.ts';

export interface PublishWanted {
  readonly id: string;
  /** Now. */
  readonly at: string;
  /** The draft's name; nobody else's, unless it is to be found again. */
  readonly draft: string;
  readonly reserver: Reserver;
  /** Markdown for the release page of a forge. */
  readonly notes: string;
  readonly signing: Signing;
  /** Seconds that the channel file stays fresh; null = for ever. */
  readonly expires: number | null;
  /** True for a channel of prereleases. */
  readonly prereleases: boolean;
  /** The channels that offer the releases of this one too. */
  readonly including: readonly IncludingChannel[];
  /** True for the channel whose latest install.sh lies at the root of the host. */
  readonly main: boolean;
  /** True to stop before anything appears. */
  readonly draftOnly: boolean;
  /** Why a published version may get other content; null = it may not. */
  readonly replace: string | null;
}

/** Who reserves: an identity, and a nonce of this very attempt. */
export interface Reserver {
  readonly by: string;
  readonly nonce: string;
}

/** A channel that offers another one's releases too. */
export interface IncludingChannel {
  readonly name: string;
  /** True for a channel of prereleases. */
  readonly prereleases: boolean;
}

/** What one host has of a channel. */
export interface ChannelState {
  readonly channel: Channel | undefined;
  /** True when the copies beside the channel file are those of this file. */
  readonly copied: boolean;
}

/** What one host has of the release and its channel. */
export interface HostState extends ChannelState {
  readonly host: HostAddress;
  readonly reservation: Reservation | undefined;
  readonly published: readonly ChannelAsset[] | undefined;
  /** The files of the channels that include this one, by name. */
  readonly including: ReadonlyMap<string, ChannelState>;
  /** The digests of what lies at the root of the host, by name. */
  readonly root: ReadonlyMap<string, Digest>;
}

export interface PublishFacts {
  /** `dist/<tag>`, relative to the root. */
  readonly from: string;
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  /** The bundle first. */
  readonly assets: readonly ChannelAsset[];
  /** The host that decides. */
  readonly authority: HostState;
  /** The hosts that get the release, in order; the authority is the first of them or none. */
  readonly targets: readonly HostState[];
  /** What the same hosts have of the Node.js that the release was packed with. */
  readonly runtime?: RuntimeFacts;
}

/** The channel files, then what lies at the root of each host. */
export function announcing(wanted: PublishWanted, facts: PublishFacts, assets: readonly ChannelAsset[]): Step[] {
  const { authority, targets } = facts;
  const own = { name: facts.manifest.channel, prereleases: wanted.prereleases };
  const files = [own, ...wanted.including].flatMap((channel) => announcingIn(channel, { wanted, facts, assets }));
  const isLatest = wanted.main && latestAfter(authority.channel, additionOf(wanted, facts, assets)) === facts.manifest.version;
  const lacking = targets.filter(({ host, root }) => isLatest && host.type !== 'git' && lacksRootFiles(assets, root));
  const why = `install.sh is that of the latest ${own.name} release`;
  const put = lacking.map(({ host }): Step => ({ kind: 'put-files', why, host, channel: own.name, names: ROOT_ASSETS }));
  return [...files, ...put];
}

interface Announcing {
  readonly wanted: PublishWanted;
  readonly facts: PublishFacts;
  readonly assets: readonly ChannelAsset[];
}

/** One channel's file at the authority, and its copies on the mirrors. */
function announcingIn({ name: channel, prereleases }: IncludingChannel, { wanted, facts, assets }: Announcing): Step[] {
  const { authority, targets, manifest } = facts;
  const here = stateOf(authority, channel, manifest);
  const release = { ...additionOf(wanted, facts, assets).release, ...saidOf(facts) };
  const addition = { ...additionOf(wanted, facts, assets), channel, release, prereleases, replaces: replacing(wanted, facts, here) };
  const known = here.channel?.releases.find(({ version }) => version === release.version);
  const isCurrent = known?.manifest === release.manifest && here.copied;
  const why = `installs that follow ${channel} find ${release.version}`;
  const put: Step[] = isCurrent ? [] : [{ kind: 'put-channel', why, host: authority.host, addition, signing: wanted.signing }];
  const mirrors = targets.filter(({ host }) => host.name !== authority.host.name);
  const behind = mirrors.filter((mirror) => {
    const there = stateOf(mirror, channel, manifest);
    return !isCurrent || there.channel?.sequence !== here.channel?.sequence || !there.copied;
  });
  const mirror = behind.map(
    ({ host }): Step => ({ kind: 'mirror-channel', why: `${host.name} shows the same ${channel}`, from: authority.host, host, channel }),
  );
  return [...put, ...mirror];
}

/** What the release's own channel says of it by now: one that was yanked there joins no other as if it were not. */
function saidOf({ authority, manifest, manifestDigest }: PublishFacts): Partial<ChannelRelease> {
  const known = authority.channel?.releases.find(({ version }) => version === manifest.version);
  if (known?.manifest !== manifestDigest) return {};
  const { published, status, reason, from } = known;
  return { published, status, reason, from };
}

function stateOf(state: HostState, channel: string, manifest: Manifest): ChannelState {
  return channel === manifest.channel ? state : (state.including.get(channel) ?? { channel: undefined, copied: true });
}

function lacksRootFiles(assets: readonly ChannelAsset[], root: ReadonlyMap<string, Digest>): boolean {
  return assets.some(({ name, sha256 }) => ROOT_ASSETS.includes(name) && root.get(name) !== sha256);
}

/** The published content of this version in this channel that gives way. */
function replacing(
  { replace }: PublishWanted,
  { manifest: { version }, manifestDigest }: PublishFacts,
  { channel }: ChannelState,
): ChannelAddition['replaces'] {
  const known = channel?.releases.find((release) => release.version === version);
  return replace === null || known === undefined || known.manifest === manifestDigest
    ? null
    : { manifest: known.manifest, reason: replace };
}

const IMPORTED = { status: 'limited', reason: 'made before Slipway: what old installs are compared with', imported: true } as const;

/** The release as it joins its own channel. */
export function additionOf(wanted: PublishWanted, facts: PublishFacts, assets: readonly ChannelAsset[]): ChannelAddition {
  const { at, expires, prereleases } = wanted;
  const { manifest, manifestDigest } = facts;
  const release: ChannelRelease = {
    version: manifest.version,
    tag: manifest.tag,
    manifest: manifestDigest,
    operator: manifest.operator,
    published: at,
    from: manifest.upgrade.from,
    stop: manifest.upgrade.stop,
    assets,
    status: 'live',
    reason: null,
    replaced: [],
    ...(manifest.runtime === undefined ? {} : { node: manifest.runtime.needs }),
    ...(manifest.imported ? IMPORTED : {}),
  };
  return {
    product: manifest.product,
    channel: manifest.channel,
    release,
    hosts: manifest.hosts,
    prereleases,
    issued: at,
    expires: expires === null ? null : momentOf(new Date(Date.parse(at) + expires * 1000)),
    replaces: replacing(wanted, facts, facts.authority),
    ...(manifest.runtime === undefined ? {} : { runtimes: manifest.runtime.files }),
  };
}
