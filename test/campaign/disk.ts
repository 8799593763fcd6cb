// A folder as a disk has it: what is there now, and what of it would be there after a power cut. Rule: a name is safe once its folder was synced, a content or a
// mode once the file itself was; the rest may be lost, one by one, in any order. A rename is one thing: both of its names, or neither.
import { basename, dirname, join } from 'node:path';
import type { Entry, FolderImage } from './folder-image.ts';

/** What is not a name. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: Buffer | string;
}

/** `now` and `names` are what everybody sees; `safe` and `safeNames` what a power cut leaves at least. */
export interface Inode {
  readonly kind: 'file' | 'folder' | 'link';
  readonly now: Attributes;
  readonly safe: Attributes;
  readonly names: Map<string, number>;
  readonly safeNames: Map<string, number>;
}

/** A name that comes, goes, or becomes another inode's. */
export interface Change {
  readonly folder: number;
  readonly name: string;
  readonly to: number | undefined;
}

/** What happens as one; safe once `folder` was synced. */
export interface Pending {
  readonly what: string;
  readonly folder: number;
  readonly changes: readonly Change[];
}

/** Plain data, so that a copy of it is a snapshot. Inode 0 is the folder that holds the install's. */
export interface DiskState {
  readonly inodes: Map<number, Inode>;
  readonly pending: readonly Pending[];
  readonly next: number;
}

/** A file as a death in the middle of a call leaves it; null = it is gone. */
export interface Edit {
  readonly path: string;
  readonly content: Buffer | null;
}

/** The folder that holds the install's. */
export const TOP = 0;
const NOTHING: Attributes = { mode: 0o755, uid: 0, gid: 0, content: '' };

/** A disk on which everything is safe. */
export function diskWith(root: string, image: FolderImage): DiskState {
  const top: Inode = { kind: 'folder', now: NOTHING, safe: NOTHING, names: new Map(), safeNames: new Map() };
  const inodes = new Map([[TOP, top]]);
  const ids = new Map<string, number>();
  let next = 1;
  for (const entry of image ?? []) {
    const id = entry.kind === 'same' ? (ids.get(String(entry.content)) ?? TOP) : next++;
    if (entry.kind !== 'same') inodes.set(id, inodeOf(entry.kind, entry));
    ids.set(entry.path, id);
    const folder = entry.path === '.' ? top : inodes.get(ids.get(dirname(entry.path)) ?? TOP);
    const name = entry.path === '.' ? basename(root) : basename(entry.path);
    folder?.names.set(name, id);
    folder?.safeNames.set(name, id);
  }
  return { inodes, pending: [], next };
}

/** A copy of its own, without the inodes that nothing leads to any more. */
export function copyDisk({ inodes, pending, next }: DiskState): DiskState {
  const copies = new Map<number, Inode>();
  const waiting = [TOP, ...pending.flatMap(({ changes }) => changes.flatMap(({ to }) => to ?? []))];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const inode = inodes.get(id);
    if (inode === undefined || copies.has(id)) continue;
    copies.set(id, inode.kind === 'folder' ? { ...inode, names: new Map(inode.names), safeNames: new Map(inode.safeNames) } : inode);
    waiting.push(...inode.names.values(), ...inode.safeNames.values());
  }
  return { inodes: copies, pending, next };
}

/** What a power cut leaves when these of the pending changes are lost, with later ones of the same names, and contents too where they were not synced. */
export function afterPowerCut(disk: DiskState, isLost: (index: number) => boolean, contents: 'kept' | 'lost'): DiskState {
  const state = copyDisk(disk);
  const lost = new Set<string>();
  disk.pending.forEach(({ changes }, index) => {
    const names = changes.map(({ folder, name }) => `${folder}/${name}`);
    if (isLost(index) || names.some((name) => lost.has(name))) for (const name of names) lost.add(name);
    else for (const change of changes) applyTo(state.inodes.get(change.folder)?.safeNames, change);
  });
  const inodes = [...state.inodes].map(([id, inode]): [number, Inode] => {
    const attributes = contents === 'lost' ? inode.safe : inode.now;
    return [id, { ...inode, now: attributes, safe: attributes, names: new Map(inode.safeNames) }];
  });
  return { inodes: new Map(inodes), pending: [], next: state.next };
}

/** The same disk with everything synced. */
export function settled(disk: DiskState): DiskState {
  return isUnsafe(disk) ? afterPowerCut(disk, () => false, 'kept') : disk;
}

/** True when something is not safe as it is now. */
export function isUnsafe({ inodes, pending }: DiskState): boolean {
  return pending.length > 0 || [...inodes.values()].some(isUnsynced);
}

/** Calls back for every path, as it is now and, where that is not safe, as it would be without; in no order. */
export function visitDisk(
  disk: DiskState,
  see: (path: string, attributes: Attributes, kind: Inode['kind'], isSafe: boolean) => void,
): void {
  const visit = (id: number, path: string, isSafe: boolean): void => {
    const inode = disk.inodes.get(id);
    if (inode === undefined) return;
    see(path, isSafe ? inode.safe : inode.now, inode.kind, isSafe);
    const names = isSafe ? inode.safeNames : inode.names;
    for (const [name, child] of names) visit(child, `${path}/${name}`, isSafe);
  };
  visit(TOP, '', false);
  if (isUnsafe(disk)) visit(TOP, '', true);
}

/** The install's folder as it is now. */
export function imageOf({ inodes }: DiskState, root: string): FolderImage {
  const top = inodes.get(TOP)?.names.get(basename(root));
  if (top === undefined) return undefined;
  const entries: Entry[] = [];
  const seen = new Map<number, string>();
  const visit = (id: number, path: string): void => {
    const inode = inodes.get(id);
    if (inode === undefined) return;
    const first = seen.get(id);
    const { mode, uid, gid, content } = inode.now;
    if (first === undefined) entries.push({ path, kind: inode.kind, mode, uid, gid, content });
    else entries.push({ path, kind: 'same', mode, uid, gid, content: first });
    seen.set(id, path);
    for (const [name, child] of [...inode.names].sort(([a], [b]) => (a < b ? -1 : 1))) visit(child, join(path, name));
  };
  visit(top, '.');
  return entries;
}

function inodeOf(kind: Inode['kind'], { mode, uid, gid, content }: Entry): Inode {
  const now = { mode, uid, gid, content };
  return { kind, now, safe: now, names: new Map(), safeNames: new Map() };
}

/** Makes one change among a folder's names. */
export function applyTo(names: Map<string, number> | undefined, { name, to }: Change): void {
  if (to === undefined) names?.delete(name);
  else names?.set(name, to);
}

function isUnsynced({ now, safe }: Inode): boolean {
  return now !== safe && !isEqual(now, safe);
}

/** Same mode, owner and content. */
export function isEqual(a: Attributes, b: Attributes): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.content === b.content) return true;
  return typeof a.content !== 'string' && typeof b.content !== 'string' && a.content.equals(b.content);
}
