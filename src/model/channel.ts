// The channel file that installs follow (contract: slipway/signed@1 around slipway/channel@1). Rule: signed as one canonical string; the
// sequence only grows; every field an old operator reads keeps its name and meaning for ever.
import { keep } from './description.ts';
import { type Digest, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { canonicalJson } from './json.ts';
import { parseFileName } from './manifest.ts';
import {
  type Fields,
  parseCount,
  parseFields,
  parseFlag,
  parseJson,
  parseList,
  parseMoment,
  parseOptional,
  parseText,
  parseType,
} from './parse.ts';

export const SIGNED_TYPE = 'slipway/signed@1';
export const CHANNEL_TYPE = 'slipway/channel@1';
/** No channel file is larger; a host that sends more is refused. */
export const CHANNEL_MAX_BYTES = 4 * 1024 * 1024;

export interface SignedChannel {
  readonly type: typeof SIGNED_TYPE;
  /** The payload's canonical JSON; these bytes are signed. */
  readonly payload: string;
  /** The four lines of a minisign signature; null for an unsigned product. */
  readonly minisig: string | null;
}

export interface ChannelAsset {
  readonly name: string;
  readonly size: number;
  readonly sha256: Digest;
}

export type ReleaseStatus = 'live' | 'deprecated' | 'limited' | 'yanked';

export interface ChannelRelease {
  readonly version: string;
  readonly tag: string;
  readonly manifest: Digest;
  readonly operator: Digest;
  readonly published: string;
  readonly from: string;
  readonly stop: boolean;
  readonly assets: readonly ChannelAsset[];
  readonly status: ReleaseStatus;
  readonly reason: string | null;
  readonly replaced: readonly unknown[];
  /** The Node.js versions that its operator program runs on, as a range; absent = what all did that never said so. */
  readonly node?: string;
  /** True for a release that was made before Slipway: what old installs are compared with, and never installed. */
  readonly imported?: true;
}

export interface Channel {
  readonly type: typeof CHANNEL_TYPE;
  readonly product: string;
  readonly channel: string;
  readonly sequence: number;
  readonly issued: string;
  /** null = never. */
  readonly expires: string | null;
  readonly latest: string | null;
  readonly hosts: readonly string[];
  readonly moved: string | null;
  readonly releases: readonly ChannelRelease[];
  readonly runtimes: readonly unknown[];
}

/** Parses the outer file; the payload inside is still unverified text. */
export function parseSignedChannel(text: string, where: string): SignedChannel {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, SIGNED_TYPE, where);
  return {
    type: SIGNED_TYPE,
    payload: parseText(f.payload, `${where}: payload`),
    minisig: parseOptional(f.minisig, `${where}: minisig`, parseText) ?? null,
  };
}

/** The text of the outer file. */
export function printSignedChannel(payload: string, minisig: string | null): string {
  return `${canonicalJson({ type: SIGNED_TYPE, payload, minisig })}\n`;
}

/** Parses a payload. Verify its signature first. */
export function parseChannel(payload: string, where: string): Channel {
  const f = parseFields(parseJson(payload, where), where);
  parseType(f, CHANNEL_TYPE, where);
  const at = (key: string): string => `${where}: ${key}`;
  return {
    type: CHANNEL_TYPE,
    product: parseText(f.product, at('product')),
    channel: parseText(f.channel, at('channel')),
    sequence: parseCount(f.sequence, at('sequence')),
    issued: parseMoment(f.issued, at('issued')),
    expires: parseOptional(f.expires, at('expires'), parseMoment) ?? null,
    latest: parseOptional(f.latest, at('latest'), parseText) ?? null,
    hosts: parseList(f.hosts, at('hosts'), parseText),
    moved: parseOptional(f.moved, at('moved'), parseText) ?? null,
    releases: parseList(f.releases, at('releases'), parseRelease),
    runtimes: parseList(f.runtimes ?? [], at('runtimes'), (item) => item),
  };
}

/** The payload's bytes as they are signed. */
export function printChannel(channel: Channel): string {
  return canonicalJson(keep(channel));
}

function parseRelease(value: unknown, where: string): ChannelRelease {
  const f = parseFields(value, where);
  return {
    version: parseText(f.version, `${where}.version`),
    tag: parseTag(f.tag, `${where}.tag`),
    manifest: parseDigest(f.manifest, `${where}.manifest`),
    operator: parseDigest(f.operator, `${where}.operator`),
    published: parseMoment(f.published, `${where}.published`),
    from: parseText(f.from, `${where}.from`),
    stop: parseFlag(f.stop, `${where}.stop`),
    assets: parseList(f.assets, `${where}.assets`, parseAsset),
    status: parseStatus(f, where),
    reason: parseOptional(f.reason, `${where}.reason`, parseText) ?? null,
    replaced: parseList(f.replaced ?? [], `${where}.replaced`, (item) => item),
    ...(f.node === undefined ? {} : { node: parseText(f.node, `${where}.node`) }),
    ...(f.imported === true ? { imported: true as const } : {}),
  };
}

function parseAsset(value: unknown, where: string): ChannelAsset {
  const f = parseFields(value, where);
  return {
    name: parseFileName(f.name, `${where}.name`),
    size: parseCount(f.size, `${where}.size`),
    sha256: parseDigest(f.sha256, `${where}.sha256`),
  };
}

function parseStatus(f: Fields, where: string): ReleaseStatus {
  const status = (['live', 'deprecated', 'limited', 'yanked'] as const).find((known) => known === f.status);
  if (status !== undefined) return status;
  throw new ToolError('E_FORMAT', `${where}.status: unknown status ${JSON.stringify(f.status)}`, {
    hint: 'Upgrade this tool to read newer channel files.',
  });
}

/** A tag becomes a folder name on a host, so it is one path segment. */
export function parseTag(value: unknown, where: string): string {
  return parseFileName(value, where);
}
