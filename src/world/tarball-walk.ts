// Goes through a .tar.gz entry by entry. Rule: every entry is checked whole, by type, mode, path and size, before a byte of it is handed on.
import { createHash, type Hash } from 'node:crypto';
import { basename } from 'node:path';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { type GunzipReader, openGunzip } from './gunzip.ts';
import { type ArchiveLimits, guardPaths, TAIL_NAMES, type TarMode } from './tarball.ts';
import { archiveRefusal, BLOCK, decodeHeader, decodePax, END_OF_TAR, paddingOf, quotePath, type TarHeader } from './ustar.ts';

/** One checked entry; `path` is relative to the top folder, empty for the top folder itself. */
export interface ArchiveEntry {
  readonly path: string;
  readonly kind: 'file' | 'folder';
  readonly mode: TarMode;
  readonly size: number;
  /** How errors name it: the archive, and the path in it. */
  readonly where: string;
}

export interface WalkOptions {
  readonly file: string;
  /** The one folder everything must lie in; by default that of the first entry. */
  readonly top?: string;
  readonly limits: ArchiveLimits;
  /** Called for every entry in turn; what it leaves of `content` is skipped. */
  readonly visit: (entry: ArchiveEntry, content: AsyncIterable<Buffer>) => Promise<void>;
}

/**
 * Visits every entry of a .tar.gz to its very end. Gives `tarSha256`: the sha256 of the tar without `<top>/bundle.json` and
 * `<top>/bundle.json.minisig`, ended by two zero blocks; these two may only come last. Throws E_ARCHIVE naming the entry and why.
 */
export async function walkTarball(options: WalkOptions): Promise<{ readonly tarSha256: Digest }> {
  const bytes = await openGunzip(options.file, options.limits.bytes);
  try {
    return await walk(bytes, options);
  } finally {
    await bytes.close();
  }
}

/** A header as it stands in the file: the fields and the raw blocks. */
interface ReadHeader {
  readonly header: TarHeader;
  readonly raw: Buffer;
}

async function walk(bytes: GunzipReader, options: WalkOptions): Promise<{ readonly tarSha256: Digest }> {
  const archive = basename(options.file);
  const hash = createHash('sha256');
  let guard: ReturnType<typeof guardPaths> | undefined;
  let top = options.top;
  let tail = 0;
  for (let count = 1; ; count++) {
    const read = await readHeader(bytes, `${archive}: entry ${count}`);
    if (read === undefined) break;
    const { header, raw } = read;
    const where = `${archive}: ${quotePath(header.path)}`;
    if (count > options.limits.entries) throw archiveRefusal(archive, `it holds more than ${options.limits.entries} entries`);
    top ??= header.path.split('/')[0] ?? '';
    guard ??= guardPaths(top);
    guard(header.path, header.kind, where);
    const entry = checkEntry(header, { top, where, most: Math.min(options.limits.entryBytes, bytes.room) });
    if (entry.kind === 'file' && TAIL_NAMES.includes(entry.path)) tail++;
    else if (tail > 0) throw archiveRefusal(where, `it comes after ${TAIL_NAMES[0]}, which must be last`);
    await visitEntry(bytes, entry, { raw, hash: tail === 0 ? hash : undefined, visit: options.visit });
  }
  if (guard === undefined) throw archiveRefusal(archive, 'it holds nothing');
  return { tarSha256: digestFromHex(hash.update(END_OF_TAR).digest('hex')) };
}

async function visitEntry(
  bytes: GunzipReader,
  entry: ArchiveEntry,
  on: { readonly raw: Buffer; readonly hash: Hash | undefined; readonly visit: WalkOptions['visit'] },
): Promise<void> {
  on.hash?.update(on.raw);
  let left = entry.size;
  async function* content(): AsyncGenerator<Buffer> {
    while (left > 0) {
      const chunk = await bytes.upTo(left);
      if (chunk.length === 0) throw archiveRefusal(entry.where, 'the archive is cut short');
      left -= chunk.length;
      on.hash?.update(chunk);
      yield chunk;
    }
  }
  await on.visit(entry, content());
  for await (const _ of content()); // what the visitor left
  const padding = await bytes.exactly(paddingOf(entry.size).length, entry.where);
  if (padding.some((byte) => byte !== 0)) throw archiveRefusal(entry.where, 'something is hidden behind its content');
  on.hash?.update(padding);
}

/** The next header with the pax header before it; undefined at the end of the tar, after which nothing but zeros may follow. */
async function readHeader(bytes: GunzipReader, where: string): Promise<ReadHeader | undefined> {
  const block = await bytes.exactly(BLOCK, where);
  if (isZero(block)) return readEnd(bytes, where);
  const decoded = decodeHeader(block, where);
  if (decoded.kind === 'entry') return { header: decoded.header, raw: block };
  const records = await bytes.exactly(decoded.size + paddingOf(decoded.size).length, where);
  const pax = decodePax(records.subarray(0, decoded.size), where);
  const second = await bytes.exactly(BLOCK, where);
  const described = decodeHeader(second, where, pax);
  if (described.kind === 'pax') throw new Error('a pax header was taken for a file');
  return { header: described.header, raw: Buffer.concat([block, records, second]) };
}

async function readEnd(bytes: GunzipReader, where: string): Promise<undefined> {
  if (!isZero(await bytes.exactly(BLOCK, where))) throw archiveRefusal(where, 'a zero block stands before it');
  for (let chunk = await bytes.upTo(BLOCK); chunk.length > 0; chunk = await bytes.upTo(BLOCK)) {
    if (!isZero(chunk)) throw archiveRefusal(where, 'something follows the end of the tar');
  }
  return undefined;
}

function checkEntry(header: TarHeader, on: { readonly top: string; readonly where: string; readonly most: number }): ArchiveEntry {
  const { kind, size, mode } = header;
  if ((mode & ~0o777) !== 0) throw archiveRefusal(on.where, 'it has a setuid, setgid or sticky bit');
  const octal = mode.toString(8).padStart(4, '0');
  if (mode !== 0o755 && (mode !== 0o644 || kind === 'folder')) {
    throw archiveRefusal(on.where, `its mode ${octal} is not ${kind === 'folder' ? '0755' : '0644 or 0755'}`);
  }
  if (size > on.most) throw archiveRefusal(on.where, `its ${size} bytes are more than the ${on.most} allowed`);
  return { path: header.path.slice(on.top.length + 1), kind, mode, size, where: on.where };
}

function isZero(block: Buffer): boolean {
  return block.equals(END_OF_TAR.subarray(0, block.length));
}
