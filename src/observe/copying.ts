// What is released on a host, for another host to get the same. Rule: verified as installs verify it, before anything is believed.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANNEL_MAX_BYTES, type Channel, type ChannelAsset, type ChannelRelease } from '../model/channel.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { type HostAddress, type HostProblem, MANIFEST_ASSET, type ReleaseSource, type ReleaseWanted } from '../model/host.ts';
import { STATEMENT_MAX_BYTES } from '../model/key-statement.ts';
import type { Manifest } from '../model/manifest.ts';
import { type PublicKey, parsePublicKey, signerIdOf } from '../model/minisign.ts';
import type { TextToPut } from '../model/plan.ts';
import type { Reservation } from '../model/reservation.ts';
import type { World } from '../model/seams.ts';
import { verifyChannel, verifyManifest } from '../model/trust.ts';
import { readBounded } from '../world/folder-files.ts';
import { isChannelCopied, openReader, openView } from '../world/hosts.ts';
import { makeScratch } from '../world/scratch.ts';
import { observeFormerKey } from './former-keys.ts';
import { rootFiles } from './published.ts';

const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;
/** Releases that a host is asked about at once. */
const AT_ONCE = 4;

export interface CopySource {
  readonly from: HostAddress;
  readonly product: string;
  readonly publicKey: string | null;
}

export interface FoundChannel {
  readonly channel: Channel;
  /** The file as it is signed. */
  readonly text: string;
}

/** The channel files of a host by these names; none for channels in which nothing was published. Throws what `verifyChannel` throws. */
export async function observeChannels(
  { from, product, publicKey }: CopySource,
  names: readonly string[],
  world: World,
): Promise<readonly FoundChannel[]> {
  const view = openView(from, world);
  const trust = { key: publicKey, signed: publicKey !== null, sequences: {} };
  const found: FoundChannel[] = [];
  for (const name of names) {
    const path = `channels/${name}.signed.json`;
    const text = (await view.read(path, CHANNEL_MAX_BYTES))?.toString();
    if (text === undefined) continue;
    const where = `${path} of ${view.label}`;
    const { channel } = verifyChannel(text, { product, channel: name, trust, now: new Date(0), where, acceptExpired: true });
    found.push({ channel, text });
  }
  return found;
}

export interface FoundManifests {
  readonly manifests: ReadonlyMap<string, Manifest>;
  /** The statements of the keys that signed some of them, up to the product's present one. */
  readonly statements: readonly TextToPut[];
  /** Signatures that nobody can check any more; the channel file vouches for the digests of these releases. */
  readonly doubts: readonly string[];
}

/** The manifests of these releases by tag. Throws E_DIGEST for another one than its channel file names, and E_SIGNATURE for a wrong signature. */
export async function observeManifests(source: CopySource, releases: readonly ChannelRelease[], world: World): Promise<FoundManifests> {
  const judge = judgeOf(source, world);
  const reader = openReader(source.from, world);
  const scratch = await makeScratch();
  const manifests = new Map<string, Manifest>();
  for (const release of releases) manifests.set(release.tag, await judge.verify(await readManifest(reader, release, scratch), release));
  return { manifests, statements: [...judge.statements].map(([path, text]) => ({ path, text })), doubts: judge.doubts };
}

interface SignedManifest {
  readonly content: string;
  readonly minisig: string | null;
}

interface Judge {
  readonly verify: (signed: SignedManifest, release: ChannelRelease) => Promise<Manifest>;
  readonly statements: Map<string, string>;
  readonly doubts: string[];
}

/** Verifies manifests, and learns former keys on the way. */
function judgeOf({ from, product, publicKey }: CopySource, world: World): Judge {
  const view = openView(from, world);
  const statements = new Map<string, string>();
  const doubts: string[] = [];
  const keys = new Map<string, PublicKey | undefined>();
  const own = publicKey === null ? undefined : parsePublicKey(publicKey, 'release.publicKey');
  const keyOf = async (id: string, key: PublicKey): Promise<PublicKey | undefined> => {
    if (id === key.keyId) return key;
    if (keys.has(id)) return keys.get(id);
    const found = await observeFormerKey(view, { product, key }, id);
    for (const { path, text } of found?.statements ?? []) statements.set(path, text);
    keys.set(id, found?.key);
    return found?.key;
  };
  const verify: Judge['verify'] = async ({ content, minisig }, release) => {
    const signer = minisig === null ? null : signerIdOf(minisig, `${MANIFEST_ASSET} of ${release.tag}`);
    const key = own === undefined || signer === null ? undefined : await keyOf(signer, own);
    if (own !== undefined && key === undefined) doubts.push(doubtOf(release.tag, signer));
    const trust = { key: key?.text ?? null, signed: key !== undefined };
    return verifyManifest(Buffer.from(content), minisig, { product, release, trust });
  };
  return { verify, statements, doubts };
}

function doubtOf(tag: string, signer: string | null): string {
  return signer === null
    ? `${tag} is not signed`
    : `${tag} is signed by the key ${signer}, and no statement leads from it to the product's key`;
}

async function readManifest(source: ReleaseSource, { tag, manifest, assets }: ChannelRelease, scratch: string): Promise<SignedManifest> {
  const content = await readAsset(source, { tag, name: MANIFEST_ASSET, sha256: manifest }, scratch);
  const signature = assets.find(({ name }) => name === `${MANIFEST_ASSET}.minisig`);
  return { content, minisig: signature === undefined ? null : await readAsset(source, { tag, ...signature }, scratch) };
}

async function readAsset(
  source: ReleaseSource,
  { tag, name, sha256 }: { readonly tag: string; readonly name: string; readonly sha256: Digest },
  scratch: string,
): Promise<string> {
  const to = join(scratch, name);
  await source.download(tag, name, { to, maxBytes: MOST_MANIFEST_BYTES, sha256 });
  const text = (await readBounded(to, MOST_MANIFEST_BYTES))?.toString() ?? '';
  await rm(to, { force: true });
  return text;
}

/** What a host has of a release that is to be copied there, and what stands against it. */
export interface CopyTarget {
  readonly published: readonly ChannelAsset[] | undefined;
  readonly reservation: Reservation | undefined;
  readonly problems: readonly HostProblem[];
}

/** In the order of the wishes. */
export async function observeCopyTargets(to: HostAddress, wanted: readonly ReleaseWanted[], world: World): Promise<readonly CopyTarget[]> {
  const found: CopyTarget[] = [];
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    found.push(...(await Promise.all(wanted.slice(at, at + AT_ONCE).map((one) => observeCopyTarget(to, one, world)))));
  }
  return found;
}

async function observeCopyTarget(to: HostAddress, wanted: ReleaseWanted, world: World): Promise<CopyTarget> {
  const view = openView(to, world);
  const published = await view.listRelease(wanted.tag);
  const problems = published === undefined ? await view.preflight(wanted) : [];
  return { published, reservation: await view.reservation(wanted.tag), problems };
}

/** The text of a host's channel file, if any, and whether the copies beside it hold the same. */
export async function observeChannelThere(
  to: HostAddress,
  name: string,
  world: World,
): Promise<{ readonly current: string | undefined; readonly copied: boolean }> {
  const view = openView(to, world);
  const current = (await view.read(`channels/${name}.signed.json`, CHANNEL_MAX_BYTES))?.toString();
  return { current, copied: await isChannelCopied(view, name) };
}

/** The digests of what a host has under the paths of these texts, by path. */
export async function observeTexts(to: HostAddress, texts: readonly TextToPut[], world: World): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>();
  for (const { path } of texts) {
    const bytes = await openView(to, world).read(path, STATEMENT_MAX_BYTES);
    if (bytes !== undefined) found.set(path, digestOf(bytes));
  }
  return found;
}

/** The digests of what lies at the root of a host, by name. */
export function observeRoot(to: HostAddress, world: World): Promise<ReadonlyMap<string, Digest>> {
  return rootFiles(openView(to, world));
}
