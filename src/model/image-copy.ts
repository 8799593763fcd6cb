// Images on their way from one registry to others. Rule: data only; every part is named by its digest.
import type { Digest } from './digest.ts';
import type { ImageRef } from './image.ts';
import type { AttachedPlace } from './referrer.ts';
import type { Blob } from './registry.ts';

/** A manifest or an index, with what must be there before it. */
export interface ManifestToCopy {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** Configuration and layers; empty for an index, whose children come before it in the list. */
  readonly blobs: readonly Blob[];
  /** The text of a manifest that no registry has: an index that was made smaller. */
  readonly text?: string;
}

/** What belongs to an image without being part of it: a signature, an attestation, a list of contents. */
export interface AttachedToCopy {
  /** Children first; the last one is the attached manifest itself. */
  readonly manifests: readonly ManifestToCopy[];
  /** Where it is found: its tag, or the manifest under which it must be listed. */
  readonly place: AttachedPlace;
}

export interface ImageToCopy {
  readonly name: string;
  /** As it was asked for, for people. */
  readonly source: ImageRef;
  /** Where it is to be put: the tag, or the digest where there is none. */
  readonly destinations: readonly ImageRef[];
  /** Children first; the last one is the image itself. Empty when the destinations have it, and lack only what belongs to it. */
  readonly manifests: readonly ManifestToCopy[];
  readonly attached?: readonly AttachedToCopy[];
}

export type CopyOutcome = 'copied' | 'present' | 'failed';

/** What became of one image at one destination. */
export interface CopiedImage {
  /** Place in the list of images. */
  readonly index: number;
  readonly destination: ImageRef;
  readonly outcome: CopyOutcome;
  /** Bytes that were sent for it; layers that another image brought count there. */
  readonly bytes: number;
  readonly error: string | null;
}

/** All blobs of an image and of what belongs to it. */
export function blobsOf({ manifests, attached = [] }: ImageToCopy): readonly Blob[] {
  return [...manifests, ...attached.flatMap((each) => each.manifests)].flatMap(({ blobs }) => blobs);
}

/** Every layer counts once for each registry that it goes to. */
export function bytesToSend(images: readonly ImageToCopy[]): number {
  const blobs = new Map<string, number>();
  for (const image of images) {
    for (const { registry } of image.destinations) {
      for (const { digest, size } of blobsOf(image)) blobs.set(`${registry} ${digest}`, size);
    }
  }
  return [...blobs.values()].reduce((sum, size) => sum + size, 0);
}
