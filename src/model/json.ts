// JSON as bytes that can be signed. Rule: what is signed or hashed is canonical (RFC 8785); everything else is pretty.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * Canonical JSON: keys sorted by UTF-16 code units, no white space, ECMAScript number form (RFC 8785 §3.2).
 * Keys whose value is undefined are left out; a number that JSON cannot hold throws.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return canonicalNumber(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item === undefined ? null : item)).join(',')}]`;
  if (typeof value === 'object') return canonicalObject(value as Record<string, unknown>);
  throw new TypeError(`canonical JSON cannot hold a ${typeof value}`);
}

/** Pretty JSON with a final newline, for files that people read. */
export function prettyJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError('canonical JSON cannot hold a number that is not finite');
  return JSON.stringify(value);
}

function canonicalObject(value: Record<string, unknown>): string {
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  keys.sort(); // the default order compares UTF-16 code units, as RFC 8785 §3.2.3 asks
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`;
}
