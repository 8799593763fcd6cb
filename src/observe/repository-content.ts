// Everything that a repository has under tags, and when it was made. Rule: what an index names is looked at to the bottom, for nothing of it may go while it stays.
import type { Digest } from '../model/digest.ts';
import { isToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import { INDEX_TYPES, parseManifestParts } from '../model/image-manifest.ts';
import type { RepositoryFacts } from '../model/repository-facts.ts';
import type { World } from '../model/seams.ts';
import { limitTo } from '../world/limit.ts';
import { registriesOf } from '../world/registries.ts';
import { observeImageConfig } from './image-config.ts';
import { observeTagLists } from './image-tags.ts';

const AT_ONCE = 16;
const DEEPEST_INDEX = 4;

/** The repository, with what lies below those digests of `also` that it has. */
export async function observeRepository(image: ImageRef, also: readonly Digest[], world: World): Promise<RepositoryFacts> {
  const registry = registriesOf(world);
  const limit = limitTo(AT_ONCE);
  const [names = []] = await observeTagLists([image], world);
  const heads = await Promise.all(names.map((tag) => limit(() => registry.headManifest({ ...image, tag }))));
  const tags = new Map(names.flatMap((tag, index): [string, Digest][] => (heads[index] === undefined ? [] : [[tag, heads[index].digest]])));
  const indexes = heads.flatMap((head) => (head !== undefined && isIndex(head.mediaType) ? [head.digest] : []));
  const below = new Map<Digest, readonly Digest[]>();
  await Promise.all(
    [...new Set([...indexes, ...also])].map((digest) =>
      limit(async () => {
        const found = await digestsBelow(pinImage(image, digest), world, 0);
        if (found.length > 0) below.set(digest, found);
      }),
    ),
  );
  return { image, tags, below };
}

/** When each of these was made; what does not say so, or says a date before there were images, is left out. */
export async function observeDates(image: ImageRef, digests: readonly Digest[], world: World): Promise<ReadonlyMap<Digest, Date>> {
  const limit = limitTo(AT_ONCE);
  const created = await Promise.all(digests.map((digest) => limit(() => orGone(observeImageConfig(pinImage(image, digest), world)))));
  return new Map(
    digests.flatMap((digest, index): [Digest, Date][] => {
      const date = created[index]?.created;
      return date === undefined || date.getUTCFullYear() < 2010 ? [] : [[digest, date]];
    }),
  );
}

async function digestsBelow(ref: ImageRef, world: World, depth: number): Promise<Digest[]> {
  const manifest = depth > DEEPEST_INDEX ? undefined : await orGone(registriesOf(world).readManifest(ref));
  if (manifest === undefined) return [];
  const { children } = parseManifestParts(manifest.bytes, printImageRef(ref));
  const found: Digest[] = [];
  for (const { digest, mediaType } of children) {
    found.push(digest, ...(isIndex(mediaType) ? await digestsBelow(pinImage(ref, digest), world, depth + 1) : []));
  }
  return found;
}

function isIndex(mediaType: string): boolean {
  return (INDEX_TYPES as readonly string[]).includes(mediaType);
}

async function orGone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return undefined;
    throw error;
  }
}
