// Files of a folder that many processes write and a web server shows. Rule: a name appears only with its whole content, synced, and readable for all.
import { createHash } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';

const CHUNK = 1024 * 1024;
const FILE_MODE = 0o644; // a web server of another user must read it
export const FOLDER_MODE = 0o755;

export interface Measured {
  readonly size: number;
  readonly sha256: Digest;
}

export interface CopyOptions {
  readonly from: string;
  readonly to: string;
  readonly mode: number;
  /** More bytes than this are refused with E_TOO_LARGE. */
  readonly maxBytes: number;
  readonly onBytes?: (done: number) => void;
}

/** Makes a folder below one that exists, readable for all; leaves one that is there as it is. */
export async function makeFolder(path: string, mode = FOLDER_MODE): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await changeMode(made, mode);
    await syncFolder(dirname(made));
  }
}

/** Writes a new file; the name must be the caller's own. */
export async function writeNew(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE);
  try {
    await file.writeFile(content);
    await file.chmod(FILE_MODE); // whatever the umask says
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives a file this content at once; `nonce` makes the temporary name the caller's own. */
export async function replaceFile(path: string, content: string | Uint8Array, nonce: string): Promise<void> {
  const temporary = `${dirname(path)}/.slipway-tmp-${nonce}`;
  try {
    await writeNew(temporary, content);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
}

/** Gives `existing` a second name, or returns false when that name is taken. */
export async function claimName(existing: string, name: string): Promise<boolean> {
  try {
    await link(existing, name);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    throw new ToolError('E_NOT_SUPPORTED', `the file system of ${dirname(name)} has no hard links, so two publishers could both win`, {
      cause: error,
      hint: 'Publish to a folder on an ordinary Linux file system and copy it from there.',
    });
  }
  await syncFolder(dirname(name));
  return true;
}

/** Renames, or returns false when `from` is gone. */
export async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Streams a file into a new one, synced; returns what was copied. After an error `to` may be there in part. */
export async function copyStreamed({ from, to, mode, maxBytes, onBytes }: CopyOptions): Promise<Measured> {
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'w', 0o600);
    try {
      const limit = { maxBytes, where: from };
      const copied = await eachChunk(source, limit, async (chunk, done) => {
        await target.writeFile(chunk);
        onBytes?.(done);
      });
      await target.chmod(mode);
      await target.sync();
      return copied;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** The size and digest of a file. */
export async function measureFile(path: string): Promise<Measured> {
  const file = await open(path, 'r');
  try {
    return await eachChunk(file, { maxBytes: Number.POSITIVE_INFINITY, where: path }, async () => {});
  } finally {
    await file.close();
  }
}

/** The bytes of a file of at most `maxBytes`, or undefined when there is none. */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await openIfThere(path);
  if (file === undefined) return undefined;
  try {
    const chunks: Buffer[] = [];
    await eachChunk(file, { maxBytes, where: path }, async (chunk) => {
      chunks.push(Buffer.from(chunk));
    });
    return Buffer.concat(chunks);
  } finally {
    await file.close();
  }
}

/** The names in a folder, sorted; undefined when there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** True when something has this name. */
export async function isThere(path: string): Promise<boolean> {
  return (await identityOf(path)) !== undefined;
}

/** What identifies a file whatever its names, or undefined when there is none. */
export async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Syncs a folder, so that the names in it survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Sets the mode of a folder whatever the umask was. */
export async function changeMode(path: string, mode: number): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.chmod(mode);
  } finally {
    await folder.close();
  }
}

interface Limit {
  readonly maxBytes: number;
  readonly where: string;
}

async function eachChunk(file: FileHandle, limit: Limit, visit: (chunk: Buffer, done: number) => Promise<void>): Promise<Measured> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK);
  let size = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK);
    if (bytesRead === 0) return { size, sha256: digestFromHex(hash.digest('hex')) };
    size += bytesRead;
    if (size > limit.maxBytes) {
      throw new ToolError('E_TOO_LARGE', `${limit.where} has more than the ${limit.maxBytes} bytes expected`, {
        hint: 'It was not read further. This copy is damaged or was replaced: try another host.',
      });
    }
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await visit(chunk, size);
  }
}

/** Regular files only: a fifo or a device would answer for ever. */
async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    if (!(await stat(path)).isFile()) return undefined;
    return await open(path, 'r');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
