// Files as facts. Rule: reads only; what is absent is undefined, never an error.
import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '../model/digest.ts';
import { digestFromHex, digestOf } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';
import type { FileFact } from '../model/facts.ts';

/** The text of a file, or undefined when it is not there. Throws E_TOO_LARGE beyond `maxBytes`. */
export async function readTextIfThere(path: string, maxBytes = 16 * 1024 * 1024): Promise<string | undefined> {
  return (await readBytesIfThere(path, maxBytes))?.toString('utf8');
}

/** The same as bytes. */
export async function readBytesIfThere(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const stats = await statIfThere(path);
  if (stats === undefined) return undefined;
  if (stats.size > maxBytes) throw new ToolError('E_TOO_LARGE', `${path} is larger than ${maxBytes} bytes`);
  return unlessGone(() => readFile(path)); // a lock may be given back between the two calls
}

/** What is at a path without following a link, or undefined. */
export async function statIfThere(path: string): Promise<Stats | undefined> {
  return unlessGone(() => lstat(path));
}

async function unlessGone<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Bytes up to which a file is read in one go, which a stream takes many times as long for. */
const SMALL = 1024 * 1024;

/** Digest, mode and size of a file; undefined when there is no file. */
export async function factOfFile(path: string): Promise<FileFact | undefined> {
  const stats = await statIfThere(path);
  if (stats === undefined || stats.isDirectory()) return undefined;
  return unlessGone(async () => {
    if (stats.isSymbolicLink()) return { digest: digestOf(`link:${await readlink(path)}`), mode: 0, size: 0 };
    const digest = stats.size <= SMALL ? digestOf(await readFile(path)) : await digestOfFile(path);
    return { digest, mode: stats.mode & 0o777, size: stats.size };
  });
}

/** The sha256 of a file's bytes. */
export async function digestOfFile(path: string): Promise<Digest> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return digestFromHex(hash.digest('hex'));
}

/** All files and links below a folder, as relative paths in byte order; an absent folder has none. */
export async function listFiles(folder: string, below = ''): Promise<string[]> {
  const entries = await readFolder(join(folder, below));
  const found: string[] = [];
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await listFiles(folder, path)));
    else found.push(path);
  }
  return found.sort();
}

/** The names in a folder, sorted; an absent folder has none. */
export async function listNames(folder: string): Promise<string[]> {
  return (await readFolder(folder)).map((entry) => entry.name).sort();
}

async function readFolder(path: string): Promise<import('node:fs').Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
