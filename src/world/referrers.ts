// Manifests that refer to others (distribution-spec 1.1: Listing Referrers, Pushing Manifests with Subject). Rule: a registry that does not list them is asked
// once; then the list is an index at a tag, which is read, changed and written by one at a time.
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import type { Descriptor } from '../model/image-manifest.ts';
import { addReferrer, fallbackTag, parseReferrers } from '../model/referrer.ts';
import type { RegistrySource, RegistryTarget, StoredManifest } from '../model/registry.ts';
import { type Ask, reasonOf, refusedAnswer } from './registry-session.ts';
import { nextPage } from './registry-tags.ts';

/** How one kind of place reads and writes manifests. */
export interface ReferrerPlace {
  readonly list: RegistrySource['listReferrers'];
  readonly readManifest: RegistrySource['readManifest'];
  /** Puts it; gives the subject under which the place lists it, where it says so. */
  readonly putManifest: (ref: ImageRef, manifest: StoredManifest) => Promise<string | undefined>;
}

const LARGEST_PAGE = 4 * 1024 * 1024;
const MOST_PAGES = 20;
const MOST_REFERRERS = 200;
const TRIES = 3;
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
/** What a registry answers for a list of a repository or an image that it does not have: it may well have lists. */
const NOTHING_THERE = ['NAME_UNKNOWN', 'MANIFEST_UNKNOWN'];

/** The listing of registries: whether one has the API is asked once. */
export function listByApi(ask: Ask): RegistrySource['listReferrers'] {
  const have = new Map<string, Promise<boolean>>();
  return async (ref) => {
    const known = have.get(ref.registry);
    if (known !== undefined) return (await known) ? readList(ask, ref) : undefined;
    const first = readList(ask, ref);
    const isThere = first.then(
      (list) => list !== undefined,
      () => true,
    );
    have.set(ref.registry, isThere);
    return first;
  };
}

/** Puts what refers to another manifest; changes of one list wait for each other. */
export function putReferrers(place: ReferrerPlace): RegistryTarget['putReferrer'] {
  const changes = new Map<string, Promise<void>>();
  return async (ref, manifest, subject) => {
    if ((await place.putManifest(ref, manifest)) === subject) return;
    const listed = await place.list(pinImage(ref, subject)); // some list it without saying so
    if (listed?.some(({ digest }) => digest === manifest.digest)) return;
    const list: ImageRef = { registry: ref.registry, repository: ref.repository, tag: fallbackTag(subject) };
    const key = printImageRef(list);
    const changed = (changes.get(key) ?? Promise.resolve()).then(() => changeList(place, list, manifest));
    const settled = changed.catch(() => undefined);
    changes.set(key, settled);
    await changed;
  };
}

/** Adds it to the index at the tag, and looks whether it stayed there: other programs write it too. */
async function changeList(place: ReferrerPlace, list: ImageRef, manifest: StoredManifest): Promise<void> {
  for (let tries = 0; tries <= TRIES; tries += 1) {
    const changed = addReferrer(await listAt(place, list), manifest, printImageRef(list));
    if (changed === undefined) return;
    if (tries < TRIES) await place.putManifest(list, changed);
  }
  throw new ToolError('E_CONFLICT', `${printImageRef(list)} lost ${manifest.digest} each time it was written`, {
    hint: 'Somebody else writes there too. Run the same command again.',
  });
}

async function listAt({ readManifest }: ReferrerPlace, list: ImageRef): Promise<Buffer | undefined> {
  try {
    return (await readManifest(list)).bytes;
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** All pages of the list; undefined when the registry has none for any image. */
async function readList(ask: Ask, ref: ImageRef): Promise<readonly Descriptor[] | undefined> {
  const where = `${printImageRef(ref)}: referrers`;
  const found: Descriptor[] = [];
  const seen = new Set<string>();
  for (let path: string | undefined = `referrers/${ref.digest as Digest}`; path !== undefined; ) {
    if (seen.size === MOST_PAGES || seen.has(path) || found.length > MOST_REFERRERS) throw tooMany(where);
    seen.add(path);
    const page = await readPage(ask, ref, path);
    if (page === undefined) return undefined;
    found.push(...parseReferrers(page.body, where));
    path = page.next;
  }
  return found;
}

interface Page {
  readonly body: Buffer;
  readonly next: string | undefined;
}

async function readPage(ask: Ask, ref: ImageRef, path: string): Promise<Page | undefined> {
  try {
    const answer = await ask(ref, { path, method: 'GET', accept: INDEX_TYPE, maxBytes: LARGEST_PAGE });
    const isList = answer.headers['content-type']?.split(';')[0]?.trim() === INDEX_TYPE;
    if (answer.status === 200 && isList) return { body: answer.body, next: nextPage(answer, ref) };
    if (answer.status === 404 && NOTHING_THERE.includes(reasonOf(answer)[0] ?? '')) return { body: Buffer.from('{}'), next: undefined };
    if (answer.status < 500 || answer.status === 501) return undefined; // 404 mostly; 400, 405, 406 and web pages are seen too
    throw refusedAnswer(answer, ref);
  } catch (error) {
    if (isToolError(error, 'E_AUTH')) return undefined; // the image itself may be read: what is refused is the question
    throw error;
  }
}

function tooMany(where: string): ToolError {
  return new ToolError('E_TOO_LARGE', `${where} have no end`, { hint: 'Mirror this image with --without-signatures.' });
}
