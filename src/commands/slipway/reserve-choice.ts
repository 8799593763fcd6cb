// Which version is to be reserved. Rule: named by the person, else counted over every tag of the authority; the version that this commit has already comes first.
import { ToolError } from '../../model/error.ts';
import type { HostAddress } from '../../model/host.ts';
import { momentOf } from '../../model/parse.ts';
import type { Reservation } from '../../model/reservation.ts';
import { channelOf, isOfGrammar, tagOf, versionOfTag } from '../../model/tag.ts';
import type { Version } from '../../model/version.ts';
import { observeReservation } from '../../observe/published.ts';
import { observeBase, observeTags } from '../../observe/release-tags.ts';
import { observeTag } from '../../observe/worktree.ts';
import { channelRule, planNextVersion, refuseReleased, tagPrefixes } from '../../plan/next-version.ts';
import { type Context, textFlag } from '../command.ts';
import { usableVersion } from './given-version.ts';
import type { ProductFile } from './product-file.ts';

/** How many of the newest versions are looked at for one that is ours already. */
const MOST_LOOKED_AT = 5;

export interface Reserver {
  readonly file: ProductFile;
  readonly authority: HostAddress;
  readonly commit: string | null;
  readonly by: string;
}

export interface ChosenVersion {
  readonly version: Version;
  /** True when it was counted, so that the next one does as well. */
  readonly counted: boolean;
}

/** The version of --version or --tag, else the next of --channel. Throws E_USAGE, E_POLICY, and what the authority's listing throws. */
export async function chooseVersion(context: Context, reserver: Reserver): Promise<ChosenVersion> {
  const { release } = reserver.file.product;
  const named = namedVersion(context, release);
  const channel = textFlag(context.flags, 'channel');
  if (named === undefined) return nextVersion(context, reserver, channel ?? onlyChannel(reserver.file));
  const own = channelOf(release.channels, named);
  if (own === undefined || (channel !== undefined && channel !== own)) throw otherChannel(named, channel);
  await refuseNamed(context, reserver, named);
  return { version: named, counted: false };
}

async function nextVersion(context: Context, reserver: Reserver, channel: string): Promise<ChosenVersion> {
  const { file, authority, commit } = reserver;
  const { release } = file.product;
  channelRule(release, channel);
  const base = (await observeBase(file.root, release.base))?.version;
  const prefixes = tagPrefixes(release, base);
  const tags = await observeTags({ host: authority, root: file.root, checkout: commit !== null, prefixes }, context.world);
  const today = momentOf(context.world.now()).slice(0, 10).replaceAll('-', '');
  const { version, taken } = planNextVersion({ rules: release, channel, base, tags, today });
  const ours = await findOurs(context, reserver, taken.slice(0, MOST_LOOKED_AT));
  if (ours !== undefined) return { version: ours, counted: false };
  await refuseLocalTag(context, reserver, version);
  return { version, counted: version !== base };
}

/** A version that this identity reserved for this very commit: a CI run that is tried again has it again. */
async function findOurs(
  context: Context,
  { file, authority, commit, by }: Reserver,
  taken: readonly Version[],
): Promise<Version | undefined> {
  if (commit === null) return undefined;
  const { product, release } = file.product;
  const isOurs = (found: Reservation): boolean => found.product === product && found.by === by && found.commit === commit;
  for (const version of taken) {
    const { reservation } = await observeReservation(authority, tagOf(release.tag, version), context.world);
    if (reservation !== undefined && isOurs(reservation)) return version;
  }
  return undefined;
}

/** What tags say against a version that a person named and nobody reserved yet. */
async function refuseNamed(context: Context, reserver: Reserver, version: Version): Promise<void> {
  const { file, authority, commit } = reserver;
  const { release } = file.product;
  await refuseLocalTag(context, reserver, version);
  const { reservation } = await observeReservation(authority, tagOf(release.tag, version), context.world);
  if (reservation !== undefined) return;
  const prefixes = tagPrefixes({ ...release, versions: 'semver' }, version);
  const tags = await observeTags({ host: authority, root: file.root, checkout: commit !== null, prefixes }, context.world);
  refuseReleased(version, release, tags);
}

/** A tag of the checkout says what a version is. */
async function refuseLocalTag(context: Context, { file, commit }: Reserver, version: Version): Promise<void> {
  const tag = tagOf(file.product.release.tag, version);
  const tagged = commit === null ? undefined : await observeTag(file.root, tag, context.world);
  if (tagged === undefined || tagged === commit) return;
  throw new ToolError('E_RESERVED_ELSEWHERE', `the tag ${tag} is on ${tagged}, and HEAD is ${commit}`, {
    hint: `Check out ${tag}, or take the next version; nothing was changed.`,
    details: { tag, version, commit: tagged },
  });
}

function onlyChannel({ product }: ProductFile): string {
  const names = Object.keys(product.release.channels);
  const [only, second] = names;
  if (only !== undefined && second === undefined) return only;
  throw new ToolError('E_USAGE', 'which version?', {
    hint: `Give --version V, or --channel C for the next one of a channel: ${names.join(', ')}.`,
  });
}

function namedVersion(context: Context, release: ProductFile['product']['release']): Version | undefined {
  const named = textFlag(context.flags, 'version');
  const tag = textFlag(context.flags, 'tag');
  const version = named === undefined ? undefined : usableVersion(named);
  if (version !== undefined && !isOfGrammar(release.versions, version)) {
    throw new ToolError('E_USAGE', `--version: ${version} is not MAJOR.SEQ.YYYYMMDD with a day that exists`, {
      hint: 'See release.versions.',
    });
  }
  if (tag === undefined) return version;
  const ofTag = versionOfTag(release, tag);
  if (ofTag !== undefined && (version === undefined || version === ofTag)) return ofTag;
  throw new ToolError('E_USAGE', `${tag} is not the tag of ${version ?? 'a version'} (${release.tag})`, { hint: 'Give one of the two.' });
}

function otherChannel(version: Version, wanted: string | undefined): ToolError {
  const message = wanted === undefined ? `no channel takes ${version}` : `${version} is not a version of the channel ${wanted}`;
  return new ToolError('E_USAGE', message, { hint: 'See `release.channels` in the product file.' });
}
