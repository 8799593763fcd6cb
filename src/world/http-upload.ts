// Uploads of files. Rule: the length is known before the first byte, the content is checked on the way, and nothing is sent twice without being asked.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { ChannelAsset } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import { checkedBytes } from './checked-stream.ts';
import type { HttpResponse, HttpWorld } from './http.ts';
import { exchange, readBody } from './http-exchange.ts';
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

/** Sends a file once. Every answer is returned as it is; throws E_DIGEST when the file is not the asset, E_NETWORK, E_TOO_LARGE or E_INTERRUPTED. */
export async function uploadFile(world: HttpWorld, routes: Routes, upload: Upload): Promise<HttpResponse> {
  const { url, method, asset, prefix, suffix, maxBytes } = upload;
  const length = (prefix?.length ?? 0) + asset.size + (suffix?.length ?? 0);
  const seconds = PATIENCE + Math.ceil(length / SLOWEST);
  const signal = AbortSignal.any([world.stop, AbortSignal.timeout(seconds * 1000)]);
  const headers = { ...upload.headers, 'content-length': String(length) };
  const failed: { reason?: ToolError } = {};
  const body = Readable.from(bytesOf(upload, failed), { objectMode: false });
  try {
    const answer = await exchange(routes, { url, method, headers, body, signal, ...(upload.plainHttp ? { plainHttp: true } : {}) });
    const read = { method, headers: answer.headers, maxBytes, url: answer.url };
    return { status: answer.status, headers: answer.headers, url: answer.url.href, body: await readBody(answer.body, read) };
  } catch (error) {
    throw failed.reason ?? failureOf(error, url, world).error;
  } finally {
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
