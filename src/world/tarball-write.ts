// Writes a bundle's .tar.gz. Rule: the same entries and time give the same tar, whatever the machine; a failure leaves no file.
import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';
import { gzip } from './gzip.ts';
import { diskError, guardPaths, mostUnpackedBytes, type TarEntry, type TarSource } from './tarball.ts';
import { archiveRefusal, END_OF_TAR, encodeHeader, MOST_FILE_BYTES, paddingOf, quotePath } from './ustar.ts';

const READ_BYTES = 256 * 1024;

export interface WriteOptions {
  /** The file to make; it must not exist. */
  readonly out: string;
  /** In any order; all in one top folder. */
  readonly entries: readonly TarEntry[];
  readonly mtime: Date;
  /** 1 to 9, by default 6. */
  readonly gzipLevel?: number;
  /** Makes the last entries, written in the order given, from the hash of the tar without them. */
  readonly tail?: (tarSha256: Digest) => Promise<readonly TarEntry[]>;
  /** Called with the bytes packed so far. */
  readonly onBytes?: (done: number) => void;
}

type FileSource = Extract<TarSource, { readonly file: string }>;

export interface WrittenTarball {
  /** sha256 of the uncompressed tar of the same entries without the tail, ended by two zero blocks. */
  readonly tarSha256: Digest;
  /** sha256 of the file. */
  readonly sha256: Digest;
  readonly size: number;
}

/**
 * Writes the entries, byte-sorted by path, then the tail, as a .tar.gz. Throws E_DIGEST when a file is no longer what its entry says, E_ARCHIVE
 * for entries that a reader would refuse, E_CONFLICT when `out` exists, E_DISK_FULL.
 */
export async function writeTarball(options: WriteOptions): Promise<WrittenTarball> {
  const handle = await createOut(options.out);
  try {
    return await writeTo(handle, options);
  } catch (error) {
    await rm(options.out, { force: true });
    throw diskError(error, options.out);
  } finally {
    await handle.close();
  }
}

async function createOut(out: string): Promise<FileHandle> {
  try {
    return await open(out, 'wx', 0o644);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw new ToolError('E_CONFLICT', `${out} exists already`, { hint: 'Remove it, or write to another folder.' });
  }
}

async function writeTo(handle: FileHandle, options: WriteOptions): Promise<WrittenTarball> {
  let tarSha256: Digest | undefined;
  let unpacked = 0;
  let size = 0;
  const hash = createHash('sha256');
  const makeTail = async (digest: Digest): Promise<readonly TarEntry[]> => {
    tarSha256 = digest;
    return (await options.tail?.(digest)) ?? [];
  };
  const onBytes = (count: number): void => {
    unpacked += count;
    options.onBytes?.(unpacked);
  };
  for await (const chunk of gzip(tarBytes(options, makeTail, onBytes), options.gzipLevel ?? 6)) {
    hash.update(chunk);
    await handle.writeFile(chunk);
    size += chunk.length;
  }
  if (unpacked > mostUnpackedBytes(size)) throw archiveRefusal(options.out, 'it compresses so well that readers would take it for a bomb');
  if (tarSha256 === undefined) throw new Error('the tar ended before its tail');
  return { tarSha256, sha256: digestFromHex(hash.digest('hex')), size };
}

async function* tarBytes(
  options: WriteOptions,
  makeTail: (tarSha256: Digest) => Promise<readonly TarEntry[]>,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const seconds = secondsOf(options.mtime);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES); // one for all files: garbage of this size would cost more than the reading
  const head = sortEntries(options.entries);
  const guard = guardEntries(head);
  for (const entry of head) {
    guard(entry);
    for await (const chunk of entryBytes(entry, seconds, buffer)) {
      hash.update(chunk);
      onBytes(chunk.length);
      yield chunk;
    }
  }
  for (const entry of await makeTail(digestFromHex(hash.update(END_OF_TAR).digest('hex')))) {
    guard(entry);
    yield* entryBytes(entry, seconds, buffer);
  }
  yield END_OF_TAR;
}

/** Header, bytes and padding. A chunk is overwritten once the next one is asked for. */
async function* entryBytes(entry: TarEntry, mtime: number, buffer: Buffer): AsyncGenerator<Buffer> {
  if (entry.kind === 'folder') {
    yield encodeHeader({ path: entry.path, kind: 'folder', mode: 0o755, size: 0 }, mtime);
    return;
  }
  const { source } = entry;
  const size = 'content' in source ? source.content.length : source.size;
  if (size > MOST_FILE_BYTES)
    throw new ToolError('E_TOO_LARGE', `${entry.path} has more than 8 GiB`, { hint: 'Ship it in parts, or as an image.' });
  yield encodeHeader({ path: entry.path, kind: 'file', mode: entry.mode, size }, mtime);
  if ('content' in source) yield source.content;
  else yield* fileBytes(source, buffer);
  yield paddingOf(size);
}

async function* fileBytes(source: FileSource, buffer: Buffer): AsyncGenerator<Buffer> {
  const handle = await openSource(source.file);
  try {
    if (!(await handle.stat()).isFile()) throw changedFile(source.file);
    const hash = createHash('sha256');
    let left = source.size;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, left + 1)); // one more than declared shows a file that grew
      if (bytesRead === 0) break;
      left -= bytesRead;
      if (left < 0) throw changedFile(source.file);
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      yield chunk;
    }
    if (left > 0 || digestFromHex(hash.digest('hex')) !== source.sha256) throw changedFile(source.file);
  } finally {
    await handle.close();
  }
}

async function openSource(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw changedFile(file);
    throw error;
  }
}

function changedFile(file: string): ToolError {
  return new ToolError('E_DIGEST', `${file} changed while it was packed`, { hint: 'Wait until nothing writes to it, then pack again.' });
}

function sortEntries(entries: readonly TarEntry[]): readonly TarEntry[] {
  const keyed = entries.map((entry) => ({ entry, key: Buffer.from(entry.path) }));
  return keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
}

function guardEntries(sorted: readonly TarEntry[]): (entry: TarEntry) => void {
  const guard = guardPaths(sorted[0]?.path.split('/')[0] ?? '');
  return (entry) => guard(entry.path, entry.kind, `cannot pack ${quotePath(entry.path)}`);
}

function secondsOf(mtime: Date): number {
  const seconds = Math.floor(mtime.getTime() / 1000);
  if (seconds >= 0 && seconds <= MOST_FILE_BYTES) return seconds;
  throw new ToolError('E_USAGE', 'a tar file cannot hold this time', {
    hint: 'Use a SOURCE_DATE_EPOCH of zero or more seconds since 1970.',
  });
}
