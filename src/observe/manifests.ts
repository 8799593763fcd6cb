// The manifests of a channel's releases, without their archives. Rule: verified like an install's own, and a release whose manifest is not what its channel file says is never compared with.
import { join } from 'node:path';
import type { KnownRelease } from '../model/adoption.ts';
import type { ChannelRelease } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import { MANIFEST_ASSET, type ReleaseSource } from '../model/host.ts';
import { type Trust, verifyManifest } from '../model/trust.ts';
import { readBounded } from '../world/folder-files.ts';

export interface ManifestsRequest {
  readonly source: ReleaseSource;
  readonly product: string;
  readonly trust: Trust;
  /** A private folder. */
  readonly scratch: string;
}

const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;
const AT_ONCE = 4;

/** In the order of the releases. Throws what downloads and `verifyManifest` throw, and E_FORMAT for a release without a manifest. */
export async function fetchManifests(releases: readonly ChannelRelease[], request: ManifestsRequest): Promise<KnownRelease[]> {
  const found: KnownRelease[] = [];
  for (let at = 0; at < releases.length; at += AT_ONCE)
    found.push(...(await Promise.all(releases.slice(at, at + AT_ONCE).map((release) => fetchOne(release, request)))));
  return found;
}

async function fetchOne(release: ChannelRelease, request: ManifestsRequest): Promise<KnownRelease> {
  const content = await fetchAsset(MANIFEST_ASSET, release, request);
  if (content === undefined)
    throw new ToolError('E_FORMAT', `${release.tag}: the channel file names no ${MANIFEST_ASSET}`, { hint: 'Tell the vendor.' });
  const signature = (await fetchAsset(`${MANIFEST_ASSET}.minisig`, release, request))?.toString() ?? null;
  return { release, manifest: verifyManifest(content, signature, { ...request, release }) };
}

async function fetchAsset(name: string, release: ChannelRelease, { source, scratch }: ManifestsRequest): Promise<Buffer | undefined> {
  const asset = release.assets.find((each) => each.name === name);
  if (asset === undefined) return undefined;
  const to = join(scratch, `${release.version}-${name}`);
  await source.download(release.tag, name, { to, maxBytes: Math.min(asset.size, MOST_MANIFEST_BYTES), sha256: asset.sha256 });
  return readBounded(to, MOST_MANIFEST_BYTES);
}
