// Puts manifests into registries and takes them out (distribution-spec: Pushing Manifests, Content Management). Rule: what the registry says it stored is what was sent.
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import type { StoredManifest } from '../model/registry.ts';
import { type Ask, reasonOf, refusedAnswer } from './registry-session.ts';

const SMALL = 64 * 1024;

/** See `RegistryTarget.putManifest`; gives the subject under which the registry lists it, where it says so. */
export async function putManifest(ask: Ask, ref: ImageRef, { bytes, digest, mediaType }: StoredManifest): Promise<string | undefined> {
  const path = `manifests/${ref.tag ?? digest}`;
  const headers = { 'content-type': mediaType };
  const answer = await ask(ref, { path, method: 'PUT', headers, body: bytes, push: true, maxBytes: SMALL });
  if (![200, 201, 202].includes(answer.status)) {
    if (answer.status >= 500 || answer.status === 429) throw refusedAnswer(answer, ref);
    throw new ToolError(
      'E_CONFLICT',
      `${ref.registry} refused ${printImageRef(ref)} (HTTP ${[answer.status, ...reasonOf(answer)].join(', ')})`,
      {
        hint: 'Something that it names is missing there, or its tag may not be changed. Run the same command again; if it stays, look at the registry’s rules for tags.',
        details: { reference: printImageRef(ref), status: answer.status, reason: reasonOf(answer)[0] ?? null },
      },
    );
  }
  const stored = answer.headers['docker-content-digest'];
  if (stored === undefined || stored === digest) return answer.headers['oci-subject'];
  throw new ToolError('E_DIGEST', `${ref.registry} stored ${printImageRef(ref)} as ${stored.slice(0, 80)} instead of ${digest}`, {
    hint: 'This registry rewrites manifests: nothing that is pinned by digest can be kept there.',
  });
}

/** See `RegistryTarget.deleteManifest`. */
export async function deleteManifest(ask: Ask, ref: ImageRef, digest: Digest): Promise<boolean> {
  try {
    const { status } = await ask(ref, { path: `manifests/${digest}`, method: 'DELETE', push: true, maxBytes: SMALL });
    return status === 202 || status === 200 || status === 204 || status === 404;
  } catch (error) {
    if (isToolError(error, 'E_AUTH')) return false;
    throw error;
  }
}
