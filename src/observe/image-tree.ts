// Images as registries keep them: an index, its children, their layers. Rule: questions go by HEAD, which counts on no pull limit, wherever it is enough.
import { type Digest, digestOf } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import type { ManifestToCopy } from '../model/image-copy.ts';
import { INDEX_TYPES, parseManifestParts } from '../model/image-manifest.ts';
import type { ManifestHead, RegistrySource, RegistryTarget } from '../model/registry.ts';
import type { KeptManifests } from '../world/kept-manifests.ts';
import type { Limit } from '../world/limit.ts';

export interface Looking {
  readonly registry: RegistrySource & Pick<RegistryTarget, 'hasBlob'>;
  readonly limit: Limit;
  /** Indexes that were read before. */
  readonly kept: KeptManifests;
  /** Ask for every layer of what is there, too: one question each. */
  readonly deep: boolean;
}

/** What an image is; for an index that was made smaller, its text, which no registry has. */
export interface Root {
  readonly digest: Digest;
  readonly text?: string;
}

const DEEPEST_INDEX = 4;

/**
 * True when the destination has the image, and an index its children: what was interrupted or cleaned away is copied again. A manifest stands for its
 * layers, which no registry takes it without; when looking deep they are asked for. `asked` = the question for the destination, when it is under way.
 */
export async function isWhole(
  destination: ImageRef,
  digest: Digest,
  looking: Looking,
  asked = headOf(destination.tag === undefined ? pinImage(destination, digest) : destination, looking),
): Promise<boolean> {
  const { registry, limit, deep } = looking;
  const place = { registry: destination.registry, repository: destination.repository };
  try {
    const head = await asked;
    if (head?.digest !== digest) return false;
    if (!isIndex(head) && !deep) return true;
    const pinned = pinImage(place, digest);
    const bytes = await readKept(pinned, digest, looking);
    const { children, blobs } = parseManifestParts(bytes, printImageRef(pinned));
    const below = children.map((child) => isWhole(place, child.digest, looking));
    const layers = deep ? blobs.map((blob) => limit(() => registry.hasBlob(place, blob))) : [];
    return (await Promise.all([...below, ...layers])).every((there) => there);
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND') || isToolError(error, 'E_DIGEST')) return false;
    throw error;
  }
}

/** Asks what a registry has under a name. */
export function headOf(ref: ImageRef, { registry, limit }: Looking): Promise<ManifestHead | undefined> {
  return limit(() => registry.headManifest(ref));
}

/** A manifest that its registry says it has: the bytes may come from here. */
async function readKept(ref: ImageRef, digest: Digest, { registry, limit, kept, deep }: Looking): Promise<Buffer> {
  const known = deep ? undefined : kept.read(digest);
  if (known !== undefined) return known;
  const { bytes } = await limit(() => registry.readManifest(ref));
  await kept.keep(digest, bytes);
  return bytes;
}

/** All manifests below the root, children first, each once. */
export async function readTree(source: ImageRef, root: Root, looking: Looking): Promise<readonly ManifestToCopy[]> {
  const found = new Map<Digest, ManifestToCopy>();
  await visit(pinImage(source, root.digest), { found, looking, depth: 0, ...(root.text === undefined ? {} : { text: root.text }) });
  return [...found.values()];
}

/** The digests of the image and of everything below it, found by reading indexes alone. */
export async function readDigests(source: ImageRef, root: Root, looking: Looking, depth = 0): Promise<readonly Digest[]> {
  const { registry, limit } = looking;
  const ref = pinImage(source, root.digest);
  const bytes = root.text === undefined ? (await limit(() => registry.readManifest(ref))).bytes : Buffer.from(root.text);
  if (depth > DEEPEST_INDEX) throw tooDeep(ref);
  const { children } = parseManifestParts(bytes, printImageRef(ref));
  const below = children.map((child) => (isIndex(child) ? readDigests(source, child, looking, depth + 1) : [child.digest]));
  return [...new Set([...(await Promise.all(below)).flat(), root.digest])];
}

export function isIndex({ mediaType }: Pick<ManifestHead, 'mediaType'>): boolean {
  return (INDEX_TYPES as readonly string[]).includes(mediaType);
}

interface Visit {
  readonly found: Map<Digest, ManifestToCopy>;
  readonly looking: Looking;
  readonly depth: number;
  readonly text?: string;
}

async function visit(ref: ImageRef, { found, looking, depth, text }: Visit): Promise<void> {
  const where = printImageRef(ref);
  if (depth > DEEPEST_INDEX) throw tooDeep(ref);
  const { registry, limit } = looking;
  const stored =
    text === undefined
      ? await limit(() => registry.readManifest(ref))
      : { digest: digestOf(text), bytes: Buffer.from(text), size: Buffer.byteLength(text), mediaType: typeOf(text) };
  const { children, blobs } = parseManifestParts(stored.bytes, where);
  await Promise.all(children.map(({ digest }) => limit(() => registry.readManifest(pinImage(ref, digest))))); // at once; the walk below finds them kept
  for (const { digest } of children) if (!found.has(digest)) await visit(pinImage(ref, digest), { found, looking, depth: depth + 1 });
  const unique = new Map(blobs.map(({ digest, size }) => [digest, { digest, size }]));
  const { digest, mediaType, size } = stored;
  found.set(digest, { digest, mediaType, size, blobs: [...unique.values()], ...(text === undefined ? {} : { text }) });
}

function typeOf(text: string): string {
  return String((JSON.parse(text) as { mediaType?: unknown }).mediaType ?? INDEX_TYPES[0]);
}

function tooDeep(ref: ImageRef): ToolError {
  return new ToolError('E_FORMAT', `${printImageRef(ref)}: an index nested more than ${DEEPEST_INDEX} deep`);
}
