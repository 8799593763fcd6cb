// How the product's own images are built, and what they are called when they are pushed. Rule: data only; defaults are here, and nowhere else.

/** What made a build: a push to the main branch, a release's tag, a push to another branch, or a pull request. */
export const BUILD_EVENTS = ['main', 'release', 'branch', 'pull-request'] as const;
export type BuildEvent = (typeof BUILD_EVENTS)[number];

/** The events whose images are pushed. A pull request's never are. */
export const TAGGED_EVENTS = ['main', 'release', 'branch'] as const;
export type TaggedEvent = (typeof TAGGED_EVENTS)[number];

/** The tags of each event, as written. */
export type TagTable = Readonly<Record<TaggedEvent, readonly string[]>>;

export const DEFAULT_TAGS: TagTable = {
  main: ['latest', '{sha}'],
  release: ['{version}', '{major}.{minor}', '{major}'],
  branch: ['{date:YYYY.MMDD.HHmm}-{sha}'],
};

/** A branch other than the main one pushes beside the product's own namespace, never into it. */
export const DEFAULT_BRANCH_NAMESPACE = '{namespace}0{branch}';

export const BUILD_CACHES = ['none', 'registry', 'gha'] as const;
export type BuildCache = (typeof BUILD_CACHES)[number];

/** One image's recipe; paths start at the product file's folder. */
export interface BuildRules {
  readonly context: string;
  readonly dockerfile: string;
  readonly target?: string;
  readonly args: Readonly<Record<string, string>>;
  /** The patterns of what it is made of. */
  readonly paths: readonly string[];
  readonly cache: BuildCache;
}
