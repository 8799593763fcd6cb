// Which images upstream has moved on from. Rule: a tag is newer only in its own line of tags; a digest that differs from the lock is told, whatever the tags say.
import type { ImageRef } from '../model/image.ts';
import { readRef } from '../model/image.ts';
import { mirrorHome, thirdPartyReference } from '../model/image-table.ts';
import { newerTag, shapeOfTag, type TagChange } from '../model/image-tag.ts';
import { type LockFile, lockedFor } from '../model/lock-file.ts';
import { type MirrorEntry, planMirrorNames } from '../model/mirror.ts';
import type { Product } from '../model/product.ts';

/** One tag in use. */
export interface UsedTag {
  readonly name: string;
  readonly group: string;
  /** Upstream, with its tag. */
  readonly source: ImageRef;
  readonly tag: string;
  readonly locked: string | undefined;
}

export interface TagStanding {
  /** The tag itself when there is none newer; null when it has no number to compare. */
  readonly newest: string | null;
  readonly change: TagChange | null;
}

/** The tags that the product uses: of a list, those that have no newer one in the list. Patterns follow by themselves, and digests have no order. */
export function usedTags(product: Product, lock: LockFile): UsedTag[] {
  return planMirrorNames(product).entries.flatMap((entry) => {
    const { name, group, source, rules } = entry;
    const tags = rules.flatMap((rule) => (rule.kind === 'tag' ? [rule.tag] : []));
    const newest = tags.filter((tag) => newerTag(tag, tags) === undefined);
    return newest.map((tag) => ({ name, group, source: { ...source, tag }, tag, locked: lockedDigest(product, entry, lock) }));
  });
}

function lockedDigest({ images }: Product, { name, path }: MirrorEntry, lock: LockFile): string | undefined {
  const image = images.thirdParty.find(({ group, index }) => path[2] === group && path[3] === index);
  const reference = image === undefined ? undefined : thirdPartyReference(image, mirrorHome(images));
  const ref = reference === undefined ? undefined : readRef(reference);
  return ref === undefined ? undefined : lockedFor(lock, name, ref)?.digest;
}

/** How the tag stands among those of its repository. */
export function standingOfTag(tag: string, listed: readonly string[]): TagStanding {
  const newer = newerTag(tag, listed);
  if (newer !== undefined) return { newest: newer.tag, change: newer.change };
  return { newest: shapeOfTag(tag) === undefined ? null : tag, change: null };
}
