// Image registries (OCI distribution-spec 1.1). Rule: a digest is computed from the bytes that came, never believed.
import { type Digest, digestOf } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import { IMAGE_TYPES, INDEX_TYPES, parseManifestType } from '../model/image-manifest.ts';
import type { ManifestHead, Registry, RegistrySource, StoredManifest } from '../model/registry.ts';
import { resolveManifest } from './manifest-platforms.ts';
import { listByApi, putReferrers } from './referrers.ts';
import { checkPush, checksDigests, hasBlob, putBlob, readBlob } from './registry-blobs.ts';
import { deleteManifest, putManifest } from './registry-manifests.ts';
import { type Ask, openRegistrySession, type RegistryNeeds, refusedAnswer } from './registry-session.ts';
import { isNew, listTags } from './registry-tags.ts';

const LARGEST_MANIFEST = 8 * 1024 * 1024;
/** Manifests that are kept, for what has a digest never changes. */
const MOST_KEPT = 5000;
const ACCEPT = [...INDEX_TYPES, ...IMAGE_TYPES].join(', ');

/** All registries, with the logins of `credentials`. */
export function openRegistry(needs: RegistryNeeds): Registry {
  const session = openRegistrySession(needs);
  const { ask } = session;
  const manifests = new Map<Digest, StoredManifest>();
  const client = { session, world: needs.world, limits: new Map() };
  const list = listByApi(ask);
  const reading: Pick<RegistrySource, 'readManifest' | 'readBlob'> = {
    readManifest: (ref) => readManifest(ask, ref),
    readBlob: (ref, blob, how) => readBlob(client, ref, { blob, ...how }),
  };
  return {
    headManifest: (ref) => headManifest(ask, ref),
    readManifest: async (ref) => {
      const known = ref.digest === undefined ? undefined : manifests.get(ref.digest);
      const found = known ?? (await readManifest(ask, ref));
      if (manifests.size < MOST_KEPT) manifests.set(found.digest, found);
      return found;
    },
    resolveManifest: (ref) => resolveManifest(reading, ref),
    listTags: (ref) => listTags(ask, ref),
    listReferrers: list,
    readBlob: reading.readBlob,
    checkPush: (ref) => checkPush(client, ref),
    isNew: (ref) => isNew(ask, ref),
    checksDigests: (ref) => checksDigests(client, ref),
    hasBlob: (ref, blob) => hasBlob(client, ref, blob),
    putBlob: (ref, upload) => putBlob(client, ref, upload),
    putManifest: async (ref, manifest) => {
      await putManifest(ask, ref, manifest);
    },
    putReferrer: putReferrers({
      list,
      readManifest: reading.readManifest,
      putManifest: (ref, manifest) => putManifest(ask, ref, manifest),
    }),
    deleteManifest: (ref, digest) => deleteManifest(ask, ref, digest),
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
  try {
    const { bytes: _, ...head } = await readManifest(ask, ref); // no digest, or HEAD is refused here: GET tells, or says why not
    return head;
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return undefined; // Artifactory answers 403 to HEAD of what is not there
    throw error;
  }
}

async function readManifest(ask: Ask, ref: ImageRef): Promise<StoredManifest> {
  const answer = await ask(ref, { path: manifestPath(ref), method: 'GET', accept: ACCEPT, maxBytes: LARGEST_MANIFEST });
  if (answer.status !== 200) throw refusedAnswer(answer, ref);
  const digest = checkAsked(ref, digestOf(answer.body));
  const said = answer.headers['docker-content-digest'];
  if (said?.startsWith('sha256:') && said !== digest) throw wrongDigest(ref, digest, said);
  const mediaType = parseManifestType(answer.body, answer.headers['content-type'] ?? '', printImageRef(ref));
  return { digest, mediaType, size: answer.body.length, bytes: answer.body };
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
