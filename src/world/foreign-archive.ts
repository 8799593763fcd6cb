// Archives that other programs made: GNU, pax, old. Rule: read by a library that knows them all, walked to the end, and nothing of them is ever unpacked.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ReadEntry } from 'tar';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { DEFAULT_LIMITS, guardPaths, mostUnpackedBytes } from './tarball.ts';
import { archiveRefusal, quotePath } from './ustar.ts';

export interface ForeignFile {
  /** Relative to the one top folder. */
  readonly path: string;
  readonly executable: boolean;
  readonly size: number;
  readonly sha256: Digest;
}

/** The files of a .tar.gz below its one top folder, by path; links and devices are refused. Throws E_ARCHIVE. */
export async function listForeignArchive(file: string): Promise<readonly ForeignFile[]> {
  const { list } = await import('tar');
  const found: Found = { files: [] };
  const onReadEntry = (entry: ReadEntry): void => {
    try {
      found.refusal ?? visit(entry, found, basename(file));
    } catch (error) {
      found.refusal ??= error as Error;
      entry.resume();
    }
  };
  await list({ file, strict: true, onReadEntry }).catch((cause: unknown) => {
    throw found.refusal ?? archiveRefusal(basename(file), cause instanceof Error ? cause.message.slice(0, 200) : 'it is damaged');
  });
  if (found.refusal !== undefined) throw found.refusal;
  if (found.files.length === 0) throw archiveRefusal(basename(file), 'it holds no file');
  return found.files.sort((a, b) => (a.path < b.path ? -1 : 1));
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

interface Found {
  readonly files: ForeignFile[];
  /** The check of paths, made with the top folder of the first entry. */
  guard?: ReturnType<typeof guardPaths>;
  refusal?: Error;
}

function visit(entry: ReadEntry, found: Found, archive: string): void {
  const where = `${archive}: ${quotePath(entry.path)}`;
  const path = entry.path.replace(/^\.\//, '').replace(/\/+$/, '');
  const [top = '', ...rest] = path.split('/');
  const kind = entry.type === 'Directory' ? 'folder' : 'file';
  found.guard ??= guardPaths(top);
  found.guard(path, kind, where);
  if (kind === 'folder') return void entry.resume();
  if (!['File', 'OldFile', 'ContiguousFile'].includes(entry.type) || rest.length === 0) {
    throw archiveRefusal(where, `a ${entry.type} cannot be in a release`);
  }
  if (found.files.length >= DEFAULT_LIMITS.entries) throw archiveRefusal(archive, `it holds more than ${DEFAULT_LIMITS.entries} files`);
  const hash = createHash('sha256');
  const file = { path: rest.join('/'), executable: ((entry.mode ?? 0) & 0o111) !== 0, size: entry.size };
  entry.on('data', (chunk: Buffer) => hash.update(chunk));
  entry.on('end', () => found.files.push({ ...file, sha256: digestFromHex(hash.digest('hex')) }));
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
