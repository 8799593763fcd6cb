// One repository of a registry as it is. Rule: facts only; what of it may go is decided in plan.
import type { Digest } from './digest.ts';
import type { ImageRef } from './image.ts';

export interface RepositoryFacts {
  /** Without a tag. */
  readonly image: ImageRef;
  readonly tags: ReadonlyMap<string, Digest>;
  /** Of each index that is there: everything below it. */
  readonly below: ReadonlyMap<Digest, readonly Digest[]>;
}

/** An image that a release, or a lock file, names. */
export interface UsedImage {
  readonly digest: Digest;
  /** In whatever registry: installs may pull from a mirror. */
  readonly repository: string;
  /** Who uses it, for people. */
  readonly by: string;
}
