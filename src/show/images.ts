// The image table and what is newer, as a person reads them. Rule: one line an image; digests short, because people compare only beginnings.
import { sizeToText } from '../model/units.ts';
import { columnsToText } from './columns.ts';

export interface ListedImage {
  readonly name: string;
  readonly kind: 'own' | 'third-party';
  readonly group: string | null;
  /** What the bundle pulls; null for an image that is only mirrored. */
  readonly reference: string | null;
  readonly source: string | null;
  /** Of an image that is mirrored by a list of tags: as written. */
  readonly tags: readonly string[] | null;
  /** Where a mirror puts it. */
  readonly destinations: readonly string[];
  readonly platforms: readonly string[];
  readonly digest: string | null;
  /** Compressed bytes of the largest platform. */
  readonly size: number | null;
}

export interface OutdatedImage {
  readonly name: string;
  readonly group: string;
  /** Upstream, with the current tag. */
  readonly source: string;
  readonly current: string;
  /** The current one when there is none newer; null when that is not known. */
  readonly newest: string | null;
  readonly change: 'major' | 'minor' | 'patch' | null;
  /** Digest in the lock, and upstream today. */
  readonly locked: string | null;
  readonly digest: string | null;
  /** The tag is another image upstream than the locked one. */
  readonly drifted: boolean;
  /** Why it could not be looked at. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The lines of `images list`. */
export function imagesToText(images: readonly ListedImage[]): string {
  const head = ['NAME', 'GROUP', 'FROM', 'TO', 'DIGEST', 'SIZE', 'PLATFORMS'];
  return images.length === 0 ? '' : columnsToText([head, ...images.map(imageRow)]);
}

function imageRow({ kind, name, group, reference, source, tags, destinations, platforms, digest, size }: ListedImage): string[] {
  const from = source === null ? (reference ?? '') : `${source}${tags === null ? '' : ` ${tags.join(' ')}`}`;
  const known = tags !== null ? 'mirrored only' : kind === 'own' ? 'asked at pack' : 'not locked';
  const to = kind === 'own' ? '-' : destinations.join(' ') || '-';
  const amount = size === null ? '-' : sizeToText(size);
  return [name, group ?? 'own', from, to, digest === null ? known : shortDigest(digest), amount, platforms.join(' ') || '-'];
}

export interface MirroredImage {
  readonly source: string;
  readonly destinations: readonly string[];
  readonly outcome: 'copied' | 'present' | 'failed';
  readonly bytes: number;
  readonly error: string | null;
}

/** The report of `images mirror`: what was copied and what failed; the rest is counted. */
export function mirrorToText(images: readonly MirroredImage[], notes: readonly string[] = []): string {
  const told = images.filter(({ outcome }) => outcome !== 'present');
  const present = images.length - told.length;
  const rows = told.map(({ source, destinations, outcome, bytes, error }) => [
    outcome,
    source,
    `-> ${destinations.join(' ')}`,
    error ?? (bytes === 0 ? 'its layers were there' : sizeToText(bytes)),
  ]);
  const quiet = present === 0 ? '' : `${told.length === 0 ? 'nothing to copy: ' : ''}${present} images are there already\n`;
  const lines = notes.map((note) => `note: ${note}\n`).join('');
  return `${rows.length === 0 ? '' : columnsToText(rows)}${quiet}${lines}`;
}

/** The lines of `images outdated`: what is newer, what moved and what failed; the rest is counted. */
export function outdatedToText(images: readonly OutdatedImage[]): string {
  const told = images.filter((image) => notesOf(image).length > 0);
  const quiet = images.length - told.length;
  const rows = columnsToText(
    told.map((image) => [image.name, image.current, isNewer(image) ? `-> ${image.newest}` : '', notesOf(image).join('; ')]),
  );
  if (told.length === 0) return `nothing newer (${quiet} looked at)\n`;
  return quiet === 0 ? rows : `${rows}nothing newer for the rest (${quiet})\n`;
}

/** True when a newer tag is known. */
export function isNewer({ newest, current }: Pick<OutdatedImage, 'newest' | 'current'>): boolean {
  return newest !== null && newest !== current;
}

function notesOf(image: OutdatedImage): string[] {
  if (image.error !== null) return [`not known: ${image.error.message}`];
  const notes = image.change === null ? [] : [image.change];
  if (image.digest === null) return [...notes, 'the current tag is gone upstream'];
  if (!image.drifted) return notes;
  return [
    ...notes,
    `${image.current} is another image by now: locked ${shortDigest(image.locked ?? '')}, upstream ${shortDigest(image.digest)}`,
  ];
}

function shortDigest(digest: string): string {
  return digest.slice(0, 19);
}
