// OCI image layouts on disk, used like registries (image-spec: Image Layout). Rule: a blob is complete and right under its digest, or it is not there; the
// index is replaced last.
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import { findEntry, type LayoutIndex, layoutFolder, tagsInLayout, withEntry, withoutEntry } from '../model/image-layout.ts';
import { parseManifestParts, parseManifestType } from '../model/image-manifest.ts';
import type { Blob, BlobReading, BlobUpload, ManifestHead, Registry, StoredManifest } from '../model/registry.ts';
import type { World } from '../model/seams.ts';
import { checkedBytes } from './checked-stream.ts';
import { stopIfAsked } from './http-failure.ts';
import {
  blobSize,
  type LayoutFiles,
  openBlobFile,
  prepareLayout,
  readBlobFile,
  readLayout,
  writeBlobFile,
  writeIndex,
} from './layout-files.ts';
import { resolveManifest } from './manifest-platforms.ts';
import { putReferrers } from './referrers.ts';

export type LayoutWorld = Pick<World, 'random' | 'stop'>;

const LARGEST_MANIFEST = 8 * 1024 * 1024;

/** One layout in use. */
interface Layout extends LayoutFiles {
  readonly stop: AbortSignal;
  /** Made when it is first written. */
  prepared: Promise<void> | undefined;
  /** Changes of the index that the next writing of it takes along. */
  readonly waiting: ((index: LayoutIndex) => LayoutIndex)[];
  /** Ends when what has changed until now is written. */
  written: Promise<void>;
}

/** All layouts, for images whose registry is `oci:/folder`. */
export function openLayouts(world: LayoutWorld): Registry {
  const layouts = new Map<string, Layout>();
  const of = ({ registry }: ImageRef): Layout => {
    const folder = layoutFolder(registry) ?? '';
    const known = layouts.get(folder) ?? { folder, ...world, prepared: undefined, waiting: [], written: Promise.resolve() };
    layouts.set(folder, known);
    return known;
  };
  const reading = {
    readManifest: (ref: ImageRef) => readManifest(of(ref), ref),
    readBlob: (ref: ImageRef, blob: Blob, how?: BlobReading) => readBlob(of(ref), ref, { blob, ...how }),
  };
  return {
    ...reading,
    headManifest: (ref) => headManifest(of(ref), ref),
    resolveManifest: (ref) => resolveManifest(reading, ref),
    listTags: (ref) => listTags(of(ref), ref),
    listReferrers: noLists,
    checkPush: (ref) => prepare(of(ref)),
    isNew: async () => false, // to look costs less than to ask whether to look
    checksDigests: async () => true,
    hasBlob: (ref, blob) => hasBlob(of(ref), blob),
    putBlob: (ref, upload) => putBlob(of(ref), ref, upload),
    putManifest: (ref, manifest) => putManifest(of(ref), ref, manifest),
    putReferrer: putReferrers({ ...reading, list: noLists, putManifest: (ref, manifest) => putManifest(of(ref), ref, manifest) }),
    deleteManifest: (ref, digest) => deleteManifest(of(ref), ref, digest),
  };
}

async function headManifest(layout: Layout, ref: ImageRef): Promise<ManifestHead | undefined> {
  if (ref.digest === undefined) {
    const entry = await entryOf(layout, ref);
    if (entry === undefined || (await blobSize(layout, entry.digest)) !== entry.size) return undefined;
    return { digest: entry.digest, mediaType: entry.mediaType, size: entry.size };
  }
  const found = await readStored(layout, ref, ref.digest);
  return found && { digest: found.digest, mediaType: found.mediaType, size: found.size };
}

async function readManifest(layout: Layout, ref: ImageRef): Promise<StoredManifest> {
  const digest = ref.digest ?? (await entryOf(layout, ref))?.digest;
  const found = digest === undefined ? undefined : await readStored(layout, ref, digest);
  if (found === undefined) throw absent(layout, ref, printImageRef(ref));
  return found;
}

/** The manifest behind a digest; undefined for one that is not there, and for a blob that is none. */
async function readStored(layout: Layout, ref: ImageRef, digest: Digest): Promise<StoredManifest | undefined> {
  const bytes = await readBlobFile(layout, digest, LARGEST_MANIFEST);
  if (bytes === undefined) return undefined;
  if (digestOf(bytes) !== digest) throw damaged(layout, digest, digestOf(bytes));
  return { digest, mediaType: parseManifestType(bytes, '', printImageRef(ref)), size: bytes.length, bytes };
}

async function entryOf(layout: Layout, ref: ImageRef) {
  const index = await readLayout(layout.folder);
  return index && findEntry(index, ref);
}

async function listTags(layout: Layout, ref: ImageRef): Promise<readonly string[]> {
  const index = await readLayout(layout.folder);
  const tags = index === undefined ? [] : tagsInLayout(index, ref);
  if (tags.length === 0) throw absent(layout, ref, ref.repository);
  return tags;
}

async function* readBlob(
  layout: Layout,
  ref: ImageRef,
  { blob, onBytes, unchecked = false }: { readonly blob: Blob } & BlobReading,
): AsyncGenerator<Buffer> {
  const chunks = await openBlobFile(layout, blob.digest);
  if (chunks === undefined) throw absent(layout, ref, blob.digest);
  const refuse = (found: string): ToolError => damaged(layout, blob.digest, found);
  for await (const chunk of checkedBytes(chunks, { ...blob, refuse, sizeOnly: unchecked })) {
    stopIfAsked(layout.stop);
    onBytes?.(chunk.length);
    yield chunk;
  }
}

async function hasBlob(layout: Layout, { digest, size }: Blob): Promise<boolean> {
  return (await blobSize(layout, digest)) === size;
}

/** What is there for any image is there for all: nothing needs to be mounted. */
async function putBlob(layout: Layout, ref: ImageRef, { blob, content }: BlobUpload): Promise<'mounted' | 'sent'> {
  await prepare(layout);
  if (await hasBlob(layout, blob)) return 'mounted';
  const refused = new Set<unknown>();
  const refuse = (found: string): ToolError => {
    const error = new ToolError('E_DIGEST', `${found} came for ${blob.digest} of ${printImageRef(ref)}`, { hint: 'Nothing was kept.' });
    refused.add(error);
    return error;
  };
  const write = (): Promise<void> => writeBlobFile(layout, blob.digest, checkedBytes(content(), { ...blob, refuse }));
  await write().catch((error: unknown) => {
    if (!refused.has(error)) throw error;
    return write(); // the second time the sender looks too, and says what is wrong with the source
  });
  return 'sent';
}

async function putManifest(layout: Layout, ref: ImageRef, manifest: StoredManifest): Promise<undefined> {
  const { bytes, digest, size } = manifest;
  if (digestOf(bytes) !== digest) throw damaged(layout, digest, digestOf(bytes));
  await prepare(layout);
  await refuseMissing(layout, ref, bytes);
  const there = await readBlobFile(layout, digest, size).catch(() => undefined);
  if (!there?.equals(bytes)) await writeBlobFile(layout, digest, once(bytes));
  if (ref.tag !== undefined || ref.digest !== undefined) await changeIndex(layout, (index) => withEntry(index, ref, manifest));
}

/** As registries do: no manifest before what it names. */
async function refuseMissing(layout: Layout, ref: ImageRef, bytes: Buffer): Promise<void> {
  const { children, blobs } = parseManifestParts(bytes, printImageRef(ref));
  for (const part of [...children, ...blobs]) {
    if (await hasBlob(layout, part)) continue;
    throw new ToolError('E_CONFLICT', `${layout.folder} does not have ${part.digest}, which ${printImageRef(ref)} names`, {
      hint: 'Run the same command again: it copies what is missing.',
      details: { reference: printImageRef(ref), reason: 'MANIFEST_BLOB_UNKNOWN' },
    });
  }
}

/** The blobs stay: other images may use them. */
async function deleteManifest(layout: Layout, ref: ImageRef, digest: Digest): Promise<boolean> {
  await prepare(layout);
  await changeIndex(layout, (index) => withoutEntry(index, ref, digest));
  return true;
}

/** One writing after the other, each with all changes that came meanwhile. */
function changeIndex(layout: Layout, change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
  if (layout.waiting.push(change) > 1) return layout.written;
  const before = layout.written.catch(() => undefined); // whoever waits for it is told
  layout.written = before.then(async () => {
    const changes = layout.waiting.splice(0);
    const index = await readLayout(layout.folder);
    if (index !== undefined)
      await writeIndex(
        layout,
        changes.reduce((changed, each) => each(changed), index),
      );
  });
  return layout.written;
}

/** A layout has indexes at tags alone. */
async function noLists(): Promise<undefined> {}

function prepare(layout: Layout): Promise<void> {
  layout.prepared ??= prepareLayout(layout);
  return layout.prepared;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function absent({ folder }: Layout, ref: ImageRef, what: string): ToolError {
  return new ToolError('E_NOT_FOUND', `${what} is not in the OCI image layout ${folder}`, {
    hint: 'Export the images to this folder again, with `images mirror --to`.',
    details: { reference: printImageRef(ref) },
  });
}

function damaged({ folder }: Layout, digest: Digest, found: string): ToolError {
  return new ToolError('E_DIGEST', `${folder}: ${found} is kept as ${digest}`, {
    hint: `Remove blobs/sha256/${digest.slice('sha256:'.length)} there and export the images again, or copy the folder again.`,
  });
}
