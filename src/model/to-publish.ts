// What plans of publishing carry along: bundle entries, images to tag, manifests to delete. Rule: data only, as in every plan.
import type { Digest } from './digest.ts';
import type { ImageRef } from './image.ts';

export interface BundleEntry {
  /** In the bundle, below its top folder. */
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly sha256: Digest;
  /** A file of the workspace, relative to the root; otherwise the content is found by its digest. */
  readonly file?: string;
}

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
