// Files as one artifact of a registry (OCI image-spec: Guidelines for Artifact Usage). Rule: the same files make the same bytes, whoever
// packs them; an artifact that is read is hostile until it was parsed.
import type { ChannelAsset } from './channel.ts';
import { type Digest, digestOf, parseDigest } from './digest.ts';
import { ToolError } from './error.ts';
import { canonicalJson } from './json.ts';
import { parseFileName } from './manifest.ts';
import { parseCount, parseFields, parseJson, parseList, parseOptional, parseText } from './parse.ts';
import type { Blob, StoredManifest } from './registry.ts';

/** What an artifact is for, as its `artifactType`. */
export type ArtifactKind = 'release' | 'draft' | 'dropped' | 'channel' | 'file';

export interface Artifact {
  readonly kind: ArtifactKind;
  readonly files: readonly ChannelAsset[];
}

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const TITLE = 'org.opencontainers.image.title';
const KINDS: readonly ArtifactKind[] = ['release', 'draft', 'dropped', 'channel', 'file'];
/** The blob that stands for nothing (image-spec: Guidance for an Empty Descriptor). */
export const EMPTY_BLOB: Blob & { readonly bytes: Buffer } = { bytes: Buffer.from('{}'), size: 2, digest: digestOf('{}') };

/** The manifest of an artifact; `title` is for people. */
export function printArtifact({ kind, files }: Artifact, title: string): StoredManifest {
  const empty = { mediaType: EMPTY_TYPE, digest: EMPTY_BLOB.digest, size: EMPTY_BLOB.size };
  const layers = files.map(({ name, size, sha256 }) => ({
    mediaType: 'application/octet-stream',
    digest: sha256,
    size,
    annotations: { [TITLE]: name },
  }));
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: typeOf(kind),
    config: empty,
    layers: layers.length === 0 ? [empty] : layers,
    annotations: { [TITLE]: title },
  };
  const bytes = Buffer.from(canonicalJson(manifest));
  return { bytes, digest: digestOf(bytes), size: bytes.length, mediaType: MANIFEST_TYPE };
}

/** Parses a manifest as one of our artifacts; throws E_FORMAT for anything else. */
export function parseArtifact(bytes: Buffer, where: string): Artifact {
  const f = parseFields(parseJson(bytes.toString('utf8'), where), where);
  const kind = KINDS.find((known) => typeOf(known) === f.artifactType);
  if (kind === undefined) {
    throw new ToolError(
      'E_FORMAT',
      `${where}: not one of our artifacts but ${JSON.stringify(f.artifactType ?? f.mediaType ?? null).slice(0, 100)}`,
      {
        hint: 'Something else uses this repository of the registry: give the releases one of their own.',
      },
    );
  }
  const files = parseList(f.layers, `${where}: layers`, parseLayer).filter((file) => file !== undefined);
  if (new Set(files.map(({ name }) => name)).size < files.length) throw new ToolError('E_FORMAT', `${where}: two files have one name`);
  return { kind, files };
}

function parseLayer(value: unknown, where: string): ChannelAsset | undefined {
  const f = parseFields(value, where);
  const annotations = parseOptional(f.annotations, `${where}.annotations`, parseFields) ?? {};
  const name = parseOptional(annotations[TITLE], `${where}: title`, parseText);
  if (name === undefined) return undefined; // what stands for nothing
  return {
    name: parseFileName(name, `${where}: title`),
    size: parseCount(f.size, `${where}.size`),
    sha256: parseDigest(f.digest, `${where}.digest`),
  };
}

function typeOf(kind: ArtifactKind): string {
  return `application/vnd.slipway.${kind}.v1`;
}

/** A name for everything that is no release, which no release tag can have. Paths below the root have at most one folder. */
export const ociTag = {
  draft: (contents: Digest): string => `_draft_${contents.slice('sha256:'.length)}`,
  channel: (name: string, sequence: number): string => `_channel_${name}_${sequence}`,
  file: (path: string): string => `_file_${path.replace('/', '_')}`,
};

/** The sequences of a channel's files among these tags, the highest first. */
export function channelSequences(tags: readonly string[], name: string): readonly number[] {
  const prefix = `_channel_${name}_`;
  const numbers = tags.flatMap((tag) => (tag.startsWith(prefix) ? [tag.slice(prefix.length)] : []));
  return numbers
    .filter((text) => /^[1-9]\d{0,15}$/.test(text))
    .map(Number)
    .sort((a, b) => b - a);
}

/** True for what can be a tag of a registry (distribution-spec: Pulling Manifests), and is not one of our own names. */
export function isReleaseTag(tag: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(tag) && !/^sha256-[0-9a-f]{64}/.test(tag);
}
