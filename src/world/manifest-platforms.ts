// The platforms and sizes of what a manifest names, wherever it is kept. Rule: an index is believed about platforms, and about nothing that can be measured.
import { ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import {
  compressedSize,
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
  const sizes = await measure(source, ref, { manifest: parseImageManifest(bytes, head.mediaType, printImageRef(ref)), depth: 1 });
  if (sizes.length === 0)
    throw new ToolError('E_FORMAT', `${printImageRef(ref)} names no image for any platform`, { hint: 'Push it again.' });
  const platforms = [...new Set(sizes.map(({ platform }) => platform))].sort();
  return { ...head, platforms, compressedSize: Math.max(...sizes.map(({ size }) => size)) };
}

interface PlatformSize {
  readonly platform: string;
  readonly size: number;
}

interface Found {
  readonly manifest: ImageManifest;
  readonly depth: number;
  /** What the index says; otherwise the image's configuration is asked. */
  readonly platform?: string;
}

async function measure(source: Source, ref: ImageRef, { manifest, depth, platform }: Found): Promise<PlatformSize[]> {
  if (manifest.kind === 'image') {
    return [{ platform: platform ?? (await readPlatform(source, ref, manifest.config)), size: compressedSize(manifest) }];
  }
  if (depth > DEEPEST_INDEX) throw new ToolError('E_FORMAT', `${printImageRef(ref)}: an index nested more than ${DEEPEST_INDEX} deep`);
  const sizes = await Promise.all(manifest.entries.map((entry) => measureEntry(source, ref, { entry, depth })));
  return sizes.flat();
}

async function measureEntry(
  source: Source,
  ref: ImageRef,
  { entry, depth }: { entry: IndexEntry; depth: number },
): Promise<PlatformSize[]> {
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
