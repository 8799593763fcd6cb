// Unpacks a bundle's archive, or reads single entries of it. Rule: into a fresh private folder only, which is gone again after any refusal.
import { createHash } from 'node:crypto';
import { chmod, mkdir, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';
import { type ArchiveLimits, DEFAULT_LIMITS, diskError, TAIL_NAMES, type TarMode } from './tarball.ts';
import { type ArchiveEntry, walkTarball } from './tarball-walk.ts';
import { archiveRefusal, quotePath } from './ustar.ts';

export interface ExpectedFile {
  readonly size: number;
  readonly sha256: Digest;
  readonly mode: TarMode;
}

export interface UnpackedFile extends ExpectedFile {
  /** Relative to the top folder. */
  readonly path: string;
}

export interface UnpackOptions {
  readonly file: string;
  /** Created with mode 0700; must not exist. The top folder itself becomes this folder. */
  readonly into: string;
  /** The one folder everything in the archive must lie in. */
  readonly top: string;
  readonly limits: ArchiveLimits;
  /** All files the archive must hold, by path relative to the top folder; bundle.json and its signature may come besides. */
  readonly expected?: ReadonlyMap<string, ExpectedFile>;
}

export interface UnpackedTarball {
  /** In the archive's order. */
  readonly files: readonly UnpackedFile[];
  /** Relative to the top folder, those that have entries of their own. */
  readonly folders: readonly string[];
  /** sha256 of the tar without bundle.json and bundle.json.minisig, ended by two zero blocks. */
  readonly tarSha256: Digest;
}

export interface ReadEntriesOptions {
  readonly file: string;
  /** Relative to the top folder. */
  readonly names: readonly string[];
  /** The most bytes one of them may have. */
  readonly maxBytes: number;
  /** By default that of the archive's first entry. */
  readonly top?: string;
  readonly limits?: ArchiveLimits;
}

/**
 * Unpacks regular files and folders, everything checked before it is written. Throws E_ARCHIVE naming the entry and why, E_DIGEST for content
 * that is not the expected, E_NOT_FOUND, E_CONFLICT when `into` exists, E_DISK_FULL; then `into` does not exist.
 */
export async function unpackTarball(options: UnpackOptions): Promise<UnpackedTarball> {
  await createPrivateFolder(options.into);
  try {
    const unpacked = await unpackAll(options);
    refuseMissing(unpacked.files, options);
    return unpacked;
  } catch (error) {
    await rm(options.into, { recursive: true, force: true });
    throw diskError(error, options.into);
  }
}

/** The contents of single small files, by name; a name that the archive lacks is left out. The whole archive is checked, nothing is written. */
export async function readEntries(options: ReadEntriesOptions): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const visit = async (entry: ArchiveEntry, content: AsyncIterable<Buffer>): Promise<void> => {
    if (entry.kind === 'folder' || !options.names.includes(entry.path)) return;
    if (entry.size > options.maxBytes) {
      throw new ToolError('E_TOO_LARGE', `${entry.where}: its ${entry.size} bytes are more than the ${options.maxBytes} allowed`);
    }
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(chunk);
    found.set(entry.path, Buffer.concat(chunks));
  };
  const { file, top, limits = DEFAULT_LIMITS } = options;
  await walkTarball({ file, limits, visit, ...(top === undefined ? {} : { top }) });
  return found;
}

async function unpackAll({ file, into, top, limits, expected }: UnpackOptions): Promise<UnpackedTarball> {
  const files: UnpackedFile[] = [];
  const folders: string[] = [];
  const visit = async (entry: ArchiveEntry, content: AsyncIterable<Buffer>): Promise<void> => {
    const target = join(into, entry.path);
    if (entry.kind === 'folder') {
      await mkdir(target, { recursive: true });
      if (entry.path !== '') folders.push(entry.path);
      return;
    }
    const wanted = TAIL_NAMES.includes(entry.path) ? undefined : refuseUnexpected(entry, expected);
    await mkdir(dirname(target), { recursive: true });
    const sha256 = await writeFile(target, entry.mode, content);
    if (wanted !== undefined && wanted.sha256 !== sha256) throw otherContent(entry.where);
    files.push({ path: entry.path, size: entry.size, mode: entry.mode, sha256 });
  };
  const { tarSha256 } = await walkTarball({ file, top, limits, visit });
  return { files, folders, tarSha256 };
}

/** What this file was expected to be, or undefined when nothing was said; refused before a byte of it is written. */
function refuseUnexpected(entry: ArchiveEntry, expected: ReadonlyMap<string, ExpectedFile> | undefined): ExpectedFile | undefined {
  if (expected === undefined) return undefined;
  const wanted = expected.get(entry.path);
  if (wanted === undefined) throw archiveRefusal(entry.where, 'the manifest does not name it');
  if (wanted.size !== entry.size) throw otherContent(entry.where);
  if (wanted.mode !== entry.mode) throw archiveRefusal(entry.where, 'its mode is not the one in the manifest');
  return wanted;
}

function refuseMissing(files: readonly UnpackedFile[], { expected, file }: UnpackOptions): void {
  const paths = new Set(files.map(({ path }) => path));
  const missing = [...(expected?.keys() ?? [])].find((path) => !paths.has(path));
  if (missing !== undefined) throw archiveRefusal(basename(file), `it lacks ${quotePath(missing)}, which the manifest names`);
}

async function writeFile(target: string, mode: TarMode, content: AsyncIterable<Buffer>): Promise<Digest> {
  const hash = createHash('sha256');
  const handle = await open(target, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
  return digestFromHex(hash.digest('hex'));
}

async function createPrivateFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw new ToolError('E_CONFLICT', `${folder} exists already`, { hint: 'An archive is unpacked into a new folder only.' });
  }
  await chmod(folder, 0o700); // the umask may have taken bits of the owner away
}

function otherContent(where: string): ToolError {
  return new ToolError('E_DIGEST', `${where}: its content is not what the manifest says`, {
    hint: 'The archive may be damaged or was tampered with; fetch it again from the publisher.',
  });
}
