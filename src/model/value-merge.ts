// Three versions of a value made one, key by key. Rule: what one side alone changed is taken; what both changed differently is decided by the caller, or named.
import { isDeepStrictEqual as isSame } from 'node:util';
import { itemNames } from './compose-list.ts';
import type { Path } from './problem.ts';

/** Undefined = not there. */
export interface Versions<T> {
  /** As the old release shipped it. */
  readonly base: T | undefined;
  readonly mine: T | undefined;
  /** As the new release ships it. */
  readonly theirs: T | undefined;
}

/** Whose version is taken where both sides changed the same. */
export type Side = 'mine' | 'vendor';

export interface MergedValue {
  /** With the vendor's version at every conflict that nobody decided. */
  readonly value: unknown;
  readonly conflicts: readonly Path[];
}

/** Merges maps by key, and those lists of Compose whose items have names by these; everything else is one piece. */
export function mergeValues(versions: Versions<unknown>, side?: Side): MergedValue {
  const conflicts: Path[] = [];
  const value = mergeAt([], versions, { side, conflicts });
  return { value, conflicts };
}

interface Merging {
  readonly side: Side | undefined;
  readonly conflicts: Path[];
}

function mergeAt(path: Path, { base, mine, theirs }: Versions<unknown>, merging: Merging): unknown {
  if (isSame(mine, theirs) || isSame(base, theirs)) return mine;
  if (isSame(base, mine)) return theirs;
  if (isFields(mine) && isFields(theirs) && (base === undefined || isFields(base))) {
    return mergeFields(path, { base, mine, theirs }, merging);
  }
  if (Array.isArray(mine) && Array.isArray(theirs) && (base === undefined || Array.isArray(base))) {
    const items = mergeItems(path, { base, mine, theirs }, merging);
    if (items !== undefined) return items;
  }
  if (merging.side === undefined) merging.conflicts.push(path);
  return merging.side === 'mine' ? mine : theirs;
}

export type Fields = Readonly<Record<string, unknown>>;

function mergeFields(path: Path, versions: Versions<Fields>, merging: Merging): Fields {
  const [base, mine, theirs] = [versions.base ?? {}, versions.mine ?? {}, versions.theirs ?? {}];
  const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])];
  const pairs = names.map((name) => {
    const value = mergeAt([...path, name], { base: own(base, name), mine: own(mine, name), theirs: own(theirs, name) }, merging);
    return [name, value] as const;
  });
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

/** Lists whose items have names; undefined where one of the three has none. */
function mergeItems(
  path: Path,
  { base = [], mine = [], theirs = [] }: Versions<readonly unknown[]>,
  merging: Merging,
): unknown[] | undefined {
  const [named, namedMine, namedTheirs] = [base, mine, theirs].map((list) => itemNames(path, list));
  if (named === undefined || namedMine === undefined || namedTheirs === undefined) return undefined;
  const names = [...new Set([...namedMine.keys(), ...namedTheirs.keys()])];
  return names.flatMap((name) => {
    const versions = { base: named.get(name), mine: namedMine.get(name), theirs: namedTheirs.get(name) };
    const item = mergeAt([...path, name], versions, merging);
    return item === undefined ? [] : [item];
  });
}

/** True for a map of YAML or JSON. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
