// Decides how a history of releases gets onto another host. Rule: the same bytes and the same signed files, the oldest release first, channel files last; nothing is written where it comes from.
import type { ChannelAsset } from '../model/channel.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { contentsOf, type HostAddress, MANIFEST_ASSET, ROOT_ASSETS } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step, TextToPut } from '../model/plan.ts';
import { publishedDiffers, reservedElsewhere } from '../model/published.ts';
import { judgeReservation, RESERVATION_TYPE, type Reservation } from '../model/reservation.ts';

export interface CopyWanted {
  readonly id: string;
  /** Now. */
  readonly at: string;
  readonly reserver: { readonly by: string; readonly nonce: string };
  readonly from: HostAddress;
  readonly to: HostAddress;
}

export interface CopyFacts {
  readonly product: string;
  /** Of all channels, each once, the oldest first. */
  readonly releases: readonly ReleaseToCopy[];
  readonly channels: readonly ChannelToCopy[];
  /** Key statements that the other host lacks. */
  readonly texts: readonly TextToPut[];
  /** The channel whose latest install.sh lies at the root; undefined when it lies there already. */
  readonly main: string | undefined;
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
  readonly isThere: boolean;
}

/** The plan; without steps when the other host has it all. Throws E_PUBLISHED_DIFFERS before anything is written when it has something else. */
export function planCopy(wanted: CopyWanted, facts: CopyFacts): Planned {
  const { from, to } = wanted;
  const missing = facts.releases.filter((release) => isMissing(release));
  const releases = missing.flatMap((release) => stepsFor(release, wanted, facts.product));
  const texts: Step[] =
    facts.texts.length === 0 ? [] : [{ kind: 'put-texts', why: `${to.name} shows the same keys`, host: to, texts: facts.texts }];
  const behind = facts.channels.filter(({ isThere }) => !isThere);
  const channels = behind.map(
    ({ name: channel }): Step => ({ kind: 'mirror-channel', why: `${to.name} shows the same ${channel}`, from, host: to, channel }),
  );
  const files: Step[] =
    facts.main === undefined
      ? []
      : [
          {
            kind: 'put-files',
            why: `install.sh is that of the latest ${facts.main} release`,
            host: to,
            channel: facts.main,
            names: ROOT_ASSETS,
          },
        ];
  const plan = {
    schema: 1,
    id: wanted.id,
    operation: wanted.id,
    command: 'release copy',
    basedOn: basisOf(facts),
    steps: [...releases, ...texts, ...channels, ...files],
    commitAfter: -1, // what was published stays; run again it goes on
    notes: [`${missing.length} of ${facts.releases.length} releases are not on ${to.name} yet.`],
  } as const;
  return { plan, contents: new Map() };
}

/** What is copied, to be compared under the lock. */
export function basisOf({ releases, channels }: Pick<CopyFacts, 'releases' | 'channels'>): Digest {
  return digestOf(canonicalJson({ assets: releases.map(({ assets }) => assets), channels: channels.map(({ name }) => name) }));
}

function isMissing({ tag, assets, published }: ReleaseToCopy): boolean {
  if (published === undefined) return true;
  const [ours, theirs] = [manifestOf(assets), manifestOf(published)];
  if (ours !== theirs) throw publishedDiffers(tag, theirs, ours);
  return false;
}

function stepsFor(release: ReleaseToCopy, wanted: CopyWanted, product: string): Step[] {
  const { from, to, id } = wanted;
  const { tag, assets, title, prerelease, latest } = release;
  const folder = `.slipway/staged/${id}/copy/${tag}`;
  const draft = { tag, name: `${tag}-${id}`, contents: contentsOf(assets) };
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
