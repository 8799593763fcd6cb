// slipway.lock.json: the digests that a product's images were resolved to (contract: slipway/lock@1). Rule: committed, so its text is stable.
import { type Digest, parseDigest } from './digest.ts';
import { type ImageRef, parseImageRef, printTagged } from './image.ts';
import { prettyJson } from './json.ts';
import { type Fields, parseCount, parseFields, parseJson, parseList, parseMap, parseMoment, parseText, parseType } from './parse.ts';

export const LOCK_TYPE = 'slipway/lock@1';
export const LOCK_FILE_NAME = 'slipway.lock.json';

export interface LockedImage {
  readonly reference: ImageRef;
  readonly digest: Digest;
  readonly platforms: readonly string[];
  /** Compressed bytes of the largest platform. */
  readonly size: number;
  /** When this digest was first seen. */
  readonly resolved: string;
  /** Fields of a newer tool, kept as they are. */
  readonly other: Fields;
}

export interface LockFile {
  readonly type: typeof LOCK_TYPE;
  readonly images: Readonly<Record<string, LockedImage>>;
  /** Fields of a newer tool, kept as they are. */
  readonly other: Fields;
}

export const EMPTY_LOCK: LockFile = { type: LOCK_TYPE, images: {}, other: {} };

/** Parses the text of a lock file; throws E_WRONG_TYPE or E_FORMAT naming the field. */
export function parseLockFile(text: string, where = LOCK_FILE_NAME): LockFile {
  const { type: _, images, ...other } = checkedFields(text, where);
  return { type: LOCK_TYPE, images: parseMap(images, `${where}: images`, parseLockedImage), other };
}

/** The text of a lock file: pretty, images sorted by name, the same text for the same content. */
export function printLockFile(lock: LockFile): string {
  const names = Object.keys(lock.images).sort();
  const images = Object.fromEntries(names.map((name) => [name, printLockedImage(lock.images[name] as LockedImage)]));
  return prettyJson({ type: lock.type, images, ...lock.other });
}

/** The locked image of this name, or undefined. */
export function lockedImage(lock: LockFile, name: string): LockedImage | undefined {
  return Object.hasOwn(lock.images, name) ? lock.images[name] : undefined;
}

/** The locked image of this name when it was locked for this very reference; a reference that was edited since has no lock. */
export function lockedFor(lock: LockFile, name: string, reference: ImageRef): LockedImage | undefined {
  const locked = lockedImage(lock, name);
  if (locked === undefined || printTagged(locked.reference) !== printTagged(reference)) return undefined;
  return reference.digest === undefined || reference.digest === locked.digest ? locked : undefined;
}

function checkedFields(text: string, where: string): Fields {
  const fields = parseFields(parseJson(text, where), where);
  parseType(fields, LOCK_TYPE, where);
  return fields;
}

function parseLockedImage(value: unknown, where: string): LockedImage {
  const { reference, digest, platforms, size, resolved, ...other } = parseFields(value, where);
  return {
    reference: parseImageRef(reference, `${where}.reference`),
    digest: parseDigest(digest, `${where}.digest`),
    platforms: parseList(platforms, `${where}.platforms`, parseText),
    size: parseCount(size, `${where}.size`),
    resolved: parseMoment(resolved, `${where}.resolved`),
    other,
  };
}

function printLockedImage({ reference, digest, platforms, size, resolved, other }: LockedImage): Fields {
  return { reference: printTagged(reference), digest, platforms, size, resolved, ...other };
}
