// Archives that other programs made: GNU, pax, old. Rule: read by a library that knows them all, walked to the end; no path or mode in them ever reaches the disk.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ReadEntry } from 'tar';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { DEFAULT_LIMITS, diskError, guardPaths, mostUnpackedBytes } from './tarball.ts';
import { archiveRefusal, quotePath } from './ustar.ts';

export interface ForeignFile {
  /** Relative to the one top folder. */
  readonly path: string;
  readonly executable: boolean;
  readonly size: number;
  readonly sha256: Digest;
}

export interface ForeignReading {
  /** Paths of small files whose texts are wanted, as far as they are there. */
  readonly texts?: readonly string[];
  /** An empty folder that gets the content of each file, under a number. */
  readonly into?: string;
}

export interface ForeignArchive {
  /** By path. */
  readonly files: readonly ForeignFile[];
  readonly texts: ReadonlyMap<string, string>;
  /** Where the contents lie, by path; none without `into`. */
  readonly places: ReadonlyMap<string, string>;
}

/**
 * What a .tar.gz holds below its one top folder; links and devices are refused. Throws E_ARCHIVE. Its whole size is bounded by `digestOfTar`, which
 * is to be asked first.
 */
export async function readForeignArchive(file: string, reading: ForeignReading = {}): Promise<ForeignArchive> {
  const { list } = await import('tar');
  const found: Found = { files: [], texts: new Map(), places: new Map(), writes: [], reading };
  const onReadEntry = (entry: ReadEntry): void => {
    try {
      if (found.refusal === undefined && visit(entry, found, basename(file)) === 'file') return;
    } catch (error) {
      found.refusal = error as Error;
    }
    entry.resume();
  };
  await list({ file, strict: true, onReadEntry }).catch((cause: unknown) => {
    found.refusal ??= archiveRefusal(basename(file), cause instanceof Error ? cause.message.slice(0, 200) : 'it is damaged');
  });
  if (found.refusal !== undefined) for (const { target } of found.writes) target.destroy();
  await Promise.allSettled(found.writes.map(({ ended }) => ended));
  if (found.refusal !== undefined) throw found.refusal;
  if (found.files.length === 0) throw archiveRefusal(basename(file), 'it holds no file');
  return { ...found, files: found.files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
}

/** sha256 of the tar inside. Throws E_ARCHIVE for what is no gzip file, or a bomb. */
export async function digestOfTar(file: string): Promise<Digest> {
  const hash = createHash('sha256');
  const most = Math.min(DEFAULT_LIMITS.bytes, mostUnpackedBytes((await stat(file)).size));
  try {
    await pipeline(createReadStream(file), createGunzip(), hashing(hash, most, basename(file)));
  } catch (cause) {
    throw cause instanceof ToolError ? cause : archiveRefusal(basename(file), 'it is no whole gzip file');
  }
  return digestFromHex(hash.digest('hex'));
}

const MOST_TEXT_BYTES = 1024 * 1024;

interface Found {
  readonly files: ForeignFile[];
  readonly texts: Map<string, string>;
  readonly places: Map<string, string>;
  readonly writes: { readonly target: Writable; readonly ended: Promise<void> }[];
  readonly reading: ForeignReading;
  /** The check of paths, made with the top folder of the first entry. */
  guard?: ReturnType<typeof guardPaths>;
  refusal?: Error;
}

function visit(entry: ReadEntry, found: Found, archive: string): 'file' | 'folder' {
  const where = `${archive}: ${quotePath(entry.path)}`;
  const path = entry.path.replace(/^\.\//, '').replace(/\/+$/, '');
  const [top = '', ...rest] = path.split('/');
  const kind = entry.type === 'Directory' ? 'folder' : 'file';
  found.guard ??= guardPaths(top);
  found.guard(path, kind, where);
  if (kind === 'folder') return kind;
  if (!['File', 'OldFile', 'ContiguousFile'].includes(entry.type)) throw archiveRefusal(where, `a ${entry.type} cannot be in a release`);
  if (rest.length === 0) throw archiveRefusal(where, 'it lies in no folder; a release has one top folder');
  if (found.files.length >= DEFAULT_LIMITS.entries) throw archiveRefusal(archive, `it holds more than ${DEFAULT_LIMITS.entries} files`);
  takeFile(entry, rest.join('/'), found);
  return kind;
}

function takeFile(entry: ReadEntry, path: string, found: Found): void {
  const { files, texts, reading } = found;
  const hash = createHash('sha256');
  const chunks: Buffer[] | undefined = reading.texts?.includes(path) && entry.size <= MOST_TEXT_BYTES ? [] : undefined;
  const target = reading.into === undefined ? undefined : openPlace(entry, path, { found, into: reading.into });
  entry.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    chunks?.push(chunk);
    if (target?.writable && !target.write(chunk)) entry.pause(); // until it is written
  });
  entry.on('end', () => {
    const executable = ((entry.mode ?? 0) & 0o111) !== 0;
    files.push({ path, executable, size: entry.size, sha256: digestFromHex(hash.digest('hex')) });
    if (chunks !== undefined) texts.set(path, Buffer.concat(chunks).toString());
    target?.end();
  });
}

/** A file for the content of this entry; a failure to write never stops the archive from being read. */
function openPlace(entry: ReadEntry, path: string, { found, into }: { readonly found: Found; readonly into: string }): Writable {
  const place = join(into, String(found.places.size));
  const target = createWriteStream(place, { flags: 'wx', mode: 0o600 });
  target.on('drain', () => entry.resume());
  target.on('error', (error) => {
    found.refusal ??= diskError(error, into) as Error;
    entry.resume();
  });
  const ended = finished(target);
  ended.catch(() => undefined); // told by `refusal`
  found.places.set(path, place);
  found.writes.push({ target, ended });
  return target;
}

function hashing(hash: Hash, most: number, archive: string): Writable {
  let size = 0;
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      hash.update(chunk);
      done(size > most ? archiveRefusal(archive, 'it unpacks to more than it may') : null);
    },
  });
}
