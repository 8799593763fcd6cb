// What a person keeps in the folders that are theirs (`bundle.userOwned`). Rule: names only; a folder of very many files is data, and must be declared as such.
import { join } from 'node:path';
import type { Manifest } from '../model/manifest.ts';
import { listFiles, statIfThere } from '../world/disk.ts';

/** More files than this would not be restored either. */
const MOST_FILES = 10_000;

export interface OwnContent {
  /** Files and links, relative to the install. */
  readonly files: readonly string[];
  /** Folders with too many of them. */
  readonly tooMany: readonly string[];
}

/** The files below the user-owned paths that are not data already. */
export async function observeOwnContent(root: string, { userOwned, data }: Manifest): Promise<OwnContent> {
  const places = Object.values(data).flatMap(({ path }) => path ?? []);
  const isData = (path: string): boolean => places.some((place) => path === place || path.startsWith(`${place}/`));
  const found = { files: [] as string[], tooMany: [] as string[] };
  for (const owned of userOwned.map((path) => path.replace(/\/$/, ''))) {
    const isFile = (await statIfThere(join(root, owned)))?.isDirectory() === false;
    const paths = isFile ? [owned] : (await listFiles(root, owned)).filter((path) => !isData(path));
    if (paths.length > MOST_FILES) found.tooMany.push(owned);
    else found.files.push(...paths);
  }
  return found;
}
