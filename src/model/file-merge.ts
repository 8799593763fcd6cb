// What becomes of one file at an upgrade, seen as a whole. Rule: what a person changed is never overwritten or removed; where both sides changed
// it differently the decision is theirs.
import type { Conflict } from './content-merge.ts';
import type { Digest } from './digest.ts';

/** The file as the old release shipped it, as it is on the host, as the new release ships it; undefined = not there. */
export interface FileVersions {
  readonly base?: Digest | undefined;
  readonly mine?: Digest | undefined;
  readonly theirs?: Digest | undefined;
}

/**
 * `same`: the host has what the new release ships. `take`: replace by the new one. `add`: new from the vendor. `remove`: dropped by the
 * vendor, untouched by the person. `keep`: the person's change (or deletion) stays, the vendor changed nothing. `conflict`: both changed it.
 */
export type FileDecision = 'same' | 'take' | 'add' | 'remove' | 'keep' | 'conflict';

export function mergeFile({ base, mine, theirs }: FileVersions): FileDecision {
  if (mine === theirs) return 'same';
  if (base === theirs) return 'keep';
  if (base !== mine) return 'conflict';
  if (theirs === undefined) return 'remove';
  return mine === undefined ? 'add' : 'take';
}

/** What became of a file that both sides changed: merged, decided by the person, or open. */
export type FileMerge =
  | { readonly kind: 'merged'; readonly content: Digest }
  | { readonly kind: 'mine' | 'vendor' }
  | { readonly kind: 'conflict'; readonly conflicts: readonly Conflict[] };

/** A file's permissions after an upgrade: what the person changed stays. Undefined = the file is not there. */
export function mergeMode(base: number | undefined, mine: number | undefined, theirs: number): number {
  return mine === undefined || mine === base || base === undefined ? theirs : mine;
}
