// The platforms and sizes of what a manifest names, wherever it is kept. Rule: an index is believed about platforms, and about nothing that can be measured.
import { ToolError } from '../model/error.ts';
import { type ImageRef, type PlatformParts, pinImage, printImageRef } from '../model/image.ts';
import {
  blobsOf,
  type Descriptor,
  type ImageManifest,
  type IndexEntry,
  parseConfigPlatform,
  parseImageManifest,
} from '../model/image-manifest.ts';
import type { RegistrySource, ResolvedManifest } from '../model/registry.ts';

const LARGEST_CONFIG = 8 * 1024 * 1024;
const DEEPEST_INDEX = 3;

type Source = Pick<RegistrySource, 'readManifest' | 'readBlob'>;

/** See `RegistrySource.resolveManifest`. */
export async function resolveManifest(source: Source, ref: ImageRef): Promise<ResolvedManifest> {
  const { bytes, ...head } = await source.readManifest(ref);
  const parts = await measure(source, ref, { manifest: parseImageManifest(bytes, head.mediaType, printImageRef(ref)), depth: 1 });
  if (parts.length === 0)
    throw new ToolError('E_FORMAT', `${printImageRef(ref)} names no image for any platform`, { hint: 'Push it again.' });
  const platforms = [...new Set(parts.map(({ platform }) => platform))].sort();
  const sizes = parts.map(({ blobs }) => blobs.reduce((sum, { size }) => sum + size, 0));
  return { ...head, platforms, compressedSize: Math.max(...sizes), parts };
}

interface Found {
  readonly manifest: ImageManifest;
  readonly depth: number;
  /** What the index says; otherwise the image's configuration is asked. */
  readonly platform?: string;
}

async function measure(source: Source, ref: ImageRef, { manifest, depth, platform }: Found): Promise<PlatformParts[]> {
  if (manifest.kind === 'image') {
    return [{ platform: platform ?? (await readPlatform(source, ref, manifest.config)), blobs: blobsOf(manifest) }];
  }
  if (depth > DEEPEST_INDEX) throw new ToolError('E_FORMAT', `${printImageRef(ref)}: an index nested more than ${DEEPEST_INDEX} deep`);
  const parts = await Promise.all(manifest.entries.map((entry) => measureEntry(source, ref, { entry, depth })));
  return parts.flat();
}

async function measureEntry(
  source: Source,
  ref: ImageRef,
  { entry, depth }: { entry: IndexEntry; depth: number },
): Promise<PlatformParts[]> {
  const child = await source.readManifest(pinImage(ref, entry.digest));
  if (child.size !== entry.size || child.mediaType !== entry.mediaType) {
    throw new ToolError('E_DIGEST', `${printImageRef(ref)}: its index describes ${entry.digest} with another size or type`);
  }
  const manifest = parseImageManifest(child.bytes, child.mediaType, printImageRef(pinImage(ref, entry.digest)));
  return measure(source, ref, { manifest, depth: depth + 1, ...(entry.platform === undefined ? {} : { platform: entry.platform }) });
}

async function readPlatform(source: Source, ref: ImageRef, config: Descriptor): Promise<string> {
  const where = `${printImageRef(ref)}: configuration`;
  if (config.size > LARGEST_CONFIG) throw new ToolError('E_TOO_LARGE', `${where}: more than ${LARGEST_CONFIG} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of source.readBlob(ref, config)) chunks.push(chunk);
  return parseConfigPlatform(Buffer.concat(chunks), where);
}
