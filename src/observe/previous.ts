// The release before the one that is made, as the authority has it. Rule: verified like an install would; nothing there is a fact, not an error.
import { CHANNEL_MAX_BYTES } from '../model/channel.ts';
import { digestOf } from '../model/digest.ts';
import { type HostAddress, MANIFEST_ASSET } from '../model/host.ts';
import { type Manifest, parseManifest } from '../model/manifest.ts';
import { verifyChannel } from '../model/trust.ts';
import { compareVersions, type Version, versionOf } from '../model/version.ts';
import { type HostWorld, openView } from '../world/hosts.ts';

const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;

export interface PreviousRequest {
  readonly host: HostAddress;
  readonly product: string;
  readonly channel: string;
  /** Only releases below this version count; undefined = all. */
  readonly below: Version | undefined;
  readonly publicKey: string | null;
}

/** The manifest of the highest live release of the channel below this version; undefined when there is none. Throws what `verifyChannel` throws. */
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
  const earlier = releases.filter((release) => release.status !== 'yanked' && isBelow(release.version, below));
  const [latest] = earlier.sort((a, b) => compareVersions(b.version as Version, a.version as Version));
  if (latest === undefined) return undefined;
  const bytes = await view.read(`releases/${latest.tag}/${MANIFEST_ASSET}`, MOST_MANIFEST_BYTES);
  return bytes === undefined || digestOf(bytes) !== latest.manifest
    ? undefined
    : parseManifest(bytes.toString(), `${MANIFEST_ASSET} of ${latest.tag}`);
}

function isBelow(text: string, below: Version | undefined): boolean {
  const version = versionOf(text);
  return version !== undefined && (below === undefined || compareVersions(version, below) < 0);
}
