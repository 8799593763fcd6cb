// The places of a compose document that say something about services: each service, and what it takes over through anchors. Rule: an edit of a shared place is made once.
import { type Document, isAlias, isMap, isScalar, isSeq, type Pair, type YAMLMap } from 'yaml';

export interface Holder {
  readonly node: YAMLMap;
  /** The services that it is about. */
  readonly services: readonly string[];
}

/** Every map that services are made of, each once, in the order of the services. */
export function composeHolders(document: Document): Holder[] {
  const found = new Map<YAMLMap, string[]>();
  const visit = (value: unknown, service: string): void => {
    const node = isAlias(value) ? value.resolve(document) : value;
    if (isSeq(node)) for (const item of node.items) visit(item, service);
    if (!isMap(node)) return;
    found.set(node, [...new Set([...(found.get(node) ?? []), service])]);
    for (const pair of node.items) if (isMerge(pair)) visit(pair.value, service);
  };
  const services = document.get('services');
  if (isMap(services)) for (const { key, value } of services.items) visit(value, isScalar(key) ? String(key.value) : String(key));
  return [...found].map(([node, names]) => ({ node, services: names }));
}

function isMerge({ key }: Pair): boolean {
  return isScalar(key) && (key.value === '<<' || typeof key.value === 'symbol');
}
