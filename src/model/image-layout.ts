// Images in a folder (OCI image-spec: Image Layout 1.0.0), named like images of a registry. Rule: each has its whole name upstream there, and one
// name stands for one thing.
import { type Digest, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { type ImageRef, parseImageRef, printImageRef, printTagged } from './image.ts';
import { type Fields, parseCount, parseFields, parseJson, parseList, parseOptional, parseText } from './parse.ts';
import type { ManifestHead } from './registry.ts';

/** One entry of index.json. */
export interface LayoutEntry extends ManifestHead {
  /** In full, such as `docker.io/library/alpine:3.19`; undefined for what has no name that we know. */
  readonly name: string | undefined;
  /** As it was read, for writing it again. */
  readonly fields: Fields;
}

export interface LayoutIndex {
  readonly fields: Fields;
  readonly entries: readonly LayoutEntry[];
}

export const LAYOUT_VERSION = '1.0.0';
const PREFIX = 'oci:';
const MOST_ENTRIES = 10_000;
const NAME = 'org.opencontainers.image.ref.name';
/** What Docker and BuildKit write beside a bare tag. */
const FULL_NAME = 'io.containerd.image.name';
/** The index of a layout that holds nothing. */
export const EMPTY_LAYOUT: LayoutIndex = {
  fields: { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' },
  entries: [],
};

/** The folder of `oci:/folder`, which stands where else a registry's host does; undefined for a registry. */
export function layoutFolder(registry: string): string | undefined {
  return registry.startsWith(PREFIX) ? registry.slice(PREFIX.length) : undefined;
}

/** The image, or repository, in the layout at this absolute folder: there it has its whole name. */
export function inLayout({ registry, repository, ...rest }: ImageRef, folder: string): ImageRef {
  return { ...rest, registry: `${PREFIX}${folder}`, repository: `${registry}/${repository}` };
}

/** Parses an index.json, which anybody may have written. Throws E_FORMAT, E_TOO_LARGE. */
export function parseLayoutIndex(text: string, where: string): LayoutIndex {
  const { manifests, ...fields } = parseFields(parseJson(text, where), where);
  const entries = parseList(manifests, `${where}: manifests`, parseEntry);
  if (entries.length > MOST_ENTRIES) throw new ToolError('E_TOO_LARGE', `${where} names more than ${MOST_ENTRIES} images`);
  return { fields, entries };
}

/** The text of an index.json, with what others wrote into it as it was. */
export function printLayoutIndex({ fields, entries }: LayoutIndex): string {
  return `${JSON.stringify({ ...fields, manifests: entries.map((entry) => entry.fields) })}\n`;
}

/** The entry of an image by its tag, or by its digest where it has no tag. Throws E_FORMAT when the name stands for two things. */
export function findEntry({ entries }: LayoutIndex, ref: ImageRef): LayoutEntry | undefined {
  const name = nameInLayout(ref);
  const [found, ...others] = entries.filter((entry) => entry.name === name);
  if (others.every(({ digest }) => digest === found?.digest)) return found;
  throw new ToolError('E_FORMAT', `${printImageRef(ref)} is two different images there`, {
    hint: 'One name for two things is refused; write the folder again.',
  });
}

/** The index in which the name stands for this manifest, and for nothing else. */
export function withEntry({ fields, entries }: LayoutIndex, ref: ImageRef, { mediaType, digest, size }: ManifestHead): LayoutIndex {
  const name = nameInLayout(ref);
  const written = { mediaType, digest, size, annotations: { [NAME]: name } };
  return { fields, entries: [...entries.filter((entry) => entry.name !== name), { mediaType, digest, size, name, fields: written }] };
}

/** The index without any name of this manifest in the repository. */
export function withoutEntry({ fields, entries }: LayoutIndex, ref: ImageRef, digest: Digest): LayoutIndex {
  return { fields, entries: entries.filter((entry) => entry.digest !== digest || !isOf(entry, ref)) };
}

/** All tags of a repository, each once. */
export function tagsInLayout({ entries }: LayoutIndex, ref: ImageRef): readonly string[] {
  const names = entries.flatMap((entry) => (isOf(entry, ref) && entry.name !== undefined ? [entry.name] : []));
  const tags = names.flatMap((name) => (name.includes('@') ? [] : [name.slice(ref.repository.length + 1)]));
  return [...new Set(tags)];
}

function nameInLayout({ repository, tag, digest }: ImageRef): string {
  return tag === undefined && digest !== undefined ? `${repository}@${digest}` : `${repository}:${tag ?? 'latest'}`;
}

function isOf({ name = '' }: LayoutEntry, { repository }: ImageRef): boolean {
  return name.startsWith(`${repository}:`) || name.startsWith(`${repository}@`);
}

function parseEntry(value: unknown, where: string): LayoutEntry {
  const f = parseFields(value, where);
  return {
    mediaType: parseText(f.mediaType, `${where}.mediaType`),
    digest: parseDigest(f.digest, `${where}.digest`),
    size: parseCount(f.size, `${where}.size`),
    name: nameOf(parseOptional(f.annotations, `${where}.annotations`, parseFields) ?? {}),
    fields: f,
  };
}

/** Names are written by whoever made the folder: what is none is passed over. */
function nameOf(annotations: Fields): string | undefined {
  const written = annotations[FULL_NAME] ?? annotations[NAME];
  try {
    const ref = parseImageRef(written, NAME);
    return ref.tag === undefined && ref.digest !== undefined ? printImageRef(ref) : printTagged(ref);
  } catch {
    return undefined;
  }
}
