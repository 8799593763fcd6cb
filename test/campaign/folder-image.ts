// A folder of the disk, remembered and put back. Rule: contents, modes, owners, links and which names share one inode are kept; times are not.
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export interface Entry {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'same';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: Buffer | string;
}

/** undefined = the folder was not there. */
export type FolderImage = readonly Entry[] | undefined;

export function takeImage(root: string): FolderImage {
  if (!existsSync(root)) return undefined;
  const entries: Entry[] = [];
  const seen = new Map<number, string>();
  const visit = (path: string): void => {
    const stats = lstatSync(join(root, path));
    const owner = { path, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
    const first = seen.get(stats.ino);
    if (stats.isDirectory()) entries.push({ ...owner, kind: 'folder', content: '' });
    else if (first !== undefined) entries.push({ ...owner, kind: 'same', content: first });
    else if (stats.isSymbolicLink()) entries.push({ ...owner, kind: 'link', content: readlinkSync(join(root, path)) });
    else entries.push({ ...owner, kind: 'file', content: readFileSync(join(root, path)) });
    if (stats.isDirectory()) for (const name of readdirSync(join(root, path)).sort()) visit(join(path, name));
    else seen.set(stats.ino, path);
  };
  visit('.');
  return entries;
}

export function putImage(root: string, image: FolderImage): void {
  rmSync(root, { recursive: true, force: true });
  for (const { path, kind, mode, uid, gid, content } of image ?? []) {
    const target = join(root, path);
    if (kind === 'folder') mkdirSync(target, { recursive: true });
    else if (kind === 'same') linkSync(join(root, String(content)), target);
    else if (kind === 'link') symlinkSync(String(content), target);
    else writeFileSync(target, content);
    if (kind !== 'file' && kind !== 'folder') continue;
    chmodSync(target, mode);
    if (process.getuid?.() === 0) chownSync(target, uid, gid);
  }
}

/** One line a path, outside of `.slipway`: what a person sees of an install. */
export function personsView(image: FolderImage): Map<string, string> {
  const view = new Map<string, string>();
  for (const { path, kind, mode, uid, gid, content } of image ?? []) {
    if (path === '.slipway' || path.startsWith('.slipway/')) continue;
    const text = kind === 'same' ? contentOf(image, String(content)) : String(content);
    view.set(path, describe(kind === 'same' ? 'file' : kind, mode, text, `${uid}:${gid}`));
  }
  return view;
}

export function describe(kind: string, mode: number, text: string, owner = '0:0'): string {
  return `${kind} ${kind === 'link' ? '' : mode.toString(8)} ${owner} ${JSON.stringify(text)}`;
}

/** Paths of the image that fulfil a condition. */
export function pathsWhere(image: FolderImage, condition: (path: string) => boolean): string[] {
  return (image ?? []).map(({ path }) => path).filter(condition);
}

export function textAt(image: FolderImage, path: string): string | undefined {
  const entry = image?.find((each) => each.path === path);
  if (entry === undefined) return undefined;
  return entry.kind === 'same' ? contentOf(image, String(entry.content)) : String(entry.content);
}

function contentOf(image: FolderImage, path: string): string {
  return String(image?.find((each) => each.path === path)?.content);
}
