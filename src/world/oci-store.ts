// Artifacts in one repository of a registry. Rule: a tag is read back after it was written, for a registry cannot refuse a second writer.
import { createReadStream } from 'node:fs';
import type { ChannelAsset } from '../model/channel.ts';
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, parseImageRef } from '../model/image.ts';
import { type Artifact, EMPTY_BLOB, parseArtifact, printArtifact } from '../model/oci-artifact.ts';
import type { Blob, Registry } from '../model/registry.ts';
import type { World } from '../model/seams.ts';
import { checkedBytes } from './checked-stream.ts';
import { openDockerConfig } from './docker-config.ts';
import { type HttpWorld, openHttp } from './http.ts';
import { openRegistry } from './registry.ts';

export type OciWorld = HttpWorld & Pick<World, 'run'>;

export interface OciStore {
  /** `oci://registry/name`. */
  readonly label: string;
  readonly ref: ImageRef;
  readonly registry: Registry;
  /** Blobs that are known to be there. */
  readonly known: Set<Digest>;
}

export interface StoredArtifact extends Artifact {
  readonly digest: Digest;
}

/** The artifacts of `registry/name`, with docker's own logins. Nothing is asked until it is used. */
export function openOciStore(repository: string, world: OciWorld): OciStore {
  const { registry, repository: name } = parseImageRef(repository, 'oci repository');
  const client = openRegistry({ http: openHttp(world), credentials: openDockerConfig(world), world });
  return { label: `oci://${repository}`, ref: { registry, repository: name }, registry: client, known: new Set() };
}

/** The artifact at a tag, or undefined. */
export async function artifactAt({ ref, registry, label }: OciStore, tag: string): Promise<StoredArtifact | undefined> {
  try {
    const { bytes, digest } = await registry.readManifest({ ...ref, tag });
    return { ...parseArtifact(bytes, `${label}:${tag}`), digest };
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** All tags; none where nothing was ever pushed. */
export async function tagsOf({ ref, registry }: OciStore): Promise<readonly string[]> {
  try {
    return await registry.listTags(ref);
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return [];
    throw error;
  }
}

/** Puts an artifact, whose files are there, at a tag; true when it is what the tag then has. */
export async function putArtifact(store: OciStore, tag: string, artifact: Artifact): Promise<boolean> {
  await putBytes(store, EMPTY_BLOB, EMPTY_BLOB.bytes);
  const manifest = printArtifact(artifact, tag);
  await store.registry.putManifest({ ...store.ref, tag }, manifest);
  return (await store.registry.headManifest({ ...store.ref, tag }))?.digest === manifest.digest;
}

/** Puts bytes, unless they are there. */
export async function putBytes(store: OciStore, blob: Blob, bytes: Buffer): Promise<void> {
  if (await holds(store, blob)) return;
  const content = async function* (): AsyncGenerator<Buffer> {
    yield bytes;
  };
  await store.registry.putBlob(store.ref, { blob, content });
  store.known.add(blob.digest);
}

/** Puts a file, unless it is there. Throws E_DIGEST when the file is not the asset. */
export async function putFile(
  store: OciStore,
  { size, sha256: digest }: ChannelAsset,
  { from, onBytes }: { readonly from: string; readonly onBytes?: (done: number) => void },
): Promise<void> {
  const refuse = (): ToolError => new ToolError('E_DIGEST', `${from} changed since it was packed`, { hint: 'Pack again, then publish.' });
  if (await holds(store, { digest, size })) return onBytes?.(size);
  const content = () => checkedBytes(createReadStream(from), { size, digest, refuse, ...(onBytes && { onBytes }) });
  await store.registry.putBlob(store.ref, { blob: { digest, size }, content });
}

async function holds({ registry, ref, known }: OciStore, blob: Blob): Promise<boolean> {
  if (known.has(blob.digest)) return true;
  const there = await registry.hasBlob(ref, blob);
  if (there) known.add(blob.digest);
  return there;
}

/** The bytes of one file of an artifact; throws E_TOO_LARGE beyond `maxBytes`. */
export async function bytesOf(store: OciStore, { name, size, sha256 }: ChannelAsset, maxBytes: number): Promise<Buffer> {
  if (size > maxBytes) {
    throw new ToolError('E_TOO_LARGE', `${store.label}: ${name} has more than ${maxBytes} bytes`, { hint: 'Nothing was kept.' });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of store.registry.readBlob(store.ref, { digest: sha256, size })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
