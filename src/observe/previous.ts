// The release before the one that is made, as the authority has it. Rule: verified like an install would; nothing there is a fact, not an error.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANNEL_MAX_BYTES } from '../model/channel.ts';
import { digestOf } from '../model/digest.ts';
import { type HostAddress, MANIFEST_ASSET, publicLocation } from '../model/host.ts';
import { type Manifest, parseManifest } from '../model/manifest.ts';
import { verifyChannel } from '../model/trust.ts';
import { compareVersions, type Version, versionOf } from '../model/version.ts';
import { type HostWorld, openSource, openView } from '../world/hosts.ts';
import { makeScratch } from '../world/scratch.ts';

const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;

export interface PreviousRequest {
  readonly host: HostAddress;
  readonly product: string;
  readonly channel: string;
  /** Only releases below this version count; undefined = all. */
  readonly below: Version | undefined;
  readonly publicKey: string | null;
}

/** The manifest of the highest release of the channel below this version that was neither yanked nor imported; undefined when there is none. Throws what `verifyChannel` throws. */
export async function observePrevious(
  { host, product, channel, below, publicKey }: PreviousRequest,
  world: HostWorld,
): Promise<Manifest | undefined> {
  const view = openView(host, world);
  const path = `channels/${channel}.signed.json`;
  const text = (await view.read(path, CHANNEL_MAX_BYTES))?.toString();
  if (text === undefined) return undefined;
  const trust = { key: publicKey, signed: publicKey !== null, sequences: {} };
  const where = `${path} of ${view.label}`;
  const { releases } = verifyChannel(text, { product, channel, trust, now: new Date(0), where, acceptExpired: true }).channel;
  const earlier = releases.filter((release) => release.status !== 'yanked' && !release.imported && isBelow(release.version, below));
  const [latest] = earlier.sort((a, b) => compareVersions(b.version as Version, a.version as Version));
  if (latest === undefined) return undefined;
  const bytes = await readManifest(host, latest.tag, world);
  return bytes === undefined || digestOf(bytes) !== latest.manifest
    ? undefined
    : parseManifest(bytes.toString(), `${MANIFEST_ASSET} of ${latest.tag}`);
}

/** From where installs read it, unless the host is a folder at hand. */
async function readManifest(host: HostAddress, tag: string, world: HostWorld): Promise<Buffer | undefined> {
  if (host.type === 'folder') return openView(host, world).read(`releases/${tag}/${MANIFEST_ASSET}`, MOST_MANIFEST_BYTES);
  const location = publicLocation(host);
  if (location === undefined) return undefined;
  const to = join(await makeScratch(), MANIFEST_ASSET);
  await openSource(location, world).download(tag, MANIFEST_ASSET, { to, maxBytes: MOST_MANIFEST_BYTES });
  return readFile(to);
}

function isBelow(text: string, below: Version | undefined): boolean {
  const version = versionOf(text);
  return version !== undefined && (below === undefined || compareVersions(version, below) < 0);
}
