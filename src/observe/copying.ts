// What is released on a host, for another host to get the same. Rule: verified as installs verify it, before anything is believed.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANNEL_MAX_BYTES, type Channel, type ChannelAsset, type ChannelRelease } from '../model/channel.ts';
import type { Digest } from '../model/digest.ts';
import { type HostAddress, type HostProblem, MANIFEST_ASSET, type ReleaseSource, type ReleaseWanted } from '../model/host.ts';
import { parseKeyStatement, STATEMENT_MAX_BYTES, statementPath } from '../model/key-statement.ts';
import { type Manifest, parseManifest } from '../model/manifest.ts';
import { parsePublicKey, signerIdOf } from '../model/minisign.ts';
import type { TextToPut } from '../model/plan.ts';
import type { Reservation } from '../model/reservation.ts';
import type { World } from '../model/seams.ts';
import { verifyChannel } from '../model/trust.ts';
import { readBounded } from '../world/folder-files.ts';
import { isChannelCopied, openReader, openView } from '../world/hosts.ts';
import { makeScratch } from './scratch.ts';

const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;

export interface CopyRequest {
  readonly from: HostAddress;
  readonly product: string;
  readonly publicKey: string | null;
  /** The names of the channels that the product declares. */
  readonly channels: readonly string[];
}

export interface FoundChannel {
  readonly channel: Channel;
  /** The file as it is signed. */
  readonly text: string;
}

/** The channel files of a host; none for channels in which nothing was published. Throws what `verifyChannel` throws. */
export async function observeChannels({ from, product, publicKey, channels }: CopyRequest, world: World): Promise<readonly FoundChannel[]> {
  const view = openView(from, world);
  const trust = { key: publicKey, signed: publicKey !== null, sequences: {} };
  const found: FoundChannel[] = [];
  for (const name of channels) {
    const path = `channels/${name}.signed.json`;
    const text = (await view.read(path, CHANNEL_MAX_BYTES))?.toString();
    if (text === undefined) continue;
    const where = `${path} of ${view.label}`;
    found.push({
      channel: verifyChannel(text, { product, channel: name, trust, now: new Date(0), where, acceptExpired: true }).channel,
      text,
    });
  }
  return found;
}

export interface FoundManifest {
  readonly manifest: Manifest;
  /** The id of the key that signed it; null when it is not signed. */
  readonly signer: string | null;
}

/** The manifests of these releases by tag, each as its channel file names it. Throws E_DIGEST for another one. */
export async function observeManifests(
  from: HostAddress,
  releases: readonly ChannelRelease[],
  world: World,
): Promise<ReadonlyMap<string, FoundManifest>> {
  const source = openReader(from, world);
  const scratch = await makeScratch();
  const found = new Map<string, FoundManifest>();
  for (const release of releases) found.set(release.tag, await readManifest(source, release, scratch));
  return found;
}

async function readManifest(source: ReleaseSource, { tag, manifest, assets }: ChannelRelease, scratch: string): Promise<FoundManifest> {
  const where = `${MANIFEST_ASSET} of ${tag}`;
  const text = await readAsset(source, { tag, name: MANIFEST_ASSET, sha256: manifest }, scratch);
  const signature = assets.find(({ name }) => name === `${MANIFEST_ASSET}.minisig`);
  const minisig = signature === undefined ? null : await readAsset(source, { tag, ...signature }, scratch);
  return { manifest: parseManifest(text, where), signer: minisig === null ? null : signerIdOf(minisig, where) };
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
export async function observeCopyTarget(
  to: HostAddress,
  wanted: ReleaseWanted,
  world: World,
): Promise<{
  readonly published: readonly ChannelAsset[] | undefined;
  readonly reservation: Reservation | undefined;
  readonly problems: readonly HostProblem[];
}> {
  const view = openView(to, world);
  const published = await view.listRelease(wanted.tag);
  const problems = published === undefined ? await view.preflight(wanted) : [];
  return { published, reservation: await view.reservation(wanted.tag), problems };
}

/** True when the host has this very channel file, with its copies. */
export async function isChannelThere(to: HostAddress, { channel, text }: FoundChannel, world: World): Promise<boolean> {
  const view = openView(to, world);
  const there = await view.read(`channels/${channel.channel}.signed.json`, CHANNEL_MAX_BYTES);
  return there?.toString() === text && isChannelCopied(view, channel.channel);
}

/** The key statements of `from` that `to` lacks: those of the keys that signed the releases, up to the present one. */
export async function observeStatements(
  { from, to }: { readonly from: HostAddress; readonly to: HostAddress },
  keyIds: ReadonlySet<string>,
  world: World,
): Promise<readonly TextToPut[]> {
  const [here, there] = [openView(from, world), openView(to, world)];
  const texts: TextToPut[] = [];
  const waiting = [...keyIds];
  for (const id of waiting) {
    const path = statementPath(id);
    const text = (await here.read(path, STATEMENT_MAX_BYTES))?.toString();
    const minisig = (await here.read(`${path}.minisig`, STATEMENT_MAX_BYTES))?.toString();
    if (text === undefined || minisig === undefined) continue;
    const next = parsePublicKey(parseKeyStatement(text, path).new, path).keyId;
    if (!waiting.includes(next)) waiting.push(next);
    if ((await there.read(path, STATEMENT_MAX_BYTES))?.toString() === text) continue;
    texts.push({ path: `${path}.minisig`, text: minisig }, { path, text });
  }
  return texts;
}
