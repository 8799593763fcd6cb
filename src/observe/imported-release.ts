// The bundle of a release that was made before Slipway. Rule: its manifest lies beside it, and the archive holds exactly what that says.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolError } from '../model/error.ts';
import { MANIFEST_ASSET } from '../model/host.ts';
import type { ManifestFile } from '../model/manifest.ts';
import { verifyManifest } from '../model/trust.ts';
import { readBounded } from '../world/folder-files.ts';
import { digestOfTar, type ForeignFile, readForeignArchive } from '../world/foreign-archive.ts';
import type { BundleToOpen, OpenedBundle, ReleaseRequest } from './release.ts';

const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;

/** Unpacks an imported release, verified. Throws what `verifyManifest` throws, E_ARCHIVE, and E_DIGEST for what the manifest does not say. */
export async function openImported({ file, folder }: BundleToOpen, request: ReleaseRequest): Promise<OpenedBundle> {
  await mkdir(folder, { mode: 0o700 });
  const content = await readAsset(MANIFEST_ASSET, folder, request);
  if (content === undefined) throw refusal(`${request.release.tag} has no ${MANIFEST_ASSET}`);
  const signature = (await readAsset(`${MANIFEST_ASSET}.minisig`, folder, request))?.toString() ?? null;
  const manifest = verifyManifest(content, signature, request);
  if ((await digestOfTar(file)) !== manifest.artifact.tarSha256) throw refusal(`${manifest.artifact.name} is not what its manifest says`);
  const { files, places } = await readForeignArchive(file, { into: folder });
  const differing = manifest.files.find((wanted) => !files.some((found) => isSame(found, wanted)));
  if (differing !== undefined || files.length !== manifest.files.length) {
    throw refusal(`${manifest.artifact.name} does not hold the files that its manifest names`);
  }
  return { manifest, content, signature, places };
}

function isSame(found: ForeignFile, wanted: ManifestFile): boolean {
  return found.path === wanted.path && found.sha256 === wanted.sha256 && (found.executable ? '0755' : '0644') === wanted.mode;
}

async function readAsset(name: string, folder: string, { source, release: { tag, assets } }: ReleaseRequest): Promise<Buffer | undefined> {
  const asset = assets.find((each) => each.name === name);
  if (asset === undefined) return undefined;
  const to = join(folder, name);
  await source.download(tag, name, { to, maxBytes: Math.min(asset.size, MOST_MANIFEST_BYTES), sha256: asset.sha256 });
  return readBounded(to, MOST_MANIFEST_BYTES);
}

function refusal(message: string): ToolError {
  return new ToolError('E_DIGEST', message, { hint: 'It was damaged or replaced. Try another host, or tell the vendor.' });
}
