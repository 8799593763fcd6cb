// Blobs sent in parts, for registries behind a proxy that takes no large requests (distribution-spec: Pushing a blob in chunks). Rule: what the registry says it
// has is compared with what was sent, after every part.
import { ToolError } from '../model/error.ts';
import type { ImageRef } from '../model/image.ts';
import type { BlobUpload } from '../model/registry.ts';
import type { HttpResponse } from './http.ts';
import type { Failure } from './http-failure.ts';
import type { RegistrySession } from './registry-session.ts';

/** Bytes that each registry takes in one request, learned from its refusals; kept for one run. */
export type RequestLimits = Map<string, number>;

export interface PartsUpload extends Pick<BlobUpload, 'blob'> {
  readonly body: AsyncIterable<Buffer>;
  /** Where the upload was begun. */
  readonly location: URL;
  readonly partSize: number;
  /** Where an answer says that the upload goes on. */
  readonly next: (answer: HttpResponse) => URL;
}

/** The answer that ends the upload, and the bytes of the request that it answers. */
export interface PartsEnd {
  readonly answer: HttpResponse | Failure;
  readonly size: number;
}

const MEBIBYTE = 1024 * 1024;
/** Below what the proxies of hosters take in one request (Cloudflare: 100 MB). */
const LARGEST_PART = 48 * MEBIBYTE;
/** A proxy that takes less than this is not meant for a registry. */
const SMALLEST_PART = 64 * 1024;

/**
 * Notes that a request of so many bytes was too large (413). False when there is no smaller part worth trying. What others learned meanwhile is not
 * learned again.
 */
export function lowerLimit(limits: RequestLimits, registry: string, refused: number): boolean {
  if ((limits.get(registry) ?? refused) < refused) return true;
  const lower = Math.min(LARGEST_PART, Math.max(SMALLEST_PART, Math.floor(refused / 4)));
  if (lower >= refused) return false;
  limits.set(registry, lower);
  return true;
}

/** The size of the parts, or undefined for a blob that is sent whole. `least` = the smallest part that the registry takes. Throws E_TOO_LARGE when it takes none. */
export function partSizeOf(limits: RequestLimits, { registry }: ImageRef, size: number, least: number): number | undefined {
  const limit = limits.get(registry) ?? Number.POSITIVE_INFINITY;
  if (size <= limit) return undefined;
  if (least <= limit) return limit;
  throw new ToolError(
    'E_TOO_LARGE',
    `${registry} wants parts of at least ${least} bytes, and what is before it takes less in one request`,
    {
      hint: `Raise the limit of the proxy before ${registry} to more than ${least} bytes.`,
    },
  );
}

/** Sends one part after the other, then closes the upload; ends early with the first answer that is no 202. */
export async function sendParts(session: RegistrySession, ref: ImageRef, upload: PartsUpload): Promise<PartsEnd> {
  const { blob, body, partSize, next } = upload;
  const source = { chunks: body[Symbol.asyncIterator](), rest: Buffer.alloc(0) };
  let { location } = upload;
  try {
    for (let from = 0; from < blob.size; ) {
      const size = Math.min(partSize, blob.size - from);
      const headers = { 'content-range': `${from}-${from + size - 1}` };
      const answer = await session.send(ref, { method: 'PATCH', location, size, headers, body: takePart(source, size) });
      if ('error' in answer || answer.status < 200 || answer.status > 204) return { answer, size };
      from += size;
      if (keptBytes(answer) !== from) return { answer: lostBytes(ref, answer, from), size };
      location = next(answer);
    }
    return {
      answer: await session.send(ref, { location: withDigest(location, blob.digest), size: 0, body: takePart(source, 0) }),
      size: 0,
    };
  } finally {
    await source.chunks.return?.();
  }
}

/** The address that closes an upload; its query is left as the registry wrote it. */
export function withDigest(location: URL, digest: string): URL {
  return new URL(`${location.href}${location.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`);
}

interface Source {
  readonly chunks: AsyncIterator<Buffer>;
  rest: Buffer;
}

/** The next so many bytes; fewer when there are no more. */
async function* takePart(source: Source, bytes: number): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; ) {
    if (source.rest.length === 0) {
      const { value, done } = await source.chunks.next();
      if (done) return;
      source.rest = value;
    }
    const part = source.rest.subarray(0, left);
    source.rest = source.rest.subarray(part.length);
    left -= part.length;
    yield part;
  }
}

/** `Range: 0-<last>`: what the registry has of the upload. */
function keptBytes({ headers }: HttpResponse): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(headers.range ?? '')?.[1];
  return last === undefined ? undefined : Number(last) + 1;
}

/** Another try from the beginning may go better; a registry that loses parts every time is named. */
function lostBytes({ registry }: ImageRef, answer: HttpResponse, sent: number): Failure {
  const kept = keptBytes(answer) ?? 'an unknown number of';
  const error = new ToolError('E_NETWORK', `${registry} has ${kept} bytes of an upload of which it was sent ${sent}`, {
    hint: `It does not keep uploads in parts. Raise the limit for one request of the proxy before ${registry}, so that they can be sent whole.`,
  });
  return { error, transient: true };
}
