// Images that get tags, and manifests that lose theirs. Rule: data only; what is meant is named by its digest, never by another tag.
import type { Digest } from './digest.ts';
import type { ImageRef } from './image.ts';

/** An image by its digest, and the tags that it gets in its own repository. */
export interface ImageToTag {
  readonly name: string;
  readonly image: ImageRef;
  readonly tags: readonly string[];
}

/** Manifests of one repository; what names others comes before them. */
export interface ManifestsToDelete {
  /** Without a tag. */
  readonly image: ImageRef;
  readonly manifests: readonly { readonly digest: Digest; readonly tags: readonly string[] }[];
}
