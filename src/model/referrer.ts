// What belongs to a manifest without being part of it: signatures, attestations, lists of contents. Two ways of keeping them: cosign's tags, and manifests
// with a `subject` (distribution-spec 1.1: Listing Referrers, Referrers Tag Schema). Rule: what is listed is bounded, and what others listed stays.
import { type Digest, digestOf, hexOf } from './digest.ts';
import { ToolError } from './error.ts';
import { type Descriptor, parseDescriptor } from './image-manifest.ts';
import { type Fields, parseFields, parseJson, parseList } from './parse.ts';
import type { StoredManifest } from './registry.ts';

/** Where it is found: at a tag, or in the list of what refers to another manifest. */
export type AttachedPlace = { readonly tag: string } | { readonly subject: Digest };

const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const COSIGN = ['sig', 'att', 'sbom'];
const MOST_REFERRERS = 200;

/** The tags under which cosign keeps what belongs to this manifest. */
export function cosignTags(digest: Digest): readonly string[] {
  return COSIGN.map((kind) => `sha256-${hexOf(digest)}.${kind}`);
}

/** The tag of the index that lists what refers to this manifest, in registries that do not list it themselves. */
export function fallbackTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}`;
}

/** The entries of a list of referrers. Throws E_FORMAT, and E_TOO_LARGE for more of them than anybody needs. */
export function parseReferrers(bytes: Buffer, where: string): readonly Descriptor[] {
  return entriesOf(bytes, where).map((entry) => parseDescriptor(entry, `${where}: manifests`));
}

/** The list with this manifest too; undefined when it is in it already. `listed` = the list as it is, where there is one. */
export function addReferrer(listed: Buffer | undefined, manifest: StoredManifest, where: string): StoredManifest | undefined {
  const entries = listed === undefined ? [] : entriesOf(listed, where);
  if (entries.some(({ digest }) => digest === manifest.digest)) return undefined;
  const fields =
    listed === undefined ? { schemaVersion: 2, mediaType: INDEX_TYPE } : parseFields(parseJson(listed.toString('utf8'), where), where);
  const bytes = Buffer.from(JSON.stringify({ ...fields, manifests: [...entries, entryOf(manifest, where)] }));
  return { bytes, digest: digestOf(bytes), size: bytes.length, mediaType: INDEX_TYPE };
}

/** With `artifactType` and annotations, by which clients choose (distribution-spec: Pushing Manifests with Subject). */
function entryOf({ bytes, digest, mediaType, size }: StoredManifest, where: string): Fields {
  const { artifactType, config, annotations } = parseFields(parseJson(bytes.toString('utf8'), where), where);
  const type = artifactType ?? (config === undefined ? undefined : parseFields(config, `${where}: config`).mediaType);
  return {
    mediaType,
    digest,
    size,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function entriesOf(bytes: Buffer, where: string): readonly Fields[] {
  const { manifests } = parseFields(parseJson(bytes.toString('utf8'), where), where);
  const entries = parseList(manifests ?? [], `${where}: manifests`, parseFields);
  if (entries.length <= MOST_REFERRERS) return entries;
  throw new ToolError('E_TOO_LARGE', `${where} lists more than ${MOST_REFERRERS} signatures and attestations`, {
    hint: 'Mirror this image with --without-signatures.',
  });
}
