// The next slipway.lock.json. Rule: what did not change keeps its text, so that locking twice changes nothing.
import type { Digest } from '../model/digest.ts';
import { type ImageRef, printTagged, type ResolvedImage } from '../model/image.ts';
import { LOCK_TYPE, type LockedImage, type LockFile, lockedFor, lockedImage } from '../model/lock-file.ts';

/** One line of the difference between two lock files; an image without `before` is new, one without `after` is gone. */
export interface LockChange {
  readonly name: string;
  readonly before?: { readonly reference: string; readonly digest: Digest };
  readonly after?: { readonly reference: string; readonly digest: Digest };
}

export interface PlannedLock {
  readonly lock: LockFile;
  /** Sorted by name; empty = nothing to do. */
  readonly changes: readonly LockChange[];
}

export interface LockWish {
  readonly previous: LockFile;
  /** Every image that the lock is to hold; others leave it. */
  readonly resolved: readonly ResolvedImage[];
  /** The moment written beside digests that are new. */
  readonly moment: string;
}

/** Decides the lock file for these resolved images, and how it differs from the previous one. */
export function planLock(wish: LockWish): PlannedLock {
  const images = Object.fromEntries(wish.resolved.map((image) => [image.name, lockImage(image, wish)]));
  const lock: LockFile = { type: LOCK_TYPE, images, other: wish.previous.other };
  return { lock, changes: compareLocks(wish.previous, lock) };
}

/** The names of these images that the lock does not cover: absent, or locked for another reference. Sorted. */
export function findUnlocked(lock: LockFile, wanted: readonly { readonly name: string; readonly reference: ImageRef }[]): string[] {
  return wanted
    .filter(({ name, reference }) => lockedFor(lock, name, reference) === undefined)
    .map(({ name }) => name)
    .sort();
}

function lockImage({ name, reference, digest, platforms, size }: ResolvedImage, { previous, moment }: LockWish): LockedImage {
  const known = lockedFor(previous, name, reference);
  const same = known?.digest === digest;
  return { reference, digest, platforms, size, resolved: same ? known.resolved : moment, other: same ? known.other : {} };
}

function compareLocks(previous: LockFile, next: LockFile): LockChange[] {
  const names = [...new Set([...Object.keys(previous.images), ...Object.keys(next.images)])].sort();
  return names.flatMap((name) => {
    const before = summary(lockedImage(previous, name));
    const after = summary(lockedImage(next, name));
    if (before?.reference === after?.reference && before?.digest === after?.digest) return [];
    return [{ name, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
  });
}

function summary(image: LockedImage | undefined): LockChange['before'] {
  return image === undefined ? undefined : { reference: printTagged(image.reference), digest: image.digest };
}
