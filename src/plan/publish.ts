// Decides how a packed release gets onto a host. Rule: published last and at once, the channel file after it; equal content is success, other content is refused.
import { type Channel, type ChannelAsset, type ChannelRelease, parseTag } from '../model/channel.ts';
import { type ChannelAddition, latestAfter } from '../model/channel-change.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { contentsOf, type Draft, type HostAddress, MANIFEST_ASSET, type Publication, ROOT_ASSETS } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Manifest } from '../model/manifest.ts';
import { momentOf } from '../model/parse.ts';
import type { Planned, Signing, Step } from '../model/plan.ts';
import { publishedDiffers, reservedElsewhere } from '../model/published.ts';
import { judgeReservation, RESERVATION_TYPE, type Reservation } from '../model/reservation.ts';
import { isPrerelease, parseVersion } from '../model/version.ts';

export interface PublishWanted {
  readonly id: string;
  /** Now. */
  readonly at: string;
  readonly host: HostAddress;
  /** The draft's name; nobody else's. */
  readonly draft: string;
  readonly reserver: Reserver;
  /** Markdown for the release page of a forge. */
  readonly notes: string;
  readonly signing: Signing;
  /** Seconds that the channel file stays fresh; null = for ever. */
  readonly expires: number | null;
  /** True for a channel of prereleases. */
  readonly prereleases: boolean;
  /** True for the channel whose latest install.sh lies at the root of the host. */
  readonly main: boolean;
}

/** Who reserves: an identity, and a nonce of this very attempt. */
export interface Reserver {
  readonly by: string;
  readonly nonce: string;
}

export interface PublishFacts {
  /** `dist/<tag>`, relative to the root. */
  readonly from: string;
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  /** The bundle first. */
  readonly assets: readonly ChannelAsset[];
  readonly reservation: Reservation | undefined;
  readonly published: readonly ChannelAsset[] | undefined;
  readonly channel: Channel | undefined;
  /** True when the copies beside the channel file are those of this file. */
  readonly copied: boolean;
  /** The digests of what lies at the root of the host, by name. */
  readonly root: ReadonlyMap<string, Digest>;
}

/**
 * The plan; without steps when the host has it all. Throws E_PUBLISHED_DIFFERS and E_RESERVED_ELSEWHERE. `basedOn` covers the packed files
 * alone: whatever changes on the host meanwhile, each step decides there again.
 */
export function planPublish(wanted: PublishWanted, facts: PublishFacts): Planned {
  const { manifest } = facts;
  const tag = parseTag(manifest.tag, 'tag');
  const published = publishedAssets(facts);
  const assets = published ?? facts.assets;
  const reservation = reservationOf(wanted, manifest);
  const { host } = wanted;
  const draft: Draft = { tag, name: wanted.draft, contents: contentsOf(assets) };
  const upload: Step[] =
    published === undefined
      ? [
          ...reserving(reservation, facts, host),
          { kind: 'draft-release', why: 'nobody sees half a release', host, draft },
          { kind: 'upload-assets', why: `${assets.length} files of ${tag}`, host, draft, from: facts.from, assets },
        ]
      : [];
  const publish: Step[] =
    published === undefined
      ? [
          {
            kind: 'publish-release',
            why: `${tag} appears at once and stays as it is`,
            host,
            draft,
            publication: publicationOf(wanted, facts, assets),
          },
        ]
      : [];
  const after = announcing(wanted, { ...facts, assets });
  const check: Step[] =
    publish.length + after.length > 0 ? [{ kind: 'check-published', why: 'what readers get is what was packed', host, tag, assets }] : [];
  const plan = {
    schema: 1,
    id: wanted.id,
    operation: wanted.id,
    command: 'publish',
    basedOn: basisOf(facts),
    steps: [...upload, ...publish, ...check, ...after],
    commitAfter: upload.length - 1,
    notes: notesOf(wanted, facts, published !== undefined),
  } as const;
  return { plan, contents: new Map() };
}

function publicationOf(wanted: PublishWanted, facts: PublishFacts, assets: readonly ChannelAsset[]): Publication {
  const { manifest, channel } = facts;
  const prerelease = isPrerelease(parseVersion(manifest.version));
  const latest = wanted.main && !prerelease && latestAfter(channel, additionOf(wanted, { ...facts, assets })) === manifest.version;
  return { assets, latest, prerelease, title: `${manifest.title} ${manifest.version}`, notes: wanted.notes, replaces: null };
}

/** What the decisions rest on, to be compared under the lock. */
export function basisOf({ manifestDigest, assets }: Pick<PublishFacts, 'manifestDigest' | 'assets'>): Digest {
  return digestOf(canonicalJson({ manifestDigest, assets }));
}

/** The published assets when they are ours; undefined when nothing is published. */
function publishedAssets({ published, manifest, manifestDigest }: PublishFacts): readonly ChannelAsset[] | undefined {
  if (published === undefined) return undefined;
  const theirs = published.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
  if (theirs !== manifestDigest) throw publishedDiffers(manifest.tag, theirs, manifestDigest);
  const first = published.filter(({ name }) => name === manifest.artifact.name);
  return [...first, ...published.filter(({ name }) => name !== manifest.artifact.name)];
}

function reservationOf({ reserver, at }: PublishWanted, { product, version, tag, commit }: Manifest): Reservation {
  return { type: RESERVATION_TYPE, product, version, tag, commit, ...reserver, at };
}

/** The step that reserves; none when the tag is ours already. */
function reserving(reservation: Reservation, { reservation: found }: PublishFacts, host: HostAddress): Step[] {
  const outcome = found === undefined ? undefined : judgeReservation(reservation, found);
  if (found !== undefined && outcome === 'elsewhere') throw reservedElsewhere(reservation, found);
  return [{ kind: 'reserve-tag', why: `nobody else can take ${reservation.tag}`, host, reservation }];
}

/** Channel file last, then what lies at the root; nothing when the host has both. */
function announcing(wanted: PublishWanted, facts: PublishFacts): Step[] {
  const { host, signing } = wanted;
  const addition = additionOf(wanted, facts);
  const { channel, release } = addition;
  const known = facts.channel?.releases.find(({ version }) => version === release.version);
  if (known !== undefined && known.manifest !== release.manifest) throw publishedDiffers(release.tag, known.manifest, release.manifest);
  const put: Step[] =
    known === undefined || !facts.copied
      ? [{ kind: 'put-channel', why: `installs that follow ${channel} find ${release.version}`, host, addition, signing }]
      : [];
  const isLatest = latestAfter(facts.channel, addition) === release.version;
  const why = `install.sh is that of the latest ${channel} release`;
  const files: Step[] =
    wanted.main && isLatest && lacksRootFiles(facts) ? [{ kind: 'put-files', why, host, channel, names: ROOT_ASSETS }] : [];
  return [...put, ...files];
}

function lacksRootFiles({ assets, root }: PublishFacts): boolean {
  return assets.some(({ name, sha256 }) => ROOT_ASSETS.includes(name) && root.get(name) !== sha256);
}

function additionOf(wanted: PublishWanted, { manifest, manifestDigest, assets }: PublishFacts): ChannelAddition {
  const { at, expires, prereleases } = wanted;
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
  };
  return {
    product: manifest.product,
    channel: manifest.channel,
    release,
    hosts: manifest.hosts,
    prereleases,
    issued: at,
    expires: expires === null ? null : momentOf(new Date(Date.parse(at) + expires * 1000)),
  };
}

function notesOf(wanted: PublishWanted, { manifest, channel }: PublishFacts, isPublished: boolean): readonly string[] {
  const unsigned =
    wanted.signing.publicKey === null ? ['This product is NOT SIGNED: installs cannot tell its releases from forged ones.'] : [];
  const there = isPublished ? [`${manifest.tag} is published already, with the same content.`] : [];
  return [
    ...unsigned,
    ...there,
    `Channel ${manifest.channel}: latest is ${channel?.latest ?? 'nothing yet'}, sequence ${channel?.sequence ?? 0}.`,
  ];
}
