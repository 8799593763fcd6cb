// The order in which a maintainer wrote variables and features. Rule: canonical JSON sorts keys, so the order travels beside them; sorted is not said.
import { parseFields, parseList, parseOptional, parseText } from './parse.ts';

export interface WrittenOrder {
  readonly env?: readonly string[];
  readonly features?: readonly string[];
}

/** The order of these names, or nothing when they are sorted anyway. */
export function writtenOrder(env: object, features: object): { readonly order?: WrittenOrder } {
  const order = { ...orderOf('env', env), ...orderOf('features', features) };
  return Object.keys(order).length === 0 ? {} : { order };
}

/** Parses a manifest's `order`. */
export function parseOrder(value: unknown, where: string): WrittenOrder {
  const f = parseFields(value, where);
  const names = (key: 'env' | 'features'): WrittenOrder => {
    const list = parseOptional(f[key], `${where}.${key}`, (items, at) => parseList(items, at, parseText));
    return list === undefined ? {} : { [key]: list };
  };
  return { ...names('env'), ...names('features') };
}

/** The map in this order; names that it does not tell come last, as they were. */
export function inOrder<T>(map: Readonly<Record<string, T>>, order: readonly string[] = []): Record<string, T> {
  const places = new Map(order.map((name, index) => [name, index]));
  const placeOf = (name: string): number => places.get(name) ?? order.length;
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => placeOf(a) - placeOf(b)));
}

function orderOf(key: 'env' | 'features', map: object): WrittenOrder {
  const names = Object.keys(map);
  return names.join() === [...names].sort().join() ? {} : { [key]: names };
}
