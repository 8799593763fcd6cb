// What belongs to images beside themselves: signatures and attestations at cosign's tags, and what registries list as referring to them. Rule: one list of
// tags tells of a whole repository; nothing is asked for one image where nothing can be.
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import type { AttachedToCopy } from '../model/image-copy.ts';
import { parseManifestParts } from '../model/image-manifest.ts';
import { type AttachedPlace, cosignTags, fallbackTag, parseReferrers } from '../model/referrer.ts';
import { isWhole, type Looking, readTree } from './image-tree.ts';

/** One manifest that belongs to another. */
export interface Attached {
  readonly digest: Digest;
  readonly place: AttachedPlace;
}

/** A manifest that others may belong to. */
export interface Subject {
  readonly digest: Digest;
  /** Ask the registry for its list, too: a request for this manifest alone. */
  readonly listed: boolean;
}

/** The lists of tags of one run, by repository; undefined for a repository that does not list them. */
export type TagLists = Map<string, Promise<ReadonlySet<string> | undefined>>;

export interface LookingBeside extends Looking {
  readonly tags: TagLists;
}

const MOST_ATTACHED = 200;
/** A signature of an attestation belongs to the image too. */
const DEEPEST = 3;

/** True when the repository may hold anything that belongs to its images, as far as its tags tell. */
export async function hasAttachedTags(source: ImageRef, looking: LookingBeside): Promise<boolean> {
  const tags = await tagsOf(source, looking);
  return tags === undefined || [...tags].some((tag) => tag.startsWith('sha256-'));
}

/** All that belongs to these manifests in their repository, and to that, in turn. Throws E_TOO_LARGE. */
export async function observeAttached(
  source: ImageRef,
  subjects: readonly Subject[],
  looking: LookingBeside,
): Promise<readonly Attached[]> {
  const found: Attached[] = [];
  const seen = new Set(subjects.map(({ digest }) => digest));
  for (let [level, depth] = [subjects, 0]; level.length > 0 && depth < DEEPEST; depth += 1) {
    const below = await Promise.all(level.map(async (subject) => ({ subject, attached: await attachedTo(source, subject, looking) })));
    found.push(...below.flatMap(({ attached }) => attached));
    if (found.length > MOST_ATTACHED) throw tooMany(source);
    const next = below.flatMap(({ subject, attached }) => attached.map(({ digest }) => ({ digest, listed: subject.listed })));
    level = next.filter(({ digest }) => !seen.has(digest));
    for (const { digest } of level) seen.add(digest);
  }
  return found;
}

export interface AttachedThere {
  readonly missing: readonly Attached[];
  /** Tags whose manifest at the destination has signatures that the source's lacks: they are not overwritten. */
  readonly kept: readonly string[];
}

/** What of this the destination lacks. */
export async function observeAttachedThere(
  attached: readonly Attached[],
  { source, destination }: { readonly source: ImageRef; readonly destination: ImageRef },
  looking: LookingBeside,
): Promise<AttachedThere> {
  const lists = new Map<Digest, Promise<readonly Digest[]>>();
  const listed = (subject: Digest): Promise<readonly Digest[]> => {
    const list = lists.get(subject) ?? referrersOf(destination, { digest: subject, listed: true }, looking);
    lists.set(subject, list);
    return list;
  };
  const states = await Promise.all(
    attached.map(async ({ digest, place }) => {
      if ('tag' in place) return tagState({ digest, tag: place.tag, source, destination }, looking);
      if (!(await listed(place.subject)).includes(digest)) return 'missing';
      return !looking.deep || (await isWhole(placeOf(destination), digest, looking)) ? 'present' : 'missing';
    }),
  );
  const kept = attached.flatMap(({ place }, index) => (states[index] === 'kept' && 'tag' in place ? [place.tag] : []));
  return { missing: attached.filter((_, index) => states[index] === 'missing'), kept };
}

/** What is to be copied for them; one that the source lists and does not have is left out. */
export async function readAttached(attached: readonly Attached[], source: ImageRef, looking: Looking): Promise<readonly AttachedToCopy[]> {
  const read = attached.map(async ({ digest, place }): Promise<AttachedToCopy[]> => {
    const manifests = await orAbsent(readTree(placeOf(source), { digest }, looking));
    return manifests === undefined ? [] : [{ manifests, place }];
  });
  return (await Promise.all(read)).flat();
}

async function attachedTo(source: ImageRef, subject: Subject, looking: LookingBeside): Promise<readonly Attached[]> {
  const tags = await tagsOf(source, looking);
  const names = cosignTags(subject.digest).filter((tag) => tags?.has(tag) ?? true);
  const [tagged, referrers] = await Promise.all([
    Promise.all(names.map((tag) => taggedWith(source, tag, looking))),
    referrersOf(source, subject, looking),
  ]);
  return [...tagged.flat(), ...referrers.map((digest): Attached => ({ digest, place: { subject: subject.digest } }))];
}

async function taggedWith(source: ImageRef, tag: string, { registry, limit }: Looking): Promise<Attached[]> {
  const head = await orAbsent(limit(() => registry.headManifest({ ...placeOf(source), tag })));
  return head === undefined ? [] : [{ digest: head.digest, place: { tag } }];
}

/** What the registry lists, and what the index at the fallback tag does: some have one, some the other, and some both. */
async function referrersOf(ref: ImageRef, { digest, listed }: Subject, looking: LookingBeside): Promise<readonly Digest[]> {
  const { registry, limit } = looking;
  const place = placeOf(ref);
  const tag = fallbackTag(digest);
  const isTagged = (await tagsOf(ref, looking))?.has(tag) ?? true;
  const [list, index] = await Promise.all([
    listed ? limit(() => registry.listReferrers(pinImage(place, digest))) : undefined,
    isTagged ? orAbsent(limit(() => registry.readManifest({ ...place, tag }))) : undefined,
  ]);
  const indexed = index === undefined ? [] : parseReferrers(index.bytes, printImageRef({ ...place, tag }));
  return [...new Set([...(list ?? []), ...indexed].map((entry) => entry.digest))];
}

/** Cosign adds signatures to the manifest at its tag: what holds all of the destination's, and more, may replace it. */
async function tagState(
  { digest, tag, source, destination }: { digest: Digest; tag: string; source: ImageRef; destination: ImageRef },
  looking: Looking,
): Promise<'present' | 'missing' | 'kept'> {
  const { registry, limit } = looking;
  const there = { ...placeOf(destination), tag };
  const head = await limit(() => registry.headManifest(there));
  if (head === undefined) return 'missing';
  if (head.digest === digest) return !looking.deep || (await isWhole(there, digest, looking)) ? 'present' : 'missing';
  const [theirs, ours] = await Promise.all(
    [pinImage(there, head.digest), pinImage(placeOf(source), digest)].map(async (ref) => {
      const { bytes } = await limit(() => registry.readManifest(ref));
      return new Set(signaturesOf(bytes, printImageRef(ref)));
    }),
  );
  return [...(theirs ?? [])].every((signature) => ours?.has(signature)) ? 'missing' : 'kept';
}

/** Layers with their annotations, where the signature of the layer is; the configuration says nothing. */
function signaturesOf(bytes: Buffer, where: string): readonly string[] {
  parseManifestParts(bytes, where); // bounds what is read
  const { layers } = JSON.parse(bytes.toString('utf8')) as { layers?: readonly unknown[] };
  return (layers ?? []).map((layer) => JSON.stringify(layer));
}

function tagsOf(ref: ImageRef, { registry, limit, tags }: LookingBeside): Promise<ReadonlySet<string> | undefined> {
  const place = placeOf(ref);
  const name = printImageRef(place);
  const known = tags.get(name) ?? listTags();
  tags.set(name, known);
  return known;

  async function listTags(): Promise<ReadonlySet<string> | undefined> {
    try {
      return new Set(await limit(() => registry.listTags(place)));
    } catch (error) {
      if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
      return undefined; // a failed listing is not an empty one: each name is asked for
    }
  }
}

/** Some registries refuse access to what they do not have. */
async function orAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND') || isToolError(error, 'E_AUTH')) return undefined;
    throw error;
  }
}

function placeOf({ registry, repository }: ImageRef): ImageRef {
  return { registry, repository };
}

function tooMany(source: ImageRef): ToolError {
  return new ToolError('E_TOO_LARGE', `more than ${MOST_ATTACHED} signatures and attestations belong to ${printImageRef(source)}`, {
    hint: 'Mirror this image with --without-signatures.',
  });
}
