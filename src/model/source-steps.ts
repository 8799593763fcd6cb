// What steps do with an install that is a git checkout. Rule: data only; commits by their full names, images by tags of this machine.
import type { ComposeProject } from './plan.ts';

/** A local image that gets the name by which the compose files know it. */
export interface TagToMove {
  readonly name: string;
  readonly from: string;
  /** What keeps the image that has the name now. */
  readonly keep: string;
}

/** A service whose image is built here. */
export interface ServiceToBuild {
  readonly service: string;
  /** The tag that its image gets. */
  readonly local: string;
}

/** A link in a staged tree, to a path of the install. */
export interface TreeLink {
  readonly path: string;
  readonly to: string;
}

export interface SourceSteps {
  /** The tree of a commit beside the checkout, with the person's edits: files that are as they lie in the checkout. */
  'stage-checkout': {
    readonly commit: string;
    readonly to: string;
    readonly edits: readonly string[];
    readonly links: readonly TreeLink[];
  };
  'build-services': { readonly project: ComposeProject; readonly services: readonly ServiceToBuild[] };
  /** The checkout's branch, index and files go from one commit to a later one; what it does not change stays as it is. */
  'move-checkout': { readonly branch: string; readonly from: string; readonly commit: string };
  'move-tags': { readonly tags: readonly TagToMove[] };
}
