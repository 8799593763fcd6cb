// What a fake registry holds, open to the test: other writers and losses are played by changing it. Rule: plain maps, no protocol.
import { createHash, randomBytes } from 'node:crypto';

export interface StoredManifest {
  readonly bytes: Buffer;
  readonly type: string;
}

export interface FakeRepository {
  /** By digest. */
  readonly manifests: Map<string, StoredManifest>;
  /** Tag to digest, in the order of the pushes. */
  readonly tags: Map<string, string>;
  readonly blobs: Map<string, Buffer>;
}

/** An upload that has begun; what was sent before a lost connection stays, as in docker-registry. */
export interface Upload {
  readonly repository: string;
  readonly chunks: Buffer[];
  size: number;
  /** The part before was smaller than parts may be: only the last one is. */
  short?: boolean;
}

export interface RegistryContent {
  readonly repositories: Map<string, FakeRepository>;
  readonly uploads: Map<string, Upload>;
}

/** A registry without anything. */
export function newRegistryContent(): RegistryContent {
  return { repositories: new Map(), uploads: new Map() };
}

/** The repository of this name, made when it is not there. */
export function repositoryOf({ repositories }: RegistryContent, name: string): FakeRepository {
  const found = repositories.get(name) ?? { manifests: new Map(), tags: new Map(), blobs: new Map() };
  repositories.set(name, found);
  return found;
}

/** Begins an upload; returns its name. */
export function beginUpload({ uploads }: RegistryContent, repository: string): string {
  const name = randomBytes(8).toString('hex');
  uploads.set(name, { repository, chunks: [], size: 0 });
  return name;
}

/** Adds bytes to an upload. */
export function appendTo(upload: Upload, bytes: Buffer): void {
  upload.chunks.push(bytes);
  upload.size += bytes.length;
}

/** The digest of these bytes. */
export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
