// The unpacked bytes of a .gz file, as many at a time as asked for. Rule: never more than the limit, and a damaged, cut or continued file is refused.
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import { systemCode, ToolError } from '../model/error.ts';
import { mostUnpackedBytes } from './tarball.ts';
import { archiveRefusal } from './ustar.ts';

const EMPTY = Buffer.alloc(0);

/** Opens a .gz file for reading; `mostBytes` bounds what comes out, besides the bound against bombs. Throws E_NOT_FOUND. */
export async function openGunzip(file: string, mostBytes: number): Promise<GunzipReader> {
  const handle = await openFile(file);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw archiveRefusal(basename(file), 'it is not a file');
    return new GunzipReader(handle, stats.size, { name: basename(file), mostBytes });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A reader over one open file; `close` ends it. */
export class GunzipReader {
  readonly #gunzip: Gunzip;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #handle: FileHandle;
  readonly #name: string;
  readonly #size: number;
  readonly #mostBytes: number;
  #rest: Buffer = EMPTY;
  #unpacked = 0;

  constructor(handle: FileHandle, size: number, bounds: { readonly name: string; readonly mostBytes: number }) {
    this.#handle = handle;
    this.#size = size;
    this.#name = bounds.name;
    this.#mostBytes = Math.min(bounds.mostBytes, mostUnpackedBytes(size));
    this.#gunzip = createGunzip({ chunkSize: 128 * 1024 });
    pipeline(handle.createReadStream({ autoClose: false, highWaterMark: 128 * 1024 }), this.#gunzip, () => undefined); // errors arrive in the iteration
    this.#chunks = this.#gunzip[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** How many unpacked bytes may still come. */
  get room(): number {
    return this.#mostBytes - this.#unpacked + this.#rest.length;
  }

  /** One to `most` bytes; none at the end of the file. */
  async upTo(most: number): Promise<Buffer> {
    if (this.#rest.length === 0) this.#rest = await this.#next();
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /** Exactly `count` bytes; `where` names what is cut short when they do not come. */
  async exactly(count: number, where: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = count; left > 0; ) {
      const part = await this.upTo(left);
      if (part.length === 0) throw archiveRefusal(where, 'the archive is cut short');
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] ?? EMPTY) : Buffer.concat(parts);
  }

  async close(): Promise<void> {
    this.#gunzip.destroy();
    await this.#handle.close();
  }

  async #next(): Promise<Buffer> {
    const result = await this.#chunks.next().catch((error: unknown) => {
      throw systemCode(error)?.startsWith('Z_') ? archiveRefusal(this.#name, 'it is damaged, cut short or not a gzip file') : error;
    });
    if (result.done) return this.#ended();
    this.#unpacked += result.value.length;
    if (this.#unpacked > this.#mostBytes) throw archiveRefusal(this.#name, `it unpacks to more than ${this.#mostBytes} bytes`);
    return result.value;
  }

  #ended(): Buffer {
    if (this.#gunzip.bytesWritten !== this.#size) throw archiveRefusal(this.#name, 'something follows the end of the gzip data');
    return EMPTY;
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new ToolError('E_NOT_FOUND', `${file} does not exist`, { cause: error, hint: 'Check the path, or fetch the file again.' });
  }
}
