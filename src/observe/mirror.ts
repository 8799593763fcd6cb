// What a mirror has to copy: each source as it is today, and what its destinations have. Rule: questions go by HEAD, which counts on no pull limit; one that
// cannot be answered stops no other.
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import type { ImageToCopy } from '../model/image-copy.ts';
import { selectPlatforms } from '../model/image-manifest.ts';
import { copiesOf, type MirrorCopy, type MirrorEntry } from '../model/mirror.ts';
import { needsTagList } from '../model/mirror-tags.ts';
import type { ManifestHead } from '../model/registry.ts';
import type { World } from '../model/seams.ts';
import { openKeptManifests } from '../world/kept-manifests.ts';
import { readLayout } from '../world/layout-files.ts';
import { limitTo } from '../world/limit.ts';
import { registriesOf } from '../world/registries.ts';
import {
  type Attached,
  hasAttachedTags,
  type LookingBeside,
  observeAttached,
  observeAttachedThere,
  readAttached,
  type Subject,
} from './attached.ts';
import { headOf, isIndex, isWhole, type Root, readDigests, readTree } from './image-tree.ts';

export interface MirrorLook {
  /** Ask for every layer of what is there, and for what belongs to every part of it. */
  readonly deep: boolean;
  /** Signatures, attestations and what else belongs to an image come along. */
  readonly signatures: boolean;
}

/** Of one image: what is to be copied where, what is there, or why nobody knows. */
export interface ObservedCopy {
  readonly copy: MirrorCopy;
  readonly digest: Digest | null;
  /** Where it is as it should be. */
  readonly present: readonly ImageRef[];
  /** Empty when it is everywhere, or could not be looked at. */
  readonly images: readonly ImageToCopy[];
  /** How many signatures, attestations and lists belong to it. */
  readonly attached: number;
  /** What a person must know of it. */
  readonly notes: readonly string[];
  readonly error: ToolError | null;
}

const AT_ONCE = 32;

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
export async function observeMirror(copies: readonly MirrorCopy[], look: MirrorLook, world: World): Promise<readonly ObservedCopy[]> {
  const looking = { registry: registriesOf(world), limit: limitTo(AT_ONCE), tags: new Map(), kept: openKeptManifests(world), ...look };
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

type Work = LookingBeside & MirrorLook;

async function observeCopy(copy: MirrorCopy, work: Work): Promise<ObservedCopy> {
  try {
    if (work.signatures) hasAttachedTags(copy.source, work).catch(() => undefined); // asked meanwhile
    const asked = copy.destinations.map((destination) => askAhead(destination, work));
    const root = await rootOf(copy, work);
    const there = await Promise.all(copy.destinations.map((destination, index) => isWhole(destination, root.digest, work, asked[index])));
    const present = copy.destinations.filter((_, index) => there[index]);
    const missing = copy.destinations.filter((_, index) => !there[index]);
    const attached = work.signatures ? await observeAttached(copy.source, await subjectsOf(copy, { root, missing }, work), work) : [];
    const notes = work.signatures && root.original !== undefined ? await notesOnSmaller(copy.source, root.original, work) : [];
    const found = await imagesToCopy({ copy, root, missing, attached }, work);
    return {
      copy,
      digest: root.digest,
      present,
      images: found.images,
      attached: attached.length,
      notes: [...notes, ...found.notes],
      error: null,
    };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return { copy, digest: null, present: [], images: [], attached: 0, notes: [], error };
  }
}

/** What a tag names at its destination can be asked before it is known what it should name. */
function askAhead(destination: ImageRef, work: Work): Promise<ManifestHead | undefined> | undefined {
  if (destination.tag === undefined) return undefined;
  const asked = headOf(destination, work);
  asked.catch(() => undefined); // who waits for it is told, when anybody does
  return asked;
}

interface CopyRoot extends Root {
  /** What the source has under the name, when that is an index that was made smaller. */
  readonly original?: Digest;
}

/** What the source is today; with a choice of platforms, what is left of it. */
async function rootOf({ source, entry }: MirrorCopy, { registry, limit }: Work): Promise<CopyRoot> {
  if (entry.platforms === undefined) {
    const digest = source.digest ?? (await limit(() => registry.headManifest(source)))?.digest;
    if (digest !== undefined) return { digest };
    throw new ToolError('E_NOT_FOUND', `${printImageRef(source)} does not exist`, { hint: 'Check the spelling of repository and tag.' });
  }
  const manifest = await limit(() => registry.readManifest(source));
  const { bytes, digest } = manifest;
  const text = isIndex(manifest) ? selectPlatforms(bytes, entry.platforms, printImageRef(source)) : undefined;
  return text === undefined ? { digest } : { digest: digestOf(text), text, original: digest };
}

interface Looked {
  readonly root: CopyRoot;
  readonly missing: readonly ImageRef[];
}

/** Whose lists are asked for: of an image that is everywhere its own, otherwise those of all its parts; tags are known of all. */
async function subjectsOf({ source }: MirrorCopy, { root, missing }: Looked, work: Work): Promise<readonly Subject[]> {
  const thorough = work.deep || missing.length > 0;
  const digests = thorough || (await hasAttachedTags(source, work)) ? await readDigests(source, root, work) : [root.digest];
  const known = digests.filter((digest) => root.original === undefined || digest !== root.digest); // nobody has seen one that was made smaller
  return known.map((digest) => ({ digest, listed: thorough || digest === root.digest }));
}

interface Wanted extends Looked {
  readonly copy: MirrorCopy;
  readonly attached: readonly Attached[];
}

/** The image for all destinations that lack it; with what belongs to it, one for each that lacks any of that. */
async function imagesToCopy(
  { copy, root, missing, attached }: Wanted,
  work: Work,
): Promise<{ readonly images: readonly ImageToCopy[]; readonly notes: readonly string[] }> {
  const { source, entry, destinations } = copy;
  const named = { name: entry.name, source };
  const manifests = missing.length === 0 ? [] : await readTree(source, root, work);
  if (attached.length === 0) return { images: missing.length === 0 ? [] : [{ ...named, destinations: missing, manifests }], notes: [] };
  const found = await Promise.all(
    destinations.map(async (destination) => {
      const there = await observeAttachedThere(attached, { source, destination }, work);
      const lacks = await readAttached(there.missing, source, work);
      const image = { ...named, destinations: [destination], manifests: missing.includes(destination) ? manifests : [], attached: lacks };
      const notes = there.kept.map((tag) => `${printImageRef({ ...destination, tag })} has signatures of its own and is left as it is.`);
      return { images: image.manifests.length + lacks.length === 0 ? [] : [image], notes };
    }),
  );
  return { images: found.flatMap(({ images }) => images), notes: found.flatMap(({ notes }) => notes) };
}

async function notesOnSmaller(source: ImageRef, original: Digest, work: Work): Promise<string[]> {
  const lost = await observeAttached(source, [{ digest: original, listed: true }], work);
  if (lost.length === 0) return [];
  return [
    `${printImageRef(source)} is signed as a whole; with fewer platforms that signature does not fit any more, and only those of its platforms come along.`,
  ];
}

function noMatch({ source }: MirrorEntry, text: string): ToolError {
  return new ToolError('E_NOT_FOUND', `${printImageRef(source)}: no tag matches ${text}`, {
    hint: 'Look at its tags, and correct the pattern.',
  });
}
