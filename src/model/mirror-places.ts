// Other places for a mirror than the product's own: a folder to carry to a site without internet, and the site's registry. Rule: in a folder an image has
// its name and tag upstream, so that what is read from there goes by the same naming rules.
import { ToolError } from './error.ts';
import { type ImageRef, parseImageHome, rehomeImage } from './image.ts';
import { inLayout } from './image-layout.ts';
import type { MirrorEntry } from './mirror.ts';

/** `oci:` and an absolute folder, or a registry with a path. */
export type MirrorPlace =
  | { readonly kind: 'folder'; readonly folder: string }
  | { readonly kind: 'registry'; readonly registry: string; readonly path: string };

export interface MirrorPlaces {
  /** Where the images are read, instead of upstream. */
  readonly from?: MirrorPlace & { readonly kind: 'folder' };
  /** Where they are put, instead of their destinations. */
  readonly to?: MirrorPlace;
}

/** Parses `oci:FOLDER` or `registry/path`; `resolve` makes the folder absolute. */
export function parseMirrorPlace(text: string, where: string, resolve: (folder: string) => string): MirrorPlace {
  const folder = /^oci:(?!\/\/)(.+)$/s.exec(text)?.[1];
  if (folder !== undefined) return { kind: 'folder', folder: resolve(folder) };
  try {
    return { kind: 'registry', ...parseImageHome(text, where) };
  } catch (cause) {
    throw new ToolError('E_USAGE', `${where}: ${JSON.stringify(text)} is no place for images`, {
      cause,
      hint: 'Name a folder as oci:FOLDER, or a registry such as quay.io/acme.',
    });
  }
}

/** The entries between these places. */
export function moveEntries(entries: readonly MirrorEntry[], places: MirrorPlaces): readonly MirrorEntry[] {
  return entries.map((entry) => {
    const source = places.from === undefined ? entry.source : inLayout(entry.source, places.from.folder);
    if (places.to === undefined) return { ...entry, source };
    return { ...entry, source, ...destinationOf(entry, places.to) };
  });
}

function destinationOf({ name, source, rules }: MirrorEntry, to: MirrorPlace): Pick<MirrorEntry, 'destinations' | 'rules'> {
  if (to.kind === 'registry') {
    const named: ImageRef = { registry: source.registry, repository: name };
    return { rules, destinations: [rehomeImage(named, to)] };
  }
  const upstream = rules.map((rule) => {
    if (rule.kind === 'tag') return { ...rule, as: rule.tag };
    return rule.kind === 'digest' ? { kind: rule.kind, digest: rule.digest } : rule;
  });
  return { rules: upstream, destinations: [inLayout(source, to.folder)] };
}
