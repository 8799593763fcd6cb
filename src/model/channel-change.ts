// Changes of a channel file's payload. Rule: releases only join, `latest` only moves forward, and fields that this version does not know stay.
import {
  CHANNEL_MAX_BYTES,
  CHANNEL_TYPE,
  type Channel,
  type ChannelRelease,
  parseChannel,
  parseSignedChannel,
  printSignedChannel,
} from './channel.ts';
import type { Digest } from './digest.ts';
import { ToolError } from './error.ts';
import type { NextChannel } from './host.ts';
import { canonicalJson } from './json.ts';
import { parsePublicKey, type SecretKey, signerIdOf } from './minisign.ts';
import { parseFields, parseJson } from './parse.ts';
import { publishedDiffers } from './published.ts';
import { joinRuntimes, type Runtime } from './runtime.ts';
import { verifyChannel } from './trust.ts';
import { signStatement } from './trusted-comment.ts';
import { compareVersions, isPrerelease, parseVersion } from './version.ts';

/** A release that joins a channel, as data: the current file may be another one when it is carried out. */
export interface ChannelAddition {
  readonly product: string;
  readonly channel: string;
  readonly release: ChannelRelease;
  /** Where releases are, for installs; takes the place of the former list. */
  readonly hosts: readonly string[];
  /** The Node.js that the release brings for hosts without one. */
  readonly runtimes?: readonly Runtime[];
  /** True for a channel of prereleases; elsewhere one never becomes `latest`. */
  readonly prereleases: boolean;
  readonly issued: string;
  /** null = never. */
  readonly expires: string | null;
  /** The published content of this version that gives way, and why; null = none may. */
  readonly replaces: Replacement | null;
}

export interface Replacement {
  readonly manifest: Digest;
  readonly reason: string;
}

export interface ChangedChannel {
  readonly sequence: number;
  /** Canonical JSON, to be signed. */
  readonly payload: string;
}

/**
 * The payload after the addition, or undefined when the release is in the channel already. Throws E_PUBLISHED_DIFFERS when its version is
 * there with another manifest, and E_WRONG_PRODUCT for another product's or channel's file.
 */
export function addRelease(current: string | undefined, addition: ChannelAddition): ChangedChannel | undefined {
  const where = `channel ${addition.channel}`;
  const former = current === undefined ? undefined : parseChannel(current, where);
  refuseOther(former, addition);
  const same = former?.releases.find(({ version }) => version === addition.release.version);
  const { release, replaces } = addition;
  if (same?.manifest === release.manifest) return undefined;
  if (same !== undefined && same.manifest !== replaces?.manifest) throw publishedDiffers(release.tag, same.manifest, release.manifest);
  const raw = current === undefined ? {} : parseFields(parseJson(current, where), where);
  const sequence = (former?.sequence ?? 0) + 1;
  const payload = canonicalJson({
    moved: null,
    ...raw,
    runtimes: joinRuntimes(former?.runtimes ?? [], addition.runtimes ?? []),
    type: CHANNEL_TYPE,
    product: addition.product,
    channel: addition.channel,
    sequence,
    issued: later(former?.issued, addition.issued),
    expires: addition.expires === null ? null : later(former?.expires ?? undefined, addition.expires),
    latest: latestAfter(former, addition),
    hosts: addition.hosts,
    releases: releasesAfter(raw.releases, addition, same),
  });
  refuseTooLarge(payload, where);
  return { sequence, payload };
}

/**
 * The channel file after the addition, or undefined when the release is in it. The current file is verified with the product's own key first:
 * nothing that somebody put there is ever signed along. Throws what `verifyChannel` and `addRelease` throw.
 */
export function nextChannelFile(current: string | undefined, addition: ChannelAddition, key: SigningKey): NextChannel | undefined {
  const former = current === undefined ? undefined : ownPayload(current, addition, key);
  const changed = addRelease(former, addition);
  return changed === undefined ? undefined : signedNext(changed, addition, key);
}

/** The key pair of a product; both null = it is not signed. */
export interface SigningKey {
  readonly publicKey: string | null;
  readonly secretKey: SecretKey | null;
  /** The key that may have signed the current file, while it is replaced by this one. */
  readonly former?: string;
}

/** A payload as the file that installs read. */
export function signedNext(
  changed: ChangedChannel,
  { product, channel }: Pick<ChannelAddition, 'product' | 'channel'>,
  key: SigningKey,
): NextChannel {
  const statement = { role: 'channel', product, subject: channel, content: Buffer.from(changed.payload) } as const;
  const minisig = key.secretKey === null ? null : signStatement(statement, key.secretKey);
  return { sequence: changed.sequence, text: printSignedChannel(changed.payload, minisig) };
}

/** The payload of the current file, verified with the product's own key: nothing that somebody put there is ever signed along. */
export function ownPayload(
  current: string,
  { product, channel }: Pick<ChannelAddition, 'product' | 'channel'>,
  { publicKey, former }: Pick<SigningKey, 'publicKey' | 'former'>,
): string {
  const where = `channel ${channel}`;
  const { minisig } = parseSignedChannel(current, where);
  if (publicKey === null && minisig !== null) {
    throw new ToolError('E_CONFIG', `${where} is signed, and this product has no release.publicKey`, {
      hint: 'Installs would refuse an unsigned file. Set release.publicKey and give its secret key.',
    });
  }
  const isFormer = minisig !== null && former !== undefined && signerIdOf(minisig, where) === parsePublicKey(former).keyId;
  const trust = { key: isFormer ? former : publicKey, signed: publicKey !== null, sequences: {} };
  return verifyChannel(current, { product, channel, trust, now: new Date(0), where, acceptExpired: true }).payload;
}

/** The version that `latest` names after the addition. */
export function latestAfter(former: Pick<Channel, 'latest'> | undefined, { release, prereleases }: ChannelAddition): string | null {
  const latest = former?.latest ?? null;
  if (release.imported || release.status === 'yanked') return latest;
  const version = parseVersion(release.version, 'release');
  if (isPrerelease(version) && !prereleases) return latest;
  return latest === null || compareVersions(version, parseVersion(latest, 'latest')) > 0 ? version : latest;
}

/** The new one first; one that is replaced stays at its place, and tells what it took the place of. */
function releasesAfter(raw: unknown, { release, replaces, issued }: ChannelAddition, same: ChannelRelease | undefined): readonly unknown[] {
  const former: readonly unknown[] = Array.isArray(raw) ? raw : [];
  if (same === undefined || replaces === null) return [release, ...former];
  const replaced = [...same.replaced, { manifest: replaces.manifest, reason: replaces.reason, at: issued }];
  const isSame = (item: unknown): boolean =>
    typeof item === 'object' && item !== null && (item as { version?: unknown }).version === same.version;
  return former.map((item) => (isSame(item) ? { ...(item as object), ...release, replaced } : item));
}

function refuseOther(former: Channel | undefined, { product, channel }: ChannelAddition): void {
  if (former === undefined || (former.product === product && former.channel === channel)) return;
  throw new ToolError('E_WRONG_PRODUCT', `the host's channel file is ${former.product} ${former.channel}, not ${product} ${channel}`, {
    hint: 'Publish each product to a host folder of its own.',
  });
}

/** The later of two moments: in one form they sort as text. */
export function later(former: string | undefined, wanted: string): string {
  return former !== undefined && former > wanted ? former : wanted;
}

function refuseTooLarge(payload: string, where: string): void {
  if (payload.length * 2 < CHANNEL_MAX_BYTES) return; // as a string inside JSON it grows
  throw new ToolError('E_TOO_LARGE', `${where}: its file would be larger than installs read`, { hint: 'Begin a new channel.' });
}
