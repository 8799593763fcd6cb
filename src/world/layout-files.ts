// The files of an OCI image layout. Rule: a name appears with its whole content, synced; whoever wrote the folder may have been hostile, so no link is
// followed below it.
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';
import { EMPTY_LAYOUT, LAYOUT_VERSION, type LayoutIndex, parseLayoutIndex, printLayoutIndex } from '../model/image-layout.ts';
import { parseFields, parseJson } from '../model/parse.ts';
import { makeFolder, namesIn, syncFolder } from './folder-files.ts';
import { cannotWrite } from './http-download.ts';

/** A layout's folder, as far as one process writes it. */
export interface LayoutFiles {
  /** Absolute. */
  readonly folder: string;
  readonly random: (bytes: number) => Buffer;
}

const LARGEST_INDEX = 8 * 1024 * 1024;
const SMALL = 4096;
const CHUNK = 1024 * 1024;
/** Where files are written until they are whole. Nothing else of the layout is named so. */
const PARTS = '.slipway-parts';
const OWN_NAMES = ['blobs', 'index.json', 'oci-layout', PARTS];
/** A part that nobody has written for so long was left by a process that ended. Milliseconds. */
const FORGOTTEN = 600_000;

/** What the folder holds; undefined when it is no layout yet: absent, empty, or begun. Throws E_FORMAT for a folder of something else. */
export async function readLayout(folder: string): Promise<LayoutIndex | undefined> {
  const marker = await readSmall(join(folder, 'oci-layout'), SMALL);
  if (marker === undefined) return refuseOthers(folder);
  const { imageLayoutVersion } = parseFields(parseJson(marker.toString('utf8'), `${folder}/oci-layout`), `${folder}/oci-layout`);
  if (imageLayoutVersion !== LAYOUT_VERSION) {
    throw new ToolError(
      'E_FORMAT',
      `${folder} is an OCI image layout of another version: ${JSON.stringify(imageLayoutVersion)?.slice(0, 40)}`,
      {
        hint: `Only version ${LAYOUT_VERSION} is known.`,
      },
    );
  }
  const text = await readSmall(join(folder, 'index.json'), LARGEST_INDEX);
  if (text === undefined) throw new ToolError('E_FORMAT', `${folder} has no index.json`, { hint: DAMAGED });
  return parseLayoutIndex(text.toString('utf8'), `${folder}/index.json`);
}

/** Makes the folder a layout when it is none yet. What a killed process left unfinished is removed. */
export async function prepareLayout(files: LayoutFiles): Promise<void> {
  const { folder } = files;
  const known = await readLayout(folder);
  await refusing(folder, async () => {
    await makeFolder(join(folder, 'blobs', 'sha256'));
    await makeFolder(join(folder, PARTS));
    await refuseLinks(folder);
    await removeForgotten(join(folder, PARTS));
    if (known !== undefined) return;
    if ((await statusOf(join(folder, 'index.json'))) === undefined)
      await writeFile(files, join(folder, 'index.json'), printLayoutIndex(EMPTY_LAYOUT));
    await writeFile(files, join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION }));
  });
}

/** Replaces index.json at once, when the names of all blobs before it would survive a power cut. */
export async function writeIndex(files: LayoutFiles, index: LayoutIndex): Promise<void> {
  await refusing(files.folder, async () => {
    await syncFolder(join(files.folder, 'blobs', 'sha256'));
    await writeFile(files, join(files.folder, 'index.json'), printLayoutIndex(index));
  });
}

/** The bytes of a blob's file, or undefined where there is none. Throws E_TOO_LARGE. They are what the file holds: nobody has hashed them. */
export async function readBlobFile({ folder }: LayoutFiles, digest: Digest, maxBytes: number): Promise<Buffer | undefined> {
  await refuseLinks(folder);
  return readSmall(blobPath(folder, digest), maxBytes);
}

/** The size of a blob's file, or undefined where there is none. */
export async function blobSize({ folder }: LayoutFiles, digest: Digest): Promise<number | undefined> {
  await refuseLinks(folder);
  const found = await statusOf(blobPath(folder, digest));
  return found?.isFile() ? found.size : undefined;
}

/** The chunks of a blob's file, or undefined where there is none. */
export async function openBlobFile({ folder }: LayoutFiles, digest: Digest): Promise<AsyncIterable<Buffer> | undefined> {
  await refuseLinks(folder);
  const file = await openPlain(blobPath(folder, digest));
  return file?.createReadStream({ highWaterMark: CHUNK });
}

/** Writes a blob; it has its name when `content` came to its end without an error. */
export async function writeBlobFile(files: LayoutFiles, digest: Digest, content: AsyncIterable<Buffer>): Promise<void> {
  const part = join(files.folder, PARTS, `${hexOf(digest)}.${files.random(6).toString('hex')}`);
  try {
    await writePart(part, content);
    await refusing(files.folder, () => nameBlob(files, part, digest));
    await removeParts(files.folder, digest);
  } finally {
    await rm(part, { force: true });
  }
}

/** Somebody else who wrote the same blob first has removed our part of it: then it is there. */
async function nameBlob(files: LayoutFiles, part: string, digest: Digest): Promise<void> {
  try {
    await rename(part, blobPath(files.folder, digest));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || (await blobSize(files, digest)) === undefined) throw error;
  }
}

/** What a killed process left of a blob that is whole now. */
async function removeParts(folder: string, digest: Digest): Promise<void> {
  const left = (await readdir(join(folder, PARTS))).filter((name) => name.startsWith(`${hexOf(digest)}.`));
  for (const name of left) await rm(join(folder, PARTS, name), { force: true });
}

async function writePart(part: string, content: AsyncIterable<Buffer>): Promise<void> {
  const file = await refusing(part, () => open(part, 'wx', 0o644));
  try {
    for await (const batch of batches(content)) await refusing(part, () => writeAll(file, batch));
    await refusing(part, async () => {
      await file.chmod(0o644).catch(passIfNoModes); // whatever the umask says
      await file.sync();
    });
  } finally {
    await file.close();
  }
}

/** Sticks that images are carried on know no modes. */
function passIfNoModes(error: unknown): void {
  if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP'].includes(systemCode(error) ?? '')) throw error;
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

/** Small chunks together: one system call for a mebibyte is what disks are fast with. */
async function* batches(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let [batch, size]: [Buffer[], number] = [[], 0];
  for await (const chunk of content) {
    batch.push(chunk);
    size += chunk.length;
    if (size < CHUNK) continue;
    yield batch;
    [batch, size] = [[], 0];
  }
  if (size > 0) yield batch;
}

/** A write may be short, for example on a full disk. */
async function writeAll(file: FileHandle, batch: readonly Buffer[]): Promise<void> {
  const size = batch.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await file.writev([...batch]);
  if (bytesWritten < size) await file.writeFile(Buffer.concat(batch).subarray(bytesWritten));
}

async function writeFile({ folder, random }: LayoutFiles, path: string, text: string): Promise<void> {
  const part = join(folder, PARTS, random(9).toString('hex'));
  try {
    await writePart(part, once(text));
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
  await syncFolder(folder);
}

/** A folder with anything else in it is somebody's, and no layout. */
async function refuseOthers(folder: string): Promise<undefined> {
  const others = ((await namesIn(folder)) ?? []).filter((name) => !OWN_NAMES.includes(name));
  if (others.length === 0) return undefined;
  throw new ToolError('E_FORMAT', `${folder} is no OCI image layout: it holds ${others.slice(0, 3).join(', ')}`, {
    hint: 'Give a new or empty folder, or one that images were exported to.',
  });
}

/** Links could lead reading and writing out of the folder. */
async function refuseLinks(folder: string): Promise<void> {
  for (const path of [join(folder, 'blobs'), join(folder, 'blobs', 'sha256'), join(folder, PARTS)]) {
    const found = await statusOf(path);
    if (found !== undefined && !found.isDirectory()) throw notPlain(path, 'folder');
  }
}

async function removeForgotten(parts: string): Promise<void> {
  for (const name of await readdir(parts)) {
    const found = await statusOf(join(parts, name));
    if (found !== undefined && Date.now() - found.mtimeMs > FORGOTTEN) await rm(join(parts, name), { force: true });
  }
}

async function readSmall(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await openPlain(path);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw new ToolError('E_TOO_LARGE', `${path} has more than ${maxBytes} bytes`, { hint: 'It was not read.' });
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** A regular file alone: a fifo would answer never, and a link could lead anywhere. */
async function openPlain(path: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code !== 'ELOOP') throw new ToolError('E_CONFIG', `cannot read ${path} (${code ?? 'unknown reason'})`, { cause: error });
  }
  throw notPlain(path, 'file');
}

async function statusOf(path: string) {
  return lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  });
}

async function refusing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw systemCode(error) === undefined || error instanceof ToolError ? error : cannotWrite(path, error);
  }
}

const DAMAGED = 'The folder is damaged or was copied in part: copy or export it again.';

function notPlain(path: string, what: 'file' | 'folder'): ToolError {
  return new ToolError('E_FORMAT', `${path} is not a plain ${what}`, { hint: 'Links are not followed. Export the images again.' });
}

function blobPath(folder: string, digest: Digest): string {
  return join(folder, 'blobs', 'sha256', hexOf(digest));
}
