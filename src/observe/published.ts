// Looks at what is to be published and at what a host has. Rule: what was packed is checked as installs will check it, before anybody sees it.
import { join } from 'node:path';
import { CHANNEL_MAX_BYTES, type Channel, type ChannelAsset } from '../model/channel.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import {
  type Draft,
  type HostAddress,
  type HostProblem,
  type HostView,
  MANIFEST_ASSET,
  OPERATOR_ASSET,
  type ReleaseWanted,
  ROOT_ASSETS,
} from '../model/host.ts';
import { type Manifest, parseManifest } from '../model/manifest.ts';
import { parsePublicKey, type SecretKey } from '../model/minisign.ts';
import type { Signing } from '../model/plan.ts';
import type { Reservation } from '../model/reservation.ts';
import type { World } from '../model/seams.ts';
import { parseSums, SUMS_ASSET } from '../model/sums.ts';
import { verifyChannel } from '../model/trust.ts';
import { verifySigned } from '../model/trusted-comment.ts';
import { readBounded } from '../world/folder-files.ts';
import { measureFolder } from '../world/folder-source.ts';
import { type HostWorld, isChannelCopied, openHost, openView } from '../world/hosts.ts';
import { readSecretKey } from '../world/secret-key.ts';

const MOST_BYTES = 16 * 1024 * 1024;

/** A release as `pack` left it in `dist/<tag>/`. */
export interface PackedRelease {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  /** Every file of the folder, the bundle first. */
  readonly assets: readonly ChannelAsset[];
}

/** What a host has of a release and its channel. */
export interface HostFacts {
  readonly host: HostAddress;
  readonly reservation: Reservation | undefined;
  /** The assets published under the tag. */
  readonly published: readonly ChannelAsset[] | undefined;
  /** The channel's file, verified with the product's key. */
  readonly channel: Channel | undefined;
  /** True when the copies beside the channel file, for people, hold the same. */
  readonly copied: boolean;
  /** The same of the channels that include this one, by name. */
  readonly including: ReadonlyMap<string, Pick<HostFacts, 'channel' | 'copied'>>;
  /** The digests of what lies at the root, by name. */
  readonly root: ReadonlyMap<string, Digest>;
  /** What would stop the release there. */
  readonly problems: readonly HostProblem[];
}

export interface PackedRequest {
  /** `dist/<tag>`, absolute. */
  readonly folder: string;
  readonly tag: string;
  readonly product: string;
  readonly publicKey: string | null;
}

/**
 * The packed release, or undefined when it was not packed. Throws E_NOT_PACKED when it is incomplete, altered, of another tag or signed by another key
 * than the product's.
 */
export async function observePacked(request: PackedRequest): Promise<PackedRelease | undefined> {
  const assets = await measureFolder(request.folder);
  if (assets === undefined) return undefined;
  const text = await signedText(MANIFEST_ASSET, request);
  const manifest = parseManifest(text, join(request.folder, MANIFEST_ASSET));
  if (manifest.product !== request.product || manifest.tag !== request.tag) {
    throw notPacked(request, `it holds ${manifest.product} ${manifest.tag}`);
  }
  checkSignature({ role: 'bundle', text, manifest }, await signatureOf(MANIFEST_ASSET, request), request);
  const sums = await signedText(SUMS_ASSET, request);
  checkSignature({ role: 'sums', text: sums, manifest }, await signatureOf(SUMS_ASSET, request), request);
  checkSums(sums, assets, request);
  checkNamed(manifest, assets, request);
  const first = assets.filter(({ name }) => name === manifest.artifact.name);
  const rest = assets.filter(({ name }) => name !== manifest.artifact.name);
  return { folder: request.folder, manifest, manifestDigest: digestOf(text), assets: [...first, ...rest] };
}

export interface HostRequest {
  readonly host: HostAddress;
  readonly product: string;
  readonly tag: string;
  readonly channel: string;
  /** The names of channels that offer the releases of that one too. */
  readonly including: readonly string[];
  readonly publicKey: string | null;
  /** What is to be published there. */
  readonly wanted: ReleaseWanted;
}

/** What the host shows; a folder that does not exist yet shows nothing. Throws what `verifyChannel` throws for a channel file that is not ours. */
export async function observeHost(request: HostRequest, world: HostWorld): Promise<HostFacts> {
  const view = openView(request.host, world);
  return {
    host: request.host,
    reservation: await view.reservation(request.tag),
    published: await view.listRelease(request.tag),
    ...(await observeChannel(request, world)),
    including: await observeIncluding(request, world),
    root: await rootFiles(view),
    problems: await view.preflight(request.wanted),
  };
}

async function observeIncluding(request: HostRequest, world: HostWorld): Promise<HostFacts['including']> {
  const found = new Map<string, Pick<HostFacts, 'channel' | 'copied'>>();
  for (const channel of request.including) found.set(channel, await observeChannel({ ...request, channel }, world));
  return found;
}

async function observeChannel(request: HostRequest, world: HostWorld): Promise<Pick<HostFacts, 'channel' | 'copied'>> {
  const copied = await isChannelCopied(openView(request.host, world), request.channel);
  return { channel: await observePublishedChannel(request, world), copied };
}

/** The channel file of the host, verified with the product's key; undefined when nothing is published in it. */
export async function observePublishedChannel(
  request: Pick<HostRequest, 'host' | 'product' | 'channel' | 'publicKey'>,
  world: HostWorld,
): Promise<Channel | undefined> {
  const view = openView(request.host, world);
  const path = `channels/${request.channel}.signed.json`;
  const text = (await view.read(path, CHANNEL_MAX_BYTES))?.toString();
  return text === undefined ? undefined : ownChannel(text, request, `${path} of ${view.label}`);
}

/** True when this draft waits on the host. */
export async function isDrafted(host: HostAddress, draft: Draft, world: HostWorld): Promise<boolean> {
  return host.type !== 'git' && (await openHost(host, world).listDraft(draft)) !== undefined;
}

/** Who holds a tag, and whether something is published under it. */
export async function observeReservation(
  host: HostAddress,
  tag: string,
  world: HostWorld,
): Promise<{ readonly reservation: Reservation | undefined; readonly isPublished: boolean }> {
  const view = openView(host, world);
  return { reservation: await view.reservation(tag), isPublished: (await view.listRelease(tag)) !== undefined };
}

/** The digests of what lies at the root of a host, by name. */
export async function rootFiles(view: HostView): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>();
  for (const name of ROOT_ASSETS) {
    const bytes = await view.read(name, MOST_BYTES);
    if (bytes !== undefined) found.set(name, digestOf(bytes));
  }
  return found;
}

/** A small file below the root of a host, or undefined. */
export function readPublished(
  host: HostAddress,
  path: string,
  { maxBytes, world }: { readonly maxBytes: number; readonly world: HostWorld },
): Promise<Buffer | undefined> {
  return openView(host, world).read(path, maxBytes);
}

/** The secret key that belongs to the product's public one; null for an unsigned product. Throws E_CONFIG when it is absent or another one. */
export function observeSecretKey(signing: Signing, env: World['env']): Promise<SecretKey | null> {
  return readSecretKey(signing, env);
}

/** Throws E_CONFIG unless the secret key is at hand and belongs to the product's public key: better now than after the upload. */
export async function checkSecretKey(signing: Signing, env: World['env']): Promise<void> {
  await readSecretKey(signing, env);
}

function ownChannel(
  text: string,
  { product, channel, publicKey }: Pick<HostRequest, 'product' | 'channel' | 'publicKey'>,
  where: string,
): Channel {
  const trust = { key: publicKey, signed: publicKey !== null, sequences: {} };
  return verifyChannel(text, { product, channel, trust, now: new Date(0), where, acceptExpired: true }).channel; // publishing renews it
}

async function signedText(name: string, request: PackedRequest): Promise<string> {
  const bytes = await readBounded(join(request.folder, name), MOST_BYTES);
  if (bytes === undefined) throw notPacked(request, `${name} is missing`);
  return bytes.toString();
}

async function signatureOf(name: string, request: PackedRequest): Promise<string | undefined> {
  return (await readBounded(join(request.folder, `${name}.minisig`), MOST_BYTES))?.toString();
}

interface Signed {
  readonly role: 'bundle' | 'sums';
  readonly text: string;
  readonly manifest: Manifest;
}

function checkSignature({ role, text, manifest }: Signed, signature: string | undefined, request: PackedRequest): void {
  if (request.publicKey === null) return;
  if (signature === undefined) throw notPacked(request, 'it is not signed, and release.publicKey is set');
  try {
    const publicKey = parsePublicKey(request.publicKey, 'release.publicKey');
    const { product, version: subject } = manifest;
    verifySigned({ role, product, subject, content: Buffer.from(text), signature, publicKey });
  } catch (cause) {
    throw notPacked(request, cause instanceof Error ? cause.message : 'its signature is wrong', cause);
  }
}

function checkSums(text: string, assets: readonly ChannelAsset[], request: PackedRequest): void {
  const { digests } = parseSums(text, join(request.folder, SUMS_ASSET));
  for (const [name, digest] of digests) {
    const asset = assets.find((found) => found.name === name);
    if (asset?.sha256 !== digest) throw notPacked(request, asset === undefined ? `${name} is missing` : `${name} was changed`);
  }
  const unnamed = assets.find(({ name }) => !digests.has(name) && !name.startsWith(SUMS_ASSET));
  if (unnamed !== undefined) throw notPacked(request, `${unnamed.name} is not named in ${SUMS_ASSET}`);
}

function checkNamed(manifest: Manifest, assets: readonly ChannelAsset[], request: PackedRequest): void {
  if (!assets.some(({ name }) => name === manifest.artifact.name)) throw notPacked(request, `${manifest.artifact.name} is missing`);
  const operator = assets.find(({ name }) => name === OPERATOR_ASSET);
  if (operator?.sha256 !== manifest.operator) throw notPacked(request, `${OPERATOR_ASSET} is not the manifest's`);
}

function notPacked({ folder, tag }: PackedRequest, why: string, cause?: unknown): ToolError {
  return new ToolError('E_NOT_PACKED', `${folder} is not the packed release ${tag}: ${why}`, {
    cause,
    hint: `Remove that folder and run \`slipway pack --tag ${tag}\`.`,
  });
}
