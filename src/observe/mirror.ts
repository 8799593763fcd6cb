// What a mirror has to copy: each source as it is today, and what its destinations have. Rule: questions go by HEAD, which counts on no pull limit; one that
// cannot be answered stops no other.
import { type Digest, digestOf } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import type { ImageToCopy, ManifestToCopy } from '../model/image-copy.ts';
import { INDEX_TYPES, parseManifestParts, selectPlatforms } from '../model/image-manifest.ts';
import { copiesOf, type MirrorCopy, type MirrorEntry } from '../model/mirror.ts';
import { needsTagList } from '../model/mirror-tags.ts';
import type { RegistrySource } from '../model/registry.ts';
import type { World } from '../model/seams.ts';
import { readLayout } from '../world/layout-files.ts';
import { type Limit, limitTo } from '../world/limit.ts';
import { registriesOf } from '../world/registries.ts';

/** Of one image: what is to be copied where, what is there, or why nobody knows. */
export interface ObservedCopy {
  readonly copy: MirrorCopy;
  readonly digest: Digest | null;
  /** Where it is as it should be. */
  readonly present: readonly ImageRef[];
  /** Undefined when it is everywhere, or could not be looked at. */
  readonly image: ImageToCopy | undefined;
  readonly error: ToolError | null;
}

const AT_ONCE = 32;
const DEEPEST_INDEX = 4;

/** The copies that the entries stand for today; patterns are matched with the tags that their registries list. */
export async function observeCopies(
  entries: readonly MirrorEntry[],
  world: World,
): Promise<{ readonly copies: readonly MirrorCopy[]; readonly failed: readonly (readonly [MirrorEntry, ToolError])[] }> {
  const registry = registriesOf(world);
  const limit = limitTo(AT_ONCE);
  const found = await Promise.all(
    entries.map(async (entry) => {
      try {
        const listed = needsTagList(entry.rules) ? await limit(() => registry.listTags(entry.source)) : [];
        const { copies, unmatched } = copiesOf(entry, listed);
        return { copies, failed: unmatched.map((text) => [entry, noMatch(entry, text)] as const) };
      } catch (error) {
        if (error instanceof ToolError && error.code !== 'E_INTERRUPTED') return { copies: [], failed: [[entry, error] as const] };
        throw error;
      }
    }),
  );
  return { copies: found.flatMap(({ copies }) => copies), failed: found.flatMap(({ failed }) => failed) };
}

/** Looks at sources and destinations of all copies, in their order. */
export async function observeMirror(copies: readonly MirrorCopy[], world: World): Promise<readonly ObservedCopy[]> {
  const looking = { registry: registriesOf(world), limit: limitTo(AT_ONCE) };
  let done = 0;
  return Promise.all(
    copies.map(async (copy) => {
      const observed = await observeCopy(copy, looking);
      done += 1;
      world.report({ type: 'progress', text: 'looking at images', done, total: copies.length, unit: 'items' });
      return observed;
    }),
  );
}

/** Throws E_NOT_FOUND for a folder that is no OCI image layout, and E_FORMAT for one that cannot be read. */
export async function observeLayout(folder: string): Promise<void> {
  if ((await readLayout(folder)) !== undefined) return;
  throw new ToolError('E_NOT_FOUND', `${folder} is no OCI image layout`, {
    hint: 'Name a folder that images were exported to, with `images mirror --to oci:DIR`.',
  });
}

interface Looking {
  readonly registry: RegistrySource;
  readonly limit: Limit;
}

async function observeCopy(copy: MirrorCopy, looking: Looking): Promise<ObservedCopy> {
  try {
    const root = await rootOf(copy, looking);
    const there = await Promise.all(copy.destinations.map((destination) => isWhole(destination, root.digest, looking)));
    const present = copy.destinations.filter((_, index) => there[index]);
    const missing = copy.destinations.filter((_, index) => !there[index]);
    const about = { copy, digest: root.digest, present, error: null };
    if (missing.length === 0) return { ...about, image: undefined };
    const manifests = await readTree(copy.source, root, looking);
    return { ...about, image: { name: copy.entry.name, source: copy.source, destinations: missing, manifests } };
  } catch (error) {
    if (error instanceof ToolError && error.code !== 'E_INTERRUPTED') return { copy, digest: null, present: [], image: undefined, error };
    throw error;
  }
}

interface Root {
  readonly digest: Digest;
  /** The text of an index that was made smaller. */
  readonly text?: string;
}

/** What the source is today; with a choice of platforms, what is left of it. */
async function rootOf({ source, entry }: MirrorCopy, { registry, limit }: Looking): Promise<Root> {
  if (entry.platforms === undefined) {
    const digest = source.digest ?? (await limit(() => registry.headManifest(source)))?.digest;
    if (digest !== undefined) return { digest };
    throw new ToolError('E_NOT_FOUND', `${printImageRef(source)} does not exist`, { hint: 'Check the spelling of repository and tag.' });
  }
  const { bytes, digest, mediaType } = await limit(() => registry.readManifest(source));
  const isIndex = (INDEX_TYPES as readonly string[]).includes(mediaType);
  const text = isIndex ? selectPlatforms(bytes, entry.platforms, printImageRef(source)) : undefined;
  return text === undefined ? { digest } : { digest: digestOf(text), text };
}

/** True when the destination has the image, and an index its children: what was interrupted or cleaned away is copied again. */
async function isWhole(destination: ImageRef, digest: Digest, { registry, limit }: Looking): Promise<boolean> {
  const head = await limit(() => registry.headManifest(destination.tag === undefined ? pinImage(destination, digest) : destination));
  if (head?.digest !== digest) return false;
  if (!(INDEX_TYPES as readonly string[]).includes(head.mediaType)) return true;
  try {
    const pinned = pinImage(destination, digest);
    const { bytes } = await limit(() => registry.readManifest(pinned));
    const { children } = parseManifestParts(bytes, printImageRef(pinned));
    const found = await Promise.all(
      children.map((child) =>
        isWhole({ registry: destination.registry, repository: destination.repository }, child.digest, { registry, limit }),
      ),
    );
    return found.every((there) => there);
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND') || isToolError(error, 'E_DIGEST')) return false;
    throw error;
  }
}

/** All manifests below the root, children first, each once. */
async function readTree(source: ImageRef, root: Root, looking: Looking): Promise<readonly ManifestToCopy[]> {
  const found = new Map<Digest, ManifestToCopy>();
  await visit(pinImage(source, root.digest), { found, looking, depth: 0, ...(root.text === undefined ? {} : { text: root.text }) });
  return [...found.values()];
}

interface Visit {
  readonly found: Map<Digest, ManifestToCopy>;
  readonly looking: Looking;
  readonly depth: number;
  readonly text?: string;
}

async function visit(ref: ImageRef, { found, looking, depth, text }: Visit): Promise<void> {
  const where = printImageRef(ref);
  if (depth > DEEPEST_INDEX) throw new ToolError('E_FORMAT', `${where}: an index nested more than ${DEEPEST_INDEX} deep`);
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

function noMatch({ source }: MirrorEntry, text: string): ToolError {
  return new ToolError('E_NOT_FOUND', `${printImageRef(source)}: no tag matches ${text}`, {
    hint: 'Look at its tags, and correct the pattern.',
  });
}
