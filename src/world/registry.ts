// Reads image registries (OCI distribution-spec 1.1). Rule: a digest is computed from the bytes that came, never believed.
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import {
  compressedSize,
  type Descriptor,
  IMAGE_TYPES,
  type ImageManifest,
  INDEX_TYPES,
  type IndexEntry,
  parseConfigPlatform,
  parseImageManifest,
} from '../model/image-manifest.ts';
import { type Ask, openRegistrySession, type RegistryNeeds, refusedAnswer } from './registry-session.ts';
import { listTags } from './registry-tags.ts';

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
}

/** What can be asked of a registry. A name without tag and digest means `latest`. */
export interface RegistrySource {
  /** Digest, type and size by HEAD, which counts on no pull limit; undefined when there is no such manifest. The digest is the registry's word. */
  readonly headManifest: (ref: ImageRef) => Promise<ManifestHead | undefined>;
  /** The manifest itself, its digest checked. Throws E_NOT_FOUND, E_AUTH, E_DIGEST, E_NETWORK. */
  readonly readManifest: (ref: ImageRef) => Promise<StoredManifest>;
  /** The manifest with the platforms and sizes of what it names. */
  readonly resolveManifest: (ref: ImageRef) => Promise<ResolvedManifest>;
  /** All tags over all pages, in the registry's order. Throws E_NOT_FOUND when there is no such repository: a failed listing is not an empty one. */
  readonly listTags: (ref: ImageRef) => Promise<readonly string[]>;
}

const LARGEST_MANIFEST = 8 * 1024 * 1024;
const LARGEST_CONFIG = 8 * 1024 * 1024;
const DEEPEST_INDEX = 3;
const ACCEPT = [...INDEX_TYPES, ...IMAGE_TYPES].join(', ');

/** A reader of all registries, with the logins of `credentials`. */
export function openRegistry(needs: RegistryNeeds): RegistrySource {
  const ask = openRegistrySession(needs);
  return {
    headManifest: (ref) => headManifest(ask, ref),
    readManifest: (ref) => readManifest(ask, ref),
    resolveManifest: (ref) => resolveManifest(ask, ref),
    listTags: (ref) => listTags(ask, ref),
  };
}

async function headManifest(ask: Ask, ref: ImageRef): Promise<ManifestHead | undefined> {
  const { status, headers } = await ask(ref, { path: manifestPath(ref), method: 'HEAD', accept: ACCEPT, maxBytes: 0 });
  if (status === 404) return undefined;
  const digest = headers['docker-content-digest'];
  const size = Number(headers['content-length'] ?? Number.NaN);
  if (status === 200 && digest !== undefined && /^sha256:[0-9a-f]{64}$/.test(digest) && Number.isSafeInteger(size)) {
    return { digest: checkAsked(ref, digest as Digest), mediaType: headers['content-type']?.split(';')[0] ?? '', size };
  }
  const { bytes: _, ...head } = await readManifest(ask, ref); // no digest, or HEAD is refused here: GET tells, or says why not
  return head;
}

async function readManifest(ask: Ask, ref: ImageRef): Promise<StoredManifest> {
  const answer = await ask(ref, { path: manifestPath(ref), method: 'GET', accept: ACCEPT, maxBytes: LARGEST_MANIFEST });
  if (answer.status !== 200) throw refusedAnswer(answer, ref);
  const digest = checkAsked(ref, digestOf(answer.body));
  const said = answer.headers['docker-content-digest'];
  if (said?.startsWith('sha256:') && said !== digest) throw wrongDigest(ref, digest, said);
  const { mediaType } = parseImageManifest(answer.body, answer.headers['content-type'] ?? '', printImageRef(ref));
  return { digest, mediaType, size: answer.body.length, bytes: answer.body };
}

async function resolveManifest(ask: Ask, ref: ImageRef): Promise<ResolvedManifest> {
  const { bytes, ...head } = await readManifest(ask, ref);
  const sizes = await measure(ask, ref, { manifest: parseImageManifest(bytes, head.mediaType, printImageRef(ref)), depth: 1 });
  if (sizes.length === 0)
    throw new ToolError('E_FORMAT', `${printImageRef(ref)} names no image for any platform`, { hint: 'Push it again.' });
  const platforms = [...new Set(sizes.map(({ platform }) => platform))].sort();
  return { ...head, platforms, compressedSize: Math.max(...sizes.map(({ size }) => size)) };
}

interface PlatformSize {
  readonly platform: string;
  readonly size: number;
}

interface Found {
  readonly manifest: ImageManifest;
  readonly depth: number;
  /** What the index says; otherwise the image's configuration is asked. */
  readonly platform?: string;
}

async function measure(ask: Ask, ref: ImageRef, { manifest, depth, platform }: Found): Promise<PlatformSize[]> {
  if (manifest.kind === 'image') {
    return [{ platform: platform ?? (await readPlatform(ask, ref, manifest.config)), size: compressedSize(manifest) }];
  }
  if (depth > DEEPEST_INDEX) throw new ToolError('E_FORMAT', `${printImageRef(ref)}: an index nested more than ${DEEPEST_INDEX} deep`);
  const sizes = await Promise.all(manifest.entries.map((entry) => measureEntry(ask, ref, { entry, depth })));
  return sizes.flat();
}

async function measureEntry(ask: Ask, ref: ImageRef, { entry, depth }: { entry: IndexEntry; depth: number }): Promise<PlatformSize[]> {
  const child = await readManifest(ask, pinImage(ref, entry.digest));
  if (child.size !== entry.size || child.mediaType !== entry.mediaType) {
    throw new ToolError('E_DIGEST', `${printImageRef(ref)}: its index describes ${entry.digest} with another size or type`);
  }
  const manifest = parseImageManifest(child.bytes, child.mediaType, printImageRef(pinImage(ref, entry.digest)));
  return measure(ask, ref, { manifest, depth: depth + 1, ...(entry.platform === undefined ? {} : { platform: entry.platform }) });
}

async function readPlatform(ask: Ask, ref: ImageRef, config: Descriptor): Promise<string> {
  const answer = await ask(ref, { path: `blobs/${config.digest}`, method: 'GET', accept: '*/*', maxBytes: LARGEST_CONFIG });
  if (answer.status !== 200) throw refusedAnswer(answer, ref);
  const digest = digestOf(answer.body);
  if (digest !== config.digest) throw wrongDigest(ref, digest, config.digest);
  return parseConfigPlatform(answer.body, `${printImageRef(ref)}: configuration`);
}

function manifestPath(ref: ImageRef): string {
  return `manifests/${ref.digest ?? ref.tag ?? 'latest'}`;
}

function checkAsked(ref: ImageRef, digest: Digest): Digest {
  if (ref.digest === undefined || ref.digest === digest) return digest;
  throw wrongDigest(ref, digest, ref.digest);
}

function wrongDigest(ref: ImageRef, found: string, expected: string): ToolError {
  return new ToolError('E_DIGEST', `${printImageRef(ref)}: ${ref.registry} sent ${found} for ${expected.slice(0, 80)}`, {
    hint: 'The registry, or something before it, changes what it delivers. Do not use this image until that is clear.',
  });
}
