// Tags that a plan sets or takes away: of images, and of repositories. Rule: data only; what is tagged is named by digest or commit, never by another tag.
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

/** A repository that gets a tag. */
export interface RepositoryToTag {
  readonly name: string;
  /** What git takes. */
  readonly url: string;
  /** The name of the environment variable with a token. */
  readonly token?: string;
  readonly commit: string;
  /** The text of the annotated tag's object, as git stores it. */
  readonly object: string;
}
