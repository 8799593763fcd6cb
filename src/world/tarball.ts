// What a bundle's archive may hold, for its writer and its reader. Rule: nothing is written that the reader would refuse.
import type { Digest } from '../model/digest.ts';
import { diskTrouble } from '../model/disk-trouble.ts';
import { archiveRefusal, quotePath } from './ustar.ts';

export type TarMode = 0o644 | 0o755;

/** Where a file's bytes come from: a file on disk that must still have this size and digest, or memory. */
export type TarSource = { readonly file: string; readonly size: number; readonly sha256: Digest } | { readonly content: Buffer };

/** One entry to write; `path` includes the top folder and has no slash at the end. */
export type TarEntry =
  | { readonly path: string; readonly kind: 'file'; readonly mode: TarMode; readonly source: TarSource }
  | { readonly path: string; readonly kind: 'folder' };

/** What a reader takes at most. */
export interface ArchiveLimits {
  readonly entries: number;
  /** Bytes of the whole unpacked tar, headers included. */
  readonly bytes: number;
  /** Bytes of one file. */
  readonly entryBytes: number;
}

export const DEFAULT_LIMITS: ArchiveLimits = { entries: 20_000, bytes: 8 * 1024 ** 3, entryBytes: 4 * 1024 ** 3 };

/** The names in the top folder that come last and are not part of `tarSha256`. */
export const TAIL_NAMES: readonly string[] = ['bundle.json', 'bundle.json.minisig'];

/** The most bytes an archive of this compressed size may unpack to: 200 times it, at least 64 MiB. More is taken for a bomb. */
export function mostUnpackedBytes(compressedSize: number): number {
  return Math.max(64 * 1024 ** 2, compressedSize * 200);
}

const MOST_PARTS = 32;
const MOST_PATH_BYTES = 1024;
const MOST_NAME_BYTES = 255;

type Claim = 'file' | 'folder' | 'parent';

/** Gives a check to be called with every entry in turn: refuses a path that leaves `top`, is hostile, comes twice, or collides with an earlier one. */
export function guardPaths(top: string): (path: string, kind: 'file' | 'folder', where: string) => void {
  const claimed = new Map<string, { readonly path: string; readonly as: Claim }>();
  const claim = (path: string, as: Claim, where: string): void => {
    const key = foldPath(path);
    const found = claimed.get(key);
    if (found === undefined || (found.as === 'parent' && as === 'folder' && found.path === path)) claimed.set(key, { path, as });
    else if (found.path !== path) throw archiveRefusal(where, `it differs from ${quotePath(found.path)} only in case or Unicode form`);
    else if (as === 'parent' && found.as === 'file') throw archiveRefusal(where, `it lies inside the file ${quotePath(found.path)}`);
    else if (as !== 'parent') throw archiveRefusal(where, 'it comes twice');
  };
  return (path, kind, where) => {
    checkPath(path, kind, top, where);
    const parts = path.split('/');
    for (let count = 1; count < parts.length; count++) claim(parts.slice(0, count).join('/'), 'parent', where);
    claim(path, kind, where);
  };
}

/** A full or failing disk as E_DISK_FULL or E_DISK; any other error as it is. */
export function diskError(error: unknown, target: string): unknown {
  return diskTrouble(error, target) ?? error;
}

function checkPath(path: string, kind: 'file' | 'folder', top: string, where: string): void {
  const parts = path.split('/');
  if (path.startsWith('/')) throw archiveRefusal(where, 'its path is absolute');
  if (parts.some((part) => part === '..')) throw archiveRefusal(where, 'its path climbs with ".."');
  if (parts.some((part) => part === '' || part === '.')) throw archiveRefusal(where, 'its path has an empty or "." part');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is refused here
  if (/[\u0000-\u001f\u007f-\u009f\\]/.test(path)) throw archiveRefusal(where, 'its path has a backslash or a control character');
  if (parts[0] !== top || (parts.length === 1 && kind === 'file'))
    throw archiveRefusal(where, `it lies outside the folder ${quotePath(top)}`);
  if (parts.length > MOST_PARTS) throw archiveRefusal(where, `it lies more than ${MOST_PARTS} folders deep`);
  const long = Buffer.byteLength(path) > MOST_PATH_BYTES || parts.some((part) => Buffer.byteLength(part) > MOST_NAME_BYTES);
  if (long) throw archiveRefusal(where, `its path is longer than ${MOST_PATH_BYTES} bytes, or a part of it than ${MOST_NAME_BYTES}`);
}

/** One spelling for all paths that some file system takes for the same. */
function foldPath(path: string): string {
  return path.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
}
