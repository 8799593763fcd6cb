// What a registry stores under an image name: one image, or an index of images (OCI image-spec; Docker manifest v2). Rule: the bytes are
// hashed and kept by whoever fetched them; here they are only read.
import { type Digest, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { type Fields, parseCount, parseFields, parseJson, parseList, parseOptional, parseText } from './parse.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

export interface IndexEntry extends Descriptor {
  /** `os/architecture[/variant]`; absent when the index does not say. */
  readonly platform?: string;
}

export type ImageManifest =
  | { readonly kind: 'index'; readonly mediaType: string; readonly entries: readonly IndexEntry[] }
  | { readonly kind: 'image'; readonly mediaType: string; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

export const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
] as const;
export const IMAGE_TYPES = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'] as const;
const CONFIG_TYPES = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
/** Content types of servers that do not know what they serve; then the manifest itself says what it is. */
const VAGUE_TYPES = ['', 'text/plain', 'application/json', 'application/octet-stream'];
const MOST_ENTRIES = 100;

/** Parses a manifest by its Content-Type and its own `mediaType`, which must agree. Entries that are no images (attestations) are left out. */
export function parseImageManifest(bytes: Buffer, contentType: string, where: string): ImageManifest {
  const f = parseFields(parseJson(bytes.toString('utf8'), where), where);
  const mediaType = mediaTypeOf(f, contentType, where);
  if (includes(INDEX_TYPES, mediaType)) {
    const entries = parseList(f.manifests, `${where}: manifests`, parseEntry);
    if (entries.length > MOST_ENTRIES) throw new ToolError('E_TOO_LARGE', `${where}: an index of more than ${MOST_ENTRIES} entries`);
    return { kind: 'index', mediaType, entries: entries.filter((entry) => entry !== undefined) };
  }
  const config = parseDescriptor(f.config, `${where}: config`);
  if (!CONFIG_TYPES.includes(config.mediaType)) throw notAnImage(where, config.mediaType);
  return { kind: 'image', mediaType, config, layers: parseList(f.layers, `${where}: layers`, parseDescriptor) };
}

/** The media type of a manifest or an index, whatever it is of: its own word and its Content-Type must agree. */
export function parseManifestType(bytes: Buffer, contentType: string, where: string): string {
  return mediaTypeOf(parseFields(parseJson(bytes.toString('utf8'), where), where), contentType, where);
}

/** Everything that a manifest names: what must be in a registry before it. */
export interface ManifestParts {
  /** Manifests and indexes: images, attestations, artifacts. */
  readonly children: readonly Descriptor[];
  readonly blobs: readonly Descriptor[];
}

/** The parts of any manifest or index, whatever it is of. Layers that a registry elsewhere keeps (`urls`) are left out: nobody may copy them. */
export function parseManifestParts(bytes: Buffer, where: string): ManifestParts {
  const f = parseFields(parseJson(bytes.toString('utf8'), where), where);
  const list = (key: string): readonly unknown[] => parseList(f[key] ?? [], `${where}: ${key}`, (item) => item);
  const entries = list('manifests').map((item) => parseDescriptor(item, `${where}: manifests`));
  const isChild = ({ mediaType }: Descriptor): boolean => includes(INDEX_TYPES, mediaType) || includes(IMAGE_TYPES, mediaType);
  const own = [...(f.config === undefined ? [] : [f.config]), ...list('layers')].filter(
    (item) => parseFields(item, where).urls === undefined,
  );
  const blobs = [...own.map((item) => parseDescriptor(item, `${where}: layers`)), ...entries.filter((entry) => !isChild(entry))];
  if (entries.length > MOST_ENTRIES) throw new ToolError('E_TOO_LARGE', `${where}: an index of more than ${MOST_ENTRIES} entries`);
  return { children: entries.filter(isChild), blobs };
}

/**
 * The text of an index with these platforms alone, and the attestations of what stays; undefined when it has no other. Throws E_NOT_FOUND when it
 * lacks one of them.
 */
export function selectPlatforms(bytes: Buffer, platforms: readonly string[], where: string): string | undefined {
  const f = parseFields(parseJson(bytes.toString('utf8'), where), where);
  const entries = parseList(f.manifests, `${where}: manifests`, parseFields);
  const platformOf = (entry: Fields): string | undefined => parseOptional(entry.platform, `${where}: platform`, parsePlatform);
  const kept = entries.filter((entry) => platforms.includes(platformOf(entry) ?? ''));
  const lacking = platforms.filter((platform) => !kept.some((entry) => platformOf(entry) === platform));
  if (lacking.length > 0) {
    throw new ToolError('E_NOT_FOUND', `${where} is not there for ${lacking.join(', ')}`, {
      hint: 'Correct `platforms` of the image, or choose another tag.',
    });
  }
  const digests = kept.map(({ digest }) => digest);
  const isAbout = ({ annotations }: Fields): boolean =>
    digests.includes(parseOptional(annotations, `${where}: annotations`, parseFields)?.['vnd.docker.reference.digest']);
  const all = entries.filter((entry) => kept.includes(entry) || isAbout(entry));
  return all.length === entries.length ? undefined : JSON.stringify({ ...f, manifests: all });
}

/** The platform that an image's configuration names. */
export function parseConfigPlatform(bytes: Buffer, where: string): string {
  return parsePlatform(parseJson(bytes.toString('utf8'), where), where);
}

/** What is pulled for this image: configuration and layers, each once. */
export function blobsOf(image: ImageManifest & { readonly kind: 'image' }): readonly { readonly digest: Digest; readonly size: number }[] {
  return [...new Map([image.config, ...image.layers].map(({ digest, size }) => [digest, { digest, size }])).values()];
}

function mediaTypeOf(f: Fields, contentType: string, where: string): string {
  const own = parseOptional(f.mediaType, `${where}: mediaType`, parseText);
  const served = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const said = VAGUE_TYPES.includes(served) ? undefined : served;
  const shape = f.manifests === undefined ? IMAGE_TYPES[0] : INDEX_TYPES[0];
  const mediaType = own ?? said ?? shape;
  if (said !== undefined && said !== mediaType) throw ambiguous(where, `served as ${said}, but it says ${mediaType}`);
  if (f.manifests !== undefined && (f.layers !== undefined || f.config !== undefined)) throw ambiguous(where, 'both an index and an image');
  if (includes(INDEX_TYPES, mediaType) || includes(IMAGE_TYPES, mediaType)) return mediaType;
  if (f.schemaVersion !== 1) throw notAnImage(where, mediaType);
  throw new ToolError('E_FORMAT', `${where}: an image in the schema 1 format, which current Docker versions no longer pull`, {
    hint: 'Build and push it again with a current Docker.',
  });
}

/** Media type, digest and size of what is named. */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  const f = parseFields(value, where);
  return {
    mediaType: parseText(f.mediaType, `${where}.mediaType`),
    digest: parseDigest(f.digest, `${where}.digest`),
    size: parseCount(f.size, `${where}.size`),
  };
}

function parseEntry(value: unknown, where: string): IndexEntry | undefined {
  const descriptor = parseDescriptor(value, where);
  const isManifest = includes(IMAGE_TYPES, descriptor.mediaType) || includes(INDEX_TYPES, descriptor.mediaType);
  const platform = parseOptional(parseFields(value, where).platform, `${where}.platform`, parsePlatform);
  if (!isManifest || platform === 'unknown/unknown') return undefined; // BuildKit's attestations and caches
  return { ...descriptor, ...(platform === undefined ? {} : { platform }) };
}

/** As Docker prints it: arm64/v8 and amd64/v1 are what everyone means by arm64 and amd64. */
function parsePlatform(value: unknown, where: string): string {
  const f = parseFields(value, where);
  const [os, architecture] = [parseText(f.os, `${where}.os`), parseText(f.architecture, `${where}.architecture`)];
  const variant = parseOptional(f.variant, `${where}.variant`, parseText) ?? '';
  const platform =
    variant === '' || /^(arm64v8|amd64v1)$/.test(`${architecture}${variant}`) ? [os, architecture] : [os, architecture, variant];
  if (platform.every((part) => /^[a-z0-9_.-]{1,32}$/.test(part))) return platform.join('/');
  throw new ToolError('E_FORMAT', `${where}: not a platform such as linux/amd64`);
}

function ambiguous(where: string, what: string): ToolError {
  return new ToolError('E_FORMAT', `${where}: ${what}`, { hint: 'One name for two things is refused; push the image again.' });
}

function notAnImage(where: string, mediaType: string): ToolError {
  return new ToolError('E_FORMAT', `${where}: not a container image (${mediaType.slice(0, 100)})`, { hint: 'Check the name and the tag.' });
}

function includes(types: readonly string[], mediaType: string): boolean {
  return types.includes(mediaType);
}
