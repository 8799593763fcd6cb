// What can be asked of an image registry, and put into it (OCI distribution-spec 1.1). Rule: reading and writing are two interfaces; whoever looks gets the first alone.
import type { Digest } from './digest.ts';
import type { ImageRef, PlatformParts } from './image.ts';
import type { Descriptor } from './image-manifest.ts';

export interface ManifestHead {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
}

export interface StoredManifest extends ManifestHead {
  /** Exactly as stored; the digest is theirs. */
  readonly bytes: Buffer;
}

export interface ResolvedManifest extends ManifestHead {
  /** `os/architecture[/variant]`, sorted. */
  readonly platforms: readonly string[];
  /** Bytes to pull for the largest platform. */
  readonly compressedSize: number;
  readonly parts: readonly PlatformParts[];
}

/** Bytes by their digest. */
export interface Blob {
  readonly digest: Digest;
  readonly size: number;
}

/** A name without tag and digest means `latest`. */
export interface RegistrySource {
  /** Digest, type and size by HEAD, which counts on no pull limit; undefined when there is no such manifest. The digest is the registry's word. */
  readonly headManifest: (ref: ImageRef) => Promise<ManifestHead | undefined>;
  /** The manifest itself, its digest checked. Throws E_NOT_FOUND, E_AUTH, E_DIGEST, E_NETWORK. */
  readonly readManifest: (ref: ImageRef) => Promise<StoredManifest>;
  /** The manifest with the platforms and sizes of what it names. */
  readonly resolveManifest: (ref: ImageRef) => Promise<ResolvedManifest>;
  /** All tags over all pages, in the registry's order. Throws E_NOT_FOUND when there is no such repository: a failed listing is not an empty one. */
  readonly listTags: (ref: ImageRef) => Promise<readonly string[]>;
  /**
   * What the registry lists as referring to this digest: signatures, attestations. Undefined where it keeps no such lists; then an index at a tag may
   * (`fallbackTag`). Throws E_TOO_LARGE for a list without end.
   */
  readonly listReferrers: (ref: ImageRef) => Promise<readonly Descriptor[] | undefined>;
  /**
   * The bytes of a blob; a broken transfer is continued where it broke. The last of them come after the digest was checked, so who read to the
   * end has what was asked for. Throws E_NOT_FOUND, E_AUTH, E_DIGEST, E_NETWORK.
   */
  readonly readBlob: (ref: ImageRef, blob: Blob, how?: BlobReading) => AsyncIterable<Buffer>;
}

export interface BlobReading {
  /** Bytes that came since the last call. */
  readonly onBytes?: (bytes: number) => void;
  /** Their size alone is checked: for a receiver that has been seen to refuse what does not fit its digest. */
  readonly unchecked?: boolean;
}

export interface BlobUpload {
  readonly blob: Blob;
  /** The bytes from their beginning, each time it is called; their size and digest have been checked before the last of them. */
  readonly content: () => AsyncIterable<Buffer>;
  /**
   * A repository of the same registry that has the blob: it need not be sent when the registry mounts it. The repository itself
   * is allowed: a registry that mounts says so what it has already.
   */
  readonly from?: string;
}

export interface RegistryTarget {
  readonly headManifest: RegistrySource['headManifest'];
  /** Throws E_AUTH, E_NOT_FOUND or E_NETWORK when nothing could be pushed: begins an upload, and gives it up. */
  readonly checkPush: (ref: ImageRef) => Promise<void>;
  /** True when the registry does not know the repository: no question about what is in it is needed. */
  readonly isNew: (ref: ImageRef) => Promise<boolean>;
  /** True when the registry has just refused bytes that are not what their digest says: what it stores it checks by itself. */
  readonly checksDigests: (ref: ImageRef) => Promise<boolean>;
  readonly hasBlob: (ref: ImageRef, blob: Blob) => Promise<boolean>;
  /** Puts a blob there, without asking whether it is. Throws what `content` throws, E_AUTH, E_TOO_LARGE, E_NETWORK. */
  readonly putBlob: (ref: ImageRef, upload: BlobUpload) => Promise<'mounted' | 'sent'>;
  /** Puts a manifest under the tag, else under its digest. Throws E_CONFLICT when the registry refuses it for what is there or what is missing. */
  readonly putManifest: (ref: ImageRef, manifest: StoredManifest) => Promise<void>;
  /** Puts a manifest under its digest, and into the list of what refers to `subject`: the registry's own, else an index at a tag. */
  readonly putReferrer: (ref: ImageRef, manifest: StoredManifest, subject: Digest) => Promise<void>;
  /** Removes a manifest with all its tags; false where a registry does not allow that. */
  readonly deleteManifest: (ref: ImageRef, digest: Digest) => Promise<boolean>;
}

/** All registries, for reading and writing. */
export interface Registry extends RegistrySource, RegistryTarget {}
