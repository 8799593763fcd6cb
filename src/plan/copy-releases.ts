// Decides how a history of releases gets onto another host. Rule: the same bytes and the same signed files, the oldest release first, channel files last; nothing is written where it comes from.
import { type Channel, type ChannelAsset, parseChannel, parseSignedChannel } from '../model/channel.ts';
import { nextMirrorFile } from '../model/channel-mirror.ts';
import { type Digest, digestOf, hexOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { contentsOf, type HostAddress, MANIFEST_ASSET, ROOT_ASSETS } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Content, Planned, Step, TextToPut } from '../model/plan.ts';
import { assetDifferences, publishedDiffers, reservedElsewhere } from '../model/published.ts';
import { judgeReservation, RESERVATION_TYPE, type Reservation } from '../model/reservation.ts';

export interface CopyWanted {
  readonly id: string;
  /** Now. */
  readonly at: string;
  readonly reserver: { readonly by: string; readonly nonce: string };
  readonly from: HostAddress;
  readonly to: HostAddress;
  /** The host that decides for this product. */
  readonly authority: string;
}

export interface CopyFacts {
  readonly product: string;
  /** Of all channels, each once, the oldest first. */
  readonly releases: readonly ReleaseToCopy[];
  /** The Node.js versions for hosts without one that the channels name. */
  readonly runtimes?: readonly ReleaseToCopy[];
  /** None when only some of their releases are copied. */
  readonly channels: readonly ChannelToCopy[];
  /** Key statements. */
  readonly texts: readonly TextToPut[];
  /** The digests of what the other host has under the paths of those texts. */
  readonly there: ReadonlyMap<string, Digest>;
  /** The channel whose latest install.sh lies at the root. */
  readonly main: string | undefined;
  /** The digests of what lies at the root of the other host, by name. */
  readonly root: ReadonlyMap<string, Digest>;
}

export interface ReleaseToCopy {
  readonly version: string;
  readonly tag: string;
  readonly title: string;
  readonly commit: string | null;
  readonly prerelease: boolean;
  readonly latest: boolean;
  readonly assets: readonly ChannelAsset[];
  /** What the other host has. */
  readonly published: readonly ChannelAsset[] | undefined;
  readonly reservation: Reservation | undefined;
}

export interface ChannelToCopy {
  readonly name: string;
  /** The file as it is signed. */
  readonly text: string;
  /** The other host's file. */
  readonly current: string | undefined;
  /** True when the copies beside the other host's file hold the same. */
  readonly copied: boolean;
}

/** The channel as the other host has it after the copy, and whether its file has to be written for that. */
interface DecidedChannel {
  readonly name: string;
  readonly text: string;
  readonly channel: Channel;
  readonly write: boolean;
}

/**
 * The plan; without steps when the other host has it all. Throws before anything is written: E_PUBLISHED_DIFFERS for other content under a tag,
 * E_RESERVED_ELSEWHERE, E_EQUIVOCATION, and E_POLICY when the other host went on by itself.
 */
export function planCopy(wanted: CopyWanted, facts: CopyFacts): Planned {
  const { from, to } = wanted;
  const missing = facts.releases.filter((release) => isMissing(release));
  const runtimes = (facts.runtimes ?? []).filter((release) => isMissing(release));
  const decided = facts.channels.map((channel) => decideChannel(channel, wanted));
  const behind = decided.filter(({ write }) => write);
  const channels = behind.map(({ name, text }): Step => {
    return { kind: 'mirror-channel', why: `${to.name} shows the same ${name}`, from, host: to, channel: name, content: digestOf(text) };
  });
  const plan = {
    schema: 1,
    id: wanted.id,
    operation: wanted.id,
    command: 'release copy',
    basedOn: basisOf(facts.channels),
    steps: [
      ...[...runtimes, ...missing].flatMap((release) => stepsFor(release, wanted, facts.product)),
      ...statementSteps(facts, to),
      ...channels,
      ...rootSteps(decided, facts, to),
    ],
    commitAfter: -1, // what was published stays; run again it goes on
    notes: notesOf(wanted, facts, missing.length),
  } as const;
  return { plan, contents: new Map(behind.map(({ text }): [Digest, Content] => [digestOf(text), { text }])) };
}

/** The channel files that it rests on, to be compared under the lock; each step looks at the other host again. */
export function basisOf(channels: readonly Pick<ChannelToCopy, 'text'>[]): Digest {
  return digestOf(canonicalJson(channels.map(({ text }) => text)));
}

/** The sequence that each channel has on the other host after the copy. */
export function sequencesAfter(wanted: CopyWanted, channels: readonly ChannelToCopy[]): { name: string; sequence: number }[] {
  return channels.map((each) => ({ name: each.name, sequence: decideChannel(each, wanted).channel.sequence }));
}

function isMissing({ tag, assets, published }: ReleaseToCopy): boolean {
  if (published === undefined) return true;
  const [ours, theirs] = [manifestOf(assets), manifestOf(published)];
  if (ours !== theirs) throw publishedDiffers(tag, theirs, ours);
  const differences = assetDifferences(published, assets);
  if (differences.length === 0) return false;
  throw new ToolError('E_PUBLISHED_DIFFERS', `${tag} is published already, with other files: ${differences.join(', ')}`, {
    hint: 'The copied channel file would name files that are not there. Copy to a host without that release.',
    details: { tag, differences },
  });
}

function decideChannel({ name, text, current, copied }: ChannelToCopy, wanted: CopyWanted): DecidedChannel {
  const ours = channelIn(text, name);
  const theirs = current === undefined ? undefined : channelIn(current, name);
  const next = nextMirrorFile(current, text, name);
  if (theirs === undefined || current === undefined) return { name, text, channel: ours, write: true };
  refuseOtherHistory({ name, ours, theirs }, wanted);
  if (next !== undefined) return { name, text, channel: ours, write: true };
  return { name, text, channel: theirs, write: !copied };
}

function channelIn(text: string, name: string): Channel {
  const where = `channel ${name}`;
  return parseChannel(parseSignedChannel(text, where).payload, where);
}

interface TwoHistories {
  readonly name: string;
  readonly ours: Channel;
  readonly theirs: Channel;
}

/** Of two states of one history the later one has all releases of the earlier one; anything else would lose some. */
function refuseOtherHistory({ name, ours, theirs }: TwoHistories, { from, to }: CopyWanted): void {
  const isAhead = theirs.sequence > ours.sequence;
  const [earlier, later] = isAhead ? [ours, theirs] : [theirs, ours];
  const lost = earlier.releases.find(({ version }) => !later.releases.some((release) => release.version === version));
  if (lost === undefined) return;
  const [has, lacks] = isAhead ? [from, to] : [to, from];
  throw new ToolError(
    'E_POLICY',
    `${name} went on by itself on ${to.name}: ${has.name} has ${lost.version} in it, and ${lacks.name} has not`,
    {
      hint: 'Copy from the host that decides to one that has nothing, or a part of the same history.',
      details: { channel: name, version: lost.version },
    },
  );
}

function statementSteps({ texts, there }: CopyFacts, host: HostAddress): Step[] {
  const differing = texts.find(({ path, text }) => there.has(path) && there.get(path) !== digestOf(text));
  if (differing !== undefined) throw publishedDiffers(differing.path, there.get(differing.path), digestOf(differing.text));
  const lacking = texts.filter(({ path }) => !there.has(path));
  return lacking.length === 0 ? [] : [{ kind: 'put-texts', why: `${host.name} shows the same keys`, host, texts: lacking }];
}

function rootSteps(channels: readonly DecidedChannel[], { main, root }: CopyFacts, host: HostAddress): Step[] {
  const channel = channels.find(({ name }) => name === main)?.channel;
  const latest = channel?.releases.find(({ version }) => version === channel.latest);
  const isLacking = latest?.assets.some(({ name, sha256 }) => ROOT_ASSETS.includes(name) && root.get(name) !== sha256);
  if (channel === undefined || isLacking !== true) return [];
  const why = `install.sh is that of the latest ${channel.channel} release`;
  return [{ kind: 'put-files', why, host, channel: channel.channel, names: ROOT_ASSETS }];
}

function notesOf({ from, to, authority }: CopyWanted, { releases, channels }: CopyFacts, missing: number): readonly string[] {
  const mirror = `${from.name} is a mirror: what ${authority}, which decides, published since is not copied.`;
  const part = 'Channel files are not copied with --only: they come with the whole history.';
  return [
    `${missing} of ${releases.length} releases are not on ${to.name} yet.`,
    ...(from.name === authority || to.name === authority ? [] : [mirror]),
    ...(channels.length === 0 ? [part] : []),
  ];
}

function stepsFor(release: ReleaseToCopy, wanted: CopyWanted, product: string): Step[] {
  const { from, to, id, reserver } = wanted;
  const { tag, assets, title, prerelease, latest } = release;
  const folder = `.slipway/staged/${id}/copy/${tag}`;
  const contents = contentsOf(assets);
  const name = hexOf(digestOf(`${contents} ${reserver.by}`)).slice(0, 16); // the next attempt of the same copier finds it again
  const draft = { tag, name: `${tag}-${name}`, contents };
  const publication = { assets, latest, prerelease, title, notes: '', replaces: null };
  return [
    { kind: 'fetch-release', why: `${assets.length} files of ${tag}, each by its digest`, from, tag, assets, to: folder },
    ...tagging(release, wanted, product),
    { kind: 'draft-release', why: `nobody sees half a release on ${to.name}`, host: to, draft },
    { kind: 'upload-assets', why: `${assets.length} files of ${tag} to ${to.name}`, host: to, draft, from: folder, assets },
    { kind: 'publish-release', why: `${tag} appears on ${to.name} at once and stays as it is`, host: to, draft, publication },
    { kind: 'check-published', why: `what readers of ${to.name} get is what was copied`, host: to, tag, assets },
    { kind: 'drop-fetched', why: 'the space is free for the next one', folder },
  ];
}

/** A host with tags of its own gets the tag on the commit of the release. */
function tagging(release: ReleaseToCopy, { to, at, reserver }: CopyWanted, product: string): Step[] {
  if (to.type !== 'github' && to.type !== 'gitea') return [];
  const { tag, version, commit, reservation: found } = release;
  const reservation: Reservation = { type: RESERVATION_TYPE, product, version, tag, commit, ...reserver, at };
  if (found === undefined) return [{ kind: 'reserve-tag', why: `${to.name} has ${tag} on the same commit`, host: to, reservation }];
  if (judgeReservation(reservation, found) === 'elsewhere') throw reservedElsewhere(reservation, found);
  return [];
}

function manifestOf(assets: readonly ChannelAsset[]): Digest | undefined {
  return assets.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
}
