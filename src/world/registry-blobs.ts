// Blobs of a registry (distribution-spec: Pulling Blobs, Pushing Blobs). Rule: a blob is complete and right under its digest, or it is not there.
import { digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import type { Blob, BlobReading, BlobUpload } from '../model/registry.ts';
import { startCheck } from './checked-stream.ts';
import type { HttpResponse, HttpWorld } from './http.ts';
import { discard, type Exchange } from './http-exchange.ts';
import { type Failure, failureOf, patiently, refusedStatus, retryDelay, slowDown, stopIfAsked } from './http-failure.ts';
import { lowerLimit, partSizeOf, type RequestLimits, sendParts, withDigest } from './registry-parts.ts';
import { type RegistrySession, refusedAnswer, registryOrigin } from './registry-session.ts';

export interface RegistryClient {
  readonly session: RegistrySession;
  readonly world: HttpWorld;
  readonly limits: RequestLimits;
}

const MEBIBYTE = 1024 * 1024;
const SMALL = 64 * 1024;

/** True when the registry says that it has the blob in this repository. */
export async function hasBlob({ session }: RegistryClient, ref: ImageRef, { digest, size }: Blob): Promise<boolean> {
  const { status, headers } = await session.ask(ref, { path: `blobs/${digest}`, method: 'HEAD', push: true, maxBytes: 0 });
  const length = headers['content-length'];
  return status === 200 && (length === undefined || Number(length) === size);
}

/** See `RegistryTarget.checkPush`. */
export async function checkPush({ session, world }: RegistryClient, ref: ImageRef): Promise<void> {
  const begun = await session.ask(ref, { path: 'blobs/uploads/', method: 'POST', push: true, maxBytes: SMALL });
  if (begun.status !== 202) throw failedAnswer(begun, ref, world).error;
  const location = locationOf(begun, ref);
  if (location.origin !== registryOrigin(ref.registry)) return;
  await session.ask(ref, { path: location.href, method: 'DELETE', push: true, maxBytes: SMALL }).catch(ifRefused); // some forbid even that
}

/** See `RegistryTarget.checksDigests`: bytes that no registry has, under a digest that is not theirs. */
export async function checksDigests(client: RegistryClient, ref: ImageRef): Promise<boolean> {
  const bytes = client.world.random(16);
  const blob = { digest: digestOf(client.world.random(16)), size: bytes.length };
  const begun = await beginUpload(client, ref, { blob, content: () => chunksOf(bytes) });
  if ('transient' in begun || begun.location === undefined) return false;
  const { location } = begun;
  const answer = await client.session.send(ref, { location: withDigest(location, blob.digest), size: blob.size, body: chunksOf(bytes) });
  if (location.origin === registryOrigin(ref.registry)) {
    await client.session.ask(ref, { path: location.href, method: 'DELETE', push: true, maxBytes: SMALL }).catch(ifRefused);
  }
  return !('transient' in answer) && answer.status === 400 && !(await hasBlob(client, ref, blob));
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** See `RegistrySource.readBlob`. */
export async function* readBlob(
  client: RegistryClient,
  ref: ImageRef,
  { blob, onBytes, unchecked = false }: { readonly blob: Blob } & BlobReading,
): AsyncGenerator<Buffer> {
  const check = startCheck({ ...blob, sizeOnly: unchecked, refuse: (found) => wrongBlob(ref, blob, found) });
  for await (const chunk of transferredBytes(client, ref, blob)) {
    onBytes?.(chunk.length);
    const ready = check.take(chunk);
    if (ready !== undefined) yield ready;
  }
  const last = check.end();
  if (last !== undefined) yield last;
}

/** See `RegistryTarget.putBlob`. */
export async function putBlob(client: RegistryClient, ref: ImageRef, upload: BlobUpload): Promise<'mounted' | 'sent'> {
  const { outcome } = await patiently(client.world, async () => {
    for (;;) {
      const begun = await beginUpload(client, ref, upload);
      if ('transient' in begun || begun.location === undefined) return 'transient' in begun ? begun : { outcome: 'mounted' as const };
      const sent = await sendBlob(client, ref, { ...upload, ...begun, location: begun.location });
      if (sent !== 'in smaller parts') return sent;
    }
  });
  return outcome;
}

/** The bytes as they come, over as many connections as it takes; as long as it moves it goes on. */
async function* transferredBytes(client: RegistryClient, ref: ImageRef, blob: Blob): AsyncGenerator<Buffer> {
  const { world } = client;
  let done = 0;
  for (let tries = 1, farthest = 0; done < blob.size || tries === 1; tries += 1) {
    const begun = done;
    const answer = await patiently(world, () => openBlob(client, ref, { blob, from: begun }));
    let broken: Failure | undefined;
    try {
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        done += chunk.length;
        yield chunk;
      }
    } catch (error) {
      broken = failureOf(error, answer.url.href, world);
    } finally {
      discard(answer.body);
    }
    if (done >= blob.size) return;
    if (done >= farthest + MEBIBYTE) [farthest, tries] = [done, 1];
    const failure = broken ?? { error: wrongBlob(ref, blob, `${done} bytes instead of ${blob.size}`), transient: true };
    const delay = retryDelay(world, failure, tries);
    if (delay === undefined) throw failure.error;
    await world.sleep(delay);
    stopIfAsked(world.stop);
  }
}

/** Asks for the rest of the blob; a registry that sends the whole instead has what came before skipped. */
async function openBlob(
  { session, world }: RegistryClient,
  ref: ImageRef,
  { blob, from }: { readonly blob: Blob; readonly from: number },
): Promise<Exchange | Failure> {
  const headers = from === 0 ? {} : { range: `bytes=${from}-` };
  const answer = await session.open(ref, { path: `blobs/${blob.digest}`, headers });
  if ('transient' in answer) return answer;
  const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
  if (answer.status === 206 && Number(start) === from) return answer;
  const length = Number(answer.headers['content-length'] ?? blob.size);
  if (answer.status === 200 && from === 0 && length === blob.size) return answer;
  if (answer.status === 200 && from > 0) return { ...answer, body: skipped(answer, from) };
  discard(answer.body);
  if (answer.status === 200) throw wrongBlob(ref, blob, `${length} bytes instead of ${blob.size}`);
  return failedAnswer({ ...answer, url: answer.url.href, body: Buffer.alloc(0) }, ref, world);
}

function skipped(answer: Exchange, bytes: number): Exchange['body'] {
  return answer.body.compose(async function* (chunks: AsyncIterable<Buffer>) {
    let left = bytes;
    for await (const chunk of chunks) {
      if (chunk.length > left) yield chunk.subarray(left);
      left = Math.max(0, left - chunk.length);
    }
  }) as Exchange['body'];
}

interface Begun {
  /** Where to send the bytes; undefined when they need not be sent. */
  readonly location: URL | undefined;
  /** The smallest part that the registry takes, when the bytes are sent in parts. */
  readonly leastPart: number;
}

/** Begins an upload, with a mount where one is thought possible: 202 = not mounted, and this is the upload to use. */
async function beginUpload({ session, world }: RegistryClient, ref: ImageRef, { blob, from }: BlobUpload): Promise<Begun | Failure> {
  const path = 'blobs/uploads/';
  if (from !== undefined) {
    const query = new URLSearchParams({ mount: blob.digest, from });
    const begun = await session.ask(ref, { path: `${path}?${query}`, method: 'POST', push: true, from, maxBytes: SMALL }).catch(ifRefused);
    if (begun?.status === 201) return { location: undefined, leastPart: 0 };
    if (begun?.status === 202) return begunUpload(begun, ref);
  }
  const answer = await session.ask(ref, { path, method: 'POST', push: true, maxBytes: SMALL });
  return answer.status === 202 ? begunUpload(answer, ref) : failedAnswer(answer, ref, world);
}

function begunUpload(answer: HttpResponse, ref: ImageRef): Begun {
  const least = Number(answer.headers['oci-chunk-min-length'] ?? 0);
  return { location: locationOf(answer, ref), leastPart: Number.isSafeInteger(least) && least > 0 ? least : 0 };
}

/** A mount that is not allowed is no reason not to send the blob. */
function ifRefused(error: unknown): undefined {
  if (!(error instanceof ToolError) || error.code !== 'E_AUTH') throw error;
}

/** Absolute or relative, with a query that must stay as it is; a proxy that ends TLS may name http for itself. */
function locationOf({ headers, url }: HttpResponse, ref: ImageRef): URL {
  const said = headers.location ?? '';
  const asked = new URL(url);
  if (said === '' || !URL.canParse(said, url)) throw new ToolError('E_NETWORK', `${ref.registry} began an upload without saying where`);
  const location = new URL(said, url);
  if (location.host === asked.host) location.protocol = asked.protocol;
  return location;
}

interface Sending extends BlobUpload {
  readonly location: URL;
  readonly leastPart: number;
}

/** Whole in one request; in parts where the registry, or a proxy before it, was seen to take no requests of this size. */
async function sendBlob(
  client: RegistryClient,
  ref: ImageRef,
  { blob, content, location, leastPart }: Sending,
): Promise<{ readonly outcome: 'sent' } | Failure | 'in smaller parts'> {
  const { session, limits } = client;
  const partSize = partSizeOf(limits, ref, blob.size, leastPart);
  const { answer, size } =
    partSize === undefined
      ? {
          answer: await session.send(ref, { location: withDigest(location, blob.digest), size: blob.size, body: content() }),
          size: blob.size,
        }
      : await sendParts(session, ref, { blob, body: content(), location, partSize, next: (each) => locationOf(each, ref) });
  if (!('transient' in answer) && [200, 201, 204].includes(answer.status)) return { outcome: 'sent' };
  if (!('transient' in answer) && answer.status === 413 && lowerLimit(limits, ref.registry, size)) return 'in smaller parts';
  if (await hasBlob(client, ref, blob)) return { outcome: 'sent' }; // it arrived, and only the answer did not
  return 'transient' in answer ? answer : failedUpload(answer, ref, client.world);
}

/** 401: the login ended on the way; 400 and 404: the bytes or the upload were damaged or forgotten; each is worth another try. */
function failedUpload(answer: HttpResponse, ref: ImageRef, world: HttpWorld): Failure {
  const failure = failedAnswer(answer, ref, world);
  if (answer.status !== 413) return { ...failure, transient: failure.transient || [400, 401, 404, 416].includes(answer.status) };
  const error = new ToolError('E_TOO_LARGE', `${new URL(answer.url).host} takes no blobs of this size (HTTP 413)`, {
    hint: `Raise the limit of ${ref.registry}, or of the proxy before it.`,
  });
  return { error, transient: false };
}

function failedAnswer(answer: HttpResponse, ref: ImageRef, world: HttpWorld): Failure {
  const busy = slowDown(answer, new URL(answer.url), world.now());
  if (busy !== undefined) return busy;
  const error = answer.status === 404 ? refusedAnswer(answer, ref) : refusedStatus(answer.status, new URL(answer.url));
  return { error, transient: answer.status >= 500 };
}

function wrongBlob(ref: ImageRef, { digest }: Blob, found: string): ToolError {
  return new ToolError('E_DIGEST', `${printImageRef(ref)}: ${ref.registry} sent ${found} for ${digest}`, {
    hint: 'The registry, or something before it, changes or cuts what it delivers. Do not use this image until that is clear.',
  });
}
