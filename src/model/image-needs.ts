// Which images are built before which. Rule: an image comes after all that it needs, otherwise the order is the one written.

type Needs = Readonly<Record<string, { readonly needs: readonly string[] }>>;

/** The names, each after what it needs; names that need each other come as written. */
export function buildOrder(names: readonly string[], images: Needs): string[] {
  const ordered = new Set<string>();
  const visiting = new Set<string>();
  const visit = (name: string): void => {
    if (ordered.has(name) || visiting.has(name)) return;
    visiting.add(name);
    for (const need of images[name]?.needs ?? []) visit(need);
    ordered.add(name);
  };
  for (const name of names) visit(name);
  return [...ordered].filter((name) => names.includes(name));
}

/** The first circle through an image, `api -> base -> api`, or undefined. */
export function needsCircle(start: string, images: Needs): readonly string[] | undefined {
  const search = (path: readonly string[]): readonly string[] | undefined => {
    for (const need of images[path.at(-1) ?? '']?.needs ?? []) {
      if (need === start) return [...path, need];
      if (path.includes(need)) continue;
      const found = search([...path, need]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return search([start]);
}

/** What needs one of these images, directly or through another; they themselves are not among it. */
export function dependentsOf(names: readonly string[], images: Needs): Map<string, string> {
  const found = new Map<string, string>();
  for (let added = [...names]; added.length > 0; ) {
    const next: string[] = [];
    for (const [name, { needs }] of Object.entries(images)) {
      const need = needs.find((each) => added.includes(each));
      if (need === undefined || names.includes(name) || found.has(name)) continue;
      found.set(name, need);
      next.push(name);
    }
    added = next;
  }
  return found;
}
