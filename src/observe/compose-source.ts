// A compose project and what it names, as it lies in a folder. Rule: read only, bounded, and never out of the product's folder.
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type EnvFile, parseEnvFile } from '../model/env-file.ts';
import { readTextIfThere, statIfThere } from '../world/disk.ts';

const MOST_BYTES = 1024 * 1024;
const EXAMPLES = ['.example', '.sample', '.dist', '.template'];

/** The text of a file of the product's folder; null when it is not there, or leads out of it. */
export async function observeText(root: string, path: string): Promise<string | null> {
  if (!(await isInside(root, path))) return null;
  const stats = await statIfThere(join(root, path));
  return stats?.isFile() === true ? ((await readTextIfThere(join(root, path), MOST_BYTES)) ?? null) : null;
}

export type PathKind = 'file' | 'folder' | 'empty' | 'missing';

/** What lies at each of the paths. */
export async function observeKinds(root: string, paths: readonly string[]): Promise<ReadonlyMap<string, PathKind>> {
  const kinds = new Map<string, PathKind>();
  for (const path of paths) kinds.set(path, await kindOf(root, path));
  return kinds;
}

/** The env file at this path as it is shipped: its example where there is one, else the file itself. */
export async function observeEnvFile(root: string, path: string): Promise<EnvFile | undefined> {
  const plain = path.replace(/\.env$/, '');
  for (const candidate of [...EXAMPLES.map((end) => `${path}${end}`), `${plain}.example.env`, `${plain}.env.example`, path]) {
    const text = await observeText(root, candidate);
    if (text !== null) return parseEnvFile(text, candidate);
  }
  return undefined;
}

async function kindOf(root: string, path: string): Promise<PathKind> {
  if (!(await isInside(root, path))) return 'missing';
  const stats = await statIfThere(join(root, path));
  if (stats === undefined) return 'missing';
  if (!stats.isDirectory()) return 'file';
  const names = (await readdir(join(root, path))).filter((name) => name !== '.gitkeep' && name !== '.gitignore');
  return names.length === 0 ? 'empty' : 'folder';
}

async function isInside(root: string, path: string): Promise<boolean> {
  if ((await statIfThere(join(root, path))) === undefined) return false;
  return `${await realpath(join(root, path))}/`.startsWith(`${await realpath(root)}/`);
}
