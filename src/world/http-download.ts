// Downloads into files. Rule: the file appears complete and with the expected digest, or it does not appear.
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';
import type { HttpWorld } from './http.ts';
import { discard, type Exchange, exchange, tooLarge } from './http-exchange.ts';
import { type Failure, failureOf, refusedStatus, retryDelay, slowDown, stopIfAsked } from './http-failure.ts';
import type { Routes } from './http-routes.ts';

export interface Download {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The file to make, in a folder that exists; replaced when it is there. */
  readonly to: string;
  /** 0o600 by default, whatever the umask. */
  readonly mode?: number;
  readonly maxBytes: number;
  readonly expected?: { readonly size?: number; readonly sha256?: Digest };
  /** Called as bytes arrive; falls back when a broken download has to start over. */
  readonly onBytes?: (done: number, total: number | undefined) => void;
  readonly plainHttp?: boolean;
}

export interface Downloaded {
  readonly size: number;
  readonly sha256: Digest;
}

/** What has arrived so far; survives a broken connection. */
interface Arrived {
  readonly file: FileHandle;
  hash: Hash;
  size: number;
  /** The strong ETag that a continuation must have; undefined = only a known digest makes continuing safe. */
  etag: string | undefined;
}

const MEBIBYTE = 1024 * 1024;

interface Transfer {
  readonly download: Download;
  readonly arrived: Arrived;
}

/** Streams `download.url` into `download.to`, continuing broken transfers. Throws E_NOT_FOUND, E_AUTH, E_NETWORK, E_TOO_LARGE, E_DIGEST, E_DISK_FULL. */
export async function downloadFile(world: HttpWorld, routes: Routes, download: Download): Promise<Downloaded> {
  const part = `${download.to}.part-${world.random(6).toString('hex')}`;
  const file = await open(part, 'wx', 0o600).catch((cause: unknown) => {
    throw cannotWrite(download.to, cause);
  });
  try {
    const arrived: Arrived = { file, hash: createHash('sha256'), size: 0, etag: undefined };
    await fetchPatiently(world, routes, { download, arrived });
    const downloaded = { size: arrived.size, sha256: digestFromHex(arrived.hash.digest('hex')) };
    checkDigest(download, downloaded.sha256);
    await file.chmod(download.mode ?? 0o600);
    await file.sync();
    await file.close();
    await rename(part, download.to);
    return downloaded;
  } catch (error) {
    await file.close();
    await rm(part, { force: true });
    throw error;
  }
}

async function fetchPatiently(world: HttpWorld, routes: Routes, transfer: Transfer): Promise<void> {
  let farthest = 0;
  for (let tries = 1; ; tries += 1) {
    const failure = await fetchOnce(world, routes, transfer);
    if (failure === undefined) return;
    if (transfer.arrived.size >= farthest + MEBIBYTE) {
      farthest = transfer.arrived.size; // it moves: a long download over a bad line is not a failure
      tries = 1;
    }
    const delay = retryDelay(world, failure, tries);
    if (delay === undefined) throw failure.error;
    await world.sleep(delay);
    stopIfAsked(world.stop);
  }
}

async function fetchOnce(world: HttpWorld, routes: Routes, transfer: Transfer): Promise<Failure | undefined> {
  const { url, plainHttp = false, headers } = transfer.download;
  const signal = world.stop;
  try {
    const found = await exchange(routes, { url, plainHttp, method: 'GET', headers: { ...headers, ...continuation(transfer) }, signal });
    const continued = continues(found, transfer.arrived);
    if (found.status === 200 || continued) {
      if (!continued) await startOver(transfer.arrived);
      return await store(found, transfer);
    }
    discard(found.body);
    return slowDown(found, found.url, world.now()) ?? (await rejected(found, transfer.arrived));
  } catch (error) {
    return failureOf(error, url, world);
  }
}

/** The header that asks for the rest only (RFC 9110 §14.2), where a rest of something else would be noticed. */
function continuation({ download, arrived }: Transfer): Record<string, string> {
  const noticed = arrived.etag !== undefined || download.expected?.sha256 !== undefined;
  if (arrived.size === 0 || !noticed) return {};
  return { range: `bytes=${arrived.size}-`, ...(arrived.etag === undefined ? {} : { 'if-range': arrived.etag }) };
}

function continues({ status, headers }: Exchange, arrived: Arrived): boolean {
  const start = /^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1];
  return status === 206 && arrived.size > 0 && Number(start) === arrived.size;
}

async function rejected({ status, url }: Exchange, arrived: Arrived): Promise<Failure> {
  if (status !== 206 && status !== 416) return { error: refusedStatus(status, url), transient: false };
  await startOver(arrived); // another part than the one asked for: only the whole file helps
  return { error: refusedStatus(status, url), transient: true };
}

async function startOver(arrived: Arrived): Promise<void> {
  await arrived.file.truncate(0);
  arrived.hash = createHash('sha256');
  arrived.size = 0;
  arrived.etag = undefined;
}

async function store(found: Exchange, { download, arrived }: Transfer): Promise<Failure | undefined> {
  const size = download.expected?.size;
  const length = found.headers['content-length'];
  const total = length === undefined ? size : arrived.size + Number(length);
  if (total !== undefined && (total > download.maxBytes || (size !== undefined && total !== size))) {
    discard(found.body);
    throw total > download.maxBytes ? tooLarge(found.url, download.maxBytes) : differs(download, `${total} bytes`, `${size} bytes`);
  }
  const etag = found.headers.etag;
  arrived.etag = etag?.startsWith('"') ? etag : undefined; // a weak one promises too little
  const limit = Math.min(download.maxBytes, size ?? Number.POSITIVE_INFINITY);
  for await (const chunk of found.body as AsyncIterable<Buffer>) {
    if (arrived.size + chunk.length > limit) throw tooLarge(found.url, limit);
    await write(arrived, chunk, download.to);
    download.onBytes?.(arrived.size, total);
  }
  if (size === undefined || arrived.size === size) return undefined;
  return { error: differs(download, `${arrived.size} bytes`, `${size} bytes`), transient: true }; // cut short without a sign
}

async function write(arrived: Arrived, chunk: Buffer, to: string): Promise<void> {
  try {
    for (let done = 0; done < chunk.length; ) {
      done += (await arrived.file.write(chunk, done, chunk.length - done, arrived.size + done)).bytesWritten;
    }
  } catch (cause) {
    throw cannotWrite(to, cause);
  }
  arrived.hash.update(chunk);
  arrived.size += chunk.length;
}

/** The error of a file that cannot be written, by the system's reason. */
export function cannotWrite(path: string, cause: unknown): ToolError {
  const code = systemCode(cause) ?? 'unknown reason';
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const hint = full
    ? `Make room on the disk that holds ${path}, then run the same command again.`
    : 'Check that the folder exists and may be written.';
  return new ToolError(full ? 'E_DISK_FULL' : 'E_CONFIG', `cannot write ${path} (${code})`, { cause, hint });
}

function checkDigest(download: Download, sha256: Digest): void {
  const expected = download.expected?.sha256;
  if (expected !== undefined && expected !== sha256) throw differs(download, sha256, expected);
}

function differs({ url }: Download, found: string, expected: string): ToolError {
  const { origin, pathname, host } = new URL(url);
  return new ToolError('E_DIGEST', `${origin}${pathname} is not what was published: found ${found}, expected ${expected}`, {
    hint: `Nothing was kept. The copy at ${host} is damaged or was replaced: try another host, or tell the vendor.`,
  });
}
