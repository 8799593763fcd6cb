// Uploads of files. Rule: the length is known before the first byte, the content is checked on the way, and nothing is sent twice without being asked.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { ChannelAsset } from '../model/channel.ts';
import { systemCode, ToolError } from '../model/error.ts';
import { checkedBytes } from './checked-stream.ts';
import { startDeadline } from './deadline.ts';
import type { HttpResponse, HttpWorld } from './http.ts';
import { type ExchangeRequest, exchange, readBody } from './http-exchange.ts';
import { failureOf } from './http-failure.ts';
import type { Routes } from './http-routes.ts';

export interface Upload {
  readonly url: string;
  readonly method: 'POST' | 'PUT' | 'PATCH';
  readonly headers?: Readonly<Record<string, string>>;
  /** The file; it must have this size and digest, or the upload is given up before its last byte. */
  readonly file: string;
  readonly asset: Pick<ChannelAsset, 'name' | 'size' | 'sha256'>;
  /** What surrounds the file in the body, as in multipart/form-data. */
  readonly prefix?: Buffer;
  readonly suffix?: Buffer;
  readonly onBytes?: (done: number) => void;
  /** More bytes of an answer than this are refused. */
  readonly maxBytes: number;
  readonly plainHttp?: boolean;
}

/** A host that takes less than this is as good as dead. Bytes a second. */
const SLOWEST = 16 * 1024;
const PATIENCE = 120;
/** Connections that were closed on us while we sent. */
const CLOSED = new Set(['EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET']);
/** How long a host that closed the connection is asked why. Seconds. */
const WHY_PATIENCE = 3;

/** Sends a file once. Every answer is returned as it is; throws E_DIGEST when the file is not the asset, E_NETWORK, E_TOO_LARGE or E_INTERRUPTED. */
export async function uploadFile(world: HttpWorld, routes: Routes, upload: Upload): Promise<HttpResponse> {
  const { url, method, asset, prefix, suffix, maxBytes } = upload;
  const length = (prefix?.length ?? 0) + asset.size + (suffix?.length ?? 0);
  const seconds = PATIENCE + Math.ceil(length / SLOWEST);
  const deadline = startDeadline(seconds, world.stop);
  const headers = { ...upload.headers, 'content-length': String(length) };
  const request = { url, method, headers, ...(upload.plainHttp ? { plainHttp: true } : {}) };
  const failed: { reason?: ToolError } = {};
  const body = Readable.from(bytesOf(upload, failed), { objectMode: false });
  try {
    return await answerTo(routes, { ...request, body, signal: deadline.signal }, maxBytes);
  } catch (error) {
    if (failed.reason !== undefined) throw failed.reason;
    const failure = failureOf(error, url, world);
    const refusal = CLOSED.has(systemCode(error) ?? '') ? await askWhy(world, routes, { ...request, maxBytes }) : undefined;
    if (refusal !== undefined) return refusal;
    throw failure.error;
  } finally {
    deadline.clear();
    body.destroy();
  }
}

async function answerTo(routes: Routes, request: ExchangeRequest, maxBytes: number): Promise<HttpResponse> {
  const { status, headers, url, body } = await exchange(routes, request);
  return { status, headers, url: url.href, body: await readBody(body, { method: request.method, headers, maxBytes, url }) };
}

/**
 * A host that refuses an upload while it is still sent closes the connection, and its answer is lost with it. Asked again with one byte of the body, which
 * never becomes the whole, it can be heard. Undefined when it does not refuse.
 */
async function askWhy(
  world: HttpWorld,
  routes: Routes,
  { maxBytes, ...request }: Omit<ExchangeRequest, 'body' | 'signal'> & { readonly maxBytes: number },
): Promise<HttpResponse | undefined> {
  const body = new Readable({ read: () => {} });
  body.push(Buffer.from('-'));
  const deadline = startDeadline(WHY_PATIENCE, world.stop);
  try {
    const answer = await answerTo(routes, { ...request, body, signal: deadline.signal }, maxBytes);
    return answer.status >= 400 ? answer : undefined;
  } catch {
    return undefined; // then the lost connection is all that is known
  } finally {
    deadline.clear();
    body.destroy();
  }
}

async function* bytesOf(upload: Upload, failed: { reason?: ToolError }): AsyncGenerator<Buffer> {
  const { file, asset, prefix, suffix, onBytes } = upload;
  if (prefix !== undefined) yield prefix;
  const checking = { size: asset.size, digest: asset.sha256, refuse: () => changed(upload, failed), ...(onBytes && { onBytes }) };
  yield* checkedBytes(createReadStream(file), checking);
  if (suffix !== undefined) yield suffix;
}

function changed({ file }: Upload, failed: { reason?: ToolError }): ToolError {
  failed.reason = new ToolError('E_DIGEST', `${file} changed since it was packed`, { hint: 'Pack again, then publish.' });
  return failed.reason;
}
