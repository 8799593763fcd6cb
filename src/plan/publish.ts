// Decides how a packed release gets onto its hosts. Rule: the authority first, published last and at once, channel files after it; equal content is success, other content is refused.
import { type ChannelAsset, parseTag } from '../model/channel.ts';
import { latestAfter } from '../model/channel-change.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { contentsOf, type Draft, type HostAddress, MANIFEST_ASSET, type Publication } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step } from '../model/plan.ts';
import { publishedDiffers, reservedElsewhere } from '../model/published.ts';
import { judgeReservation, RESERVATION_TYPE, type Reservation } from '../model/reservation.ts';
import { isPrerelease, parseVersion } from '../model/version.ts';
import { additionOf, announcing, type HostState, type PublishFacts, type PublishWanted } from './announce.ts';
import { runtimeSteps } from './runtime-release.ts';

/**
 * The plan; without steps when the hosts have it all. Throws E_PUBLISHED_DIFFERS, E_RESERVED_ELSEWHERE, and E_POLICY for a mirror that would be
 * ahead of its authority. `basedOn` covers the packed files alone: whatever changes on a host meanwhile, each step decides there again.
 */
export function planPublish(wanted: PublishWanted, facts: PublishFacts): Planned {
  const assets = decidedAssets(wanted, facts);
  const draft: Draft = { tag: parseTag(facts.manifest.tag, 'tag'), name: wanted.draft, contents: contentsOf(assets) };
  const missing = facts.targets.filter((state) => state.host.type !== 'git' && lacksRelease(state, wanted, facts));
  const runtime = runtimeOf(wanted, facts);
  const prepare = [
    ...runtime.prepare,
    ...reserving(wanted, facts),
    ...missing.flatMap((state) => tagging(state, wanted, facts)),
    ...missing.flatMap((state) => drafting(state, { draft, from: facts.from, assets })),
  ];
  const publication = publicationOf(wanted, facts, assets);
  const appear = wanted.draftOnly ? [] : [...runtime.appear, ...appearing({ wanted, facts, missing, draft, publication })];
  const plan = {
    schema: 1,
    id: wanted.id,
    operation: wanted.id,
    command: 'publish',
    basedOn: basisOf(facts),
    steps: [...prepare, ...appear],
    commitAfter: prepare.length - 1,
    notes: notesOf(wanted, facts),
  } as const;
  return { plan, contents: new Map() };
}

/** A draft is seen by nobody, so it needs no Node.js yet. */
function runtimeOf({ draftOnly, reserver, at }: PublishWanted, { manifest, runtime }: PublishFacts): ReturnType<typeof runtimeSteps> {
  if (runtime === undefined || draftOnly) return { prepare: [], appear: [] };
  return runtimeSteps({ manifest, nonce: reserver.nonce, at }, runtime);
}

/** What the decisions rest on, to be compared under the lock. */
export function basisOf({ manifestDigest, assets }: Pick<PublishFacts, 'manifestDigest' | 'assets'>): Digest {
  return digestOf(canonicalJson({ manifestDigest, assets }));
}

/** The published assets when they have our manifest, else ours: every host gets the bytes that the authority has. */
function decidedAssets(
  wanted: PublishWanted,
  { authority, targets, manifest, manifestDigest, assets }: PublishFacts,
): readonly ChannelAsset[] {
  const known = authority.channel?.releases.find(({ version }) => version === manifest.version);
  const isTarget = targets.some(({ host }) => host.name === authority.host.name);
  const theirs = authority.published ?? (isTarget && authority.host.type !== 'git' ? undefined : known?.assets);
  const same = manifestOf(theirs) === manifestDigest;
  if (!isTarget && !same) throw notOnAuthority(manifest.tag, authority.host, theirs);
  if (known !== undefined && known.manifest !== manifestDigest && wanted.replace === null) {
    throw publishedDiffers(manifest.tag, known.manifest, manifestDigest);
  }
  if (theirs === undefined || !same) return assets;
  const first = theirs.filter(({ name }) => name === manifest.artifact.name);
  return [...first, ...theirs.filter(({ name }) => name !== manifest.artifact.name)];
}

/** True when the host is to get the release. Throws E_PUBLISHED_DIFFERS when it has another one that must stay. */
function lacksRelease({ published }: HostState, { replace }: PublishWanted, { manifest, manifestDigest }: PublishFacts): boolean {
  if (published === undefined) return true;
  const theirs = manifestOf(published);
  if (theirs !== manifestDigest && replace === null) throw publishedDiffers(manifest.tag, theirs, manifestDigest);
  return theirs !== manifestDigest;
}

/** The step that reserves at the authority; none once the version is published. */
function reserving({ reserver, at }: PublishWanted, { authority, manifest }: PublishFacts): Step[] {
  const { host, reservation: found, published, channel } = authority;
  const { product, version, tag, commit } = manifest;
  if (published !== undefined || channel?.releases.some((release) => release.version === version)) return [];
  const reservation: Reservation = { type: RESERVATION_TYPE, product, version, tag, commit, ...reserver, at };
  const outcome = found === undefined ? undefined : judgeReservation(reservation, found);
  if (found !== undefined && outcome === 'elsewhere') throw reservedElsewhere(reservation, found);
  return [{ kind: 'reserve-tag', why: `nobody else can take ${tag}`, host, reservation }];
}

/** A mirror that is a forge has the tag, too, on the commit: made by the release itself it would be on whatever its main branch is. */
function tagging({ host, reservation: found }: HostState, { reserver, at }: PublishWanted, { authority, manifest }: PublishFacts): Step[] {
  if (host.name === authority.host.name || (host.type !== 'github' && host.type !== 'gitea')) return [];
  const { product, version, tag, commit } = manifest;
  const reservation: Reservation = { type: RESERVATION_TYPE, product, version, tag, commit, ...reserver, at };
  if (found === undefined) return [{ kind: 'reserve-tag', why: `${host.name} has ${tag} on the same commit`, host, reservation }];
  if (judgeReservation(reservation, found) === 'elsewhere') throw reservedElsewhere(reservation, found);
  return [];
}

interface Upload {
  readonly draft: Draft;
  readonly from: string;
  readonly assets: readonly ChannelAsset[];
}

function drafting({ host }: HostState, { draft, from, assets }: Upload): Step[] {
  return [
    { kind: 'draft-release', why: `nobody sees half a release on ${host.name}`, host, draft },
    { kind: 'upload-assets', why: `${assets.length} files of ${draft.tag} to ${host.name}`, host, draft, from, assets },
  ];
}

interface Appearing {
  readonly wanted: PublishWanted;
  readonly facts: PublishFacts;
  /** The hosts that lack the release. */
  readonly missing: readonly HostState[];
  readonly draft: Draft;
  readonly publication: Publication;
}

/** The release appears, the authority's channel file names it, and the mirrors get both. */
function appearing({ wanted, facts, missing, draft, publication }: Appearing): Step[] {
  const { tag } = draft;
  const { assets } = publication;
  const publish = missing.map(({ host, published }): Step => {
    const replaces = published === undefined ? null : (manifestOf(published) ?? null);
    const why = `${tag} appears on ${host.name} at once and stays as it is`;
    return { kind: 'publish-release', why, host, draft, publication: { ...publication, replaces } };
  });
  const announce = announcing(wanted, facts, assets);
  if (publish.length + announce.length === 0) return [];
  const check = facts.targets
    .filter(({ host }) => host.type !== 'git')
    .map(({ host }): Step => ({ kind: 'check-published', why: `what readers of ${host.name} get is what was packed`, host, tag, assets }));
  return [...publish, ...check, ...announce];
}

function publicationOf(wanted: PublishWanted, facts: PublishFacts, assets: readonly ChannelAsset[]): Publication {
  const { manifest, authority } = facts;
  const prerelease = isPrerelease(parseVersion(manifest.version));
  const latest = wanted.main && !prerelease && latestAfter(authority.channel, additionOf(wanted, facts, assets)) === manifest.version;
  return { assets, latest, prerelease, title: `${manifest.title} ${manifest.version}`, notes: wanted.notes, replaces: null };
}

function manifestOf(assets: readonly ChannelAsset[] | undefined): Digest | undefined {
  return assets?.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
}

function notOnAuthority(tag: string, { name }: HostAddress, theirs: readonly ChannelAsset[] | undefined): ToolError {
  const why = theirs === undefined ? `${name} does not have it yet` : `${name} has other content`;
  return new ToolError('E_POLICY', `${tag} cannot be published elsewhere: ${why}, and ${name} decides`, {
    hint: `Publish to ${name} first: a mirror is never ahead of its authority.`,
  });
}

function notesOf(wanted: PublishWanted, { manifest, manifestDigest, authority }: PublishFacts): readonly string[] {
  const { channel, published, host } = authority;
  const unsigned =
    wanted.signing.publicKey === null ? ['This product is NOT SIGNED: installs cannot tell its releases from forged ones.'] : [];
  const there =
    manifestOf(published) === manifestDigest ? [`${manifest.tag} is published already on ${host.name}, with the same content.`] : [];
  return [
    ...unsigned,
    ...there,
    `Channel ${manifest.channel}: latest is ${channel?.latest ?? 'nothing yet'}, sequence ${channel?.sequence ?? 0}.`,
  ];
}
