// Images on their way from a folder to a registry. Rule: data only; a tag is written out, a digest is known when it is built.
import type { BuildCache } from './build-rules.ts';
import type { Digest } from './digest.ts';
import type { ImageRef } from './image.ts';

/** What builds here: `docker buildx` with a builder's driver, or plain `docker build`. */
export type Builder =
  | {
      readonly kind: 'buildx';
      /** As --builder names it; undefined = buildx's own choice. */
      readonly name?: string;
      readonly driver: string;
      /** True when one build can be for several platforms. */
      readonly several: boolean;
      /** The engine's own platform. */
      readonly platform: string;
    }
  | { readonly kind: 'docker'; readonly platform: string };

/** An image that another one is built from. */
export interface ImageNeed {
  readonly name: string;
  /** Where it is, by digest; undefined when it is built in the same run. */
  readonly reference?: string;
}

export interface ImageToBuild {
  readonly name: string;
  /** Why it is built, for people. */
  readonly why: string;
  /** Where it goes, without a tag. */
  readonly image: ImageRef;
  readonly tags: readonly string[];
  /** Relative to the root. */
  readonly context: string;
  readonly dockerfile: string;
  readonly target?: string;
  /** Rendered, but for `{image:NAME}`. */
  readonly args: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty = the engine's own. */
  readonly platforms: readonly string[];
  readonly needs: readonly ImageNeed[];
  readonly cache: BuildCache;
}

export type BuildOutcome = 'built' | 'pushed' | 'failed' | 'skipped';

/** What became of one image. */
export interface BuiltImage {
  readonly name: string;
  readonly outcome: BuildOutcome;
  /** What was pushed; null when nothing was. */
  readonly digest: Digest | null;
  readonly seconds: number;
  /** The whole output, relative to the root; null when nothing ran. */
  readonly log: string | null;
  readonly error: string | null;
}

/** The label that names the commit an image was built from (OCI image-spec: annotations). */
export const REVISION_LABEL = 'org.opencontainers.image.revision';
export const VERSION_LABEL = 'org.opencontainers.image.version';
