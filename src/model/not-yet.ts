// Keys of slipway.yaml whose capability is not built yet. Rule: they are refused with their line, never ignored; to build one, delete its row.
import type { Path } from './problem.ts';

interface NotYet {
  /** Keys from the top; `*` stands for any key or list item. */
  readonly path: string;
  readonly reason: string;
  /** Only these values are refused; any value where absent. */
  readonly values?: readonly unknown[];
}

const NOT_YET: readonly NotYet[] = [
  { path: 'data.*.migrate', reason: 'a declared major change' },
  { path: 'data.*.renamedFrom', reason: 'a declared volume rename' },
];

export interface NotYetUse {
  readonly path: Path;
  readonly reason: string;
}

/** Every place in the value that uses a capability of the table. */
export function findNotYet(value: unknown): NotYetUse[] {
  return NOT_YET.flatMap((row) => {
    const found = findPaths(value, row.path.split('.'), []);
    return found.filter((use) => isRefusedValue(row, use.value)).map(({ path }) => ({ path, reason: row.reason }));
  });
}

function isRefusedValue(row: NotYet, value: unknown): boolean {
  return row.values === undefined || row.values.includes(value);
}

function findPaths(value: unknown, keys: readonly string[], path: Path): { path: Path; value: unknown }[] {
  const [key, ...rest] = keys;
  if (key === undefined) return [{ path, value }];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return key === '*' ? value.flatMap((item, index) => findPaths(item, rest, [...path, index])) : [];
  const fields = value as Record<string, unknown>;
  const names = key === '*' ? Object.keys(fields) : Object.hasOwn(fields, key) ? [key] : [];
  return names.flatMap((name) => findPaths(fields[name], rest, [...path, name]));
}
