// Follows a run's files as it writes them. Rule: what happened is seen by looking at the disk again; only what it means for a power cut is reckoned.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { applyTo, type Change, copyDisk, type DiskState, type Edit, type Inode, isEqual, type Pending, TOP } from './disk.ts';

const EMPTY = Buffer.alloc(0);

/** The same with what a death in the middle of a call leaves. */
export function withEdits(disk: DiskState, root: string, edits: readonly Edit[]): DiskState {
  const follower = new DiskFollower(root, copyDisk(disk));
  for (const { path, content } of edits) follower.edit(path, content);
  return follower.state();
}

/** Follows what a run does to its files. */
export class DiskFollower {
  readonly #top: string;
  readonly #root: string;
  readonly #ids = new Map<number, number>();
  readonly #deafTo: RegExp | undefined;
  #state: DiskState;
  /** Counts changes, for those who would not reckon twice. */
  version = 0;

  /** The folder must be as this state has it, and the state is changed from here on. Syncs of paths like `deafTo` are as if they were not asked for. */
  constructor(root: string, state: DiskState, deafTo?: RegExp) {
    this.#deafTo = deafTo;
    this.#top = dirname(root);
    this.#root = root;
    this.#state = state;
  }

  state(): DiskState {
    return this.#state;
  }

  /** Learns which of the real inodes is which. */
  bind(): void {
    const visit = (id: number, path: string): void => {
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) throw new Error(`${path} is not there`);
      this.#ids.set(stats.ino, id);
      for (const [name, child] of this.#inode(id)?.names ?? []) visit(child, join(path, name));
    };
    const id = this.#inode(TOP)?.names.get(basename(this.#root));
    if (id !== undefined) visit(id, this.#root);
  }

  /** Looks at these paths again, after a call that changed them as one. */
  follow(what: string, paths: readonly string[]): void {
    const changes = paths.flatMap((path) => this.#look(path) ?? []);
    if (changes.length > 0) this.#push(what, changes);
  }

  /** Looks at everything below a path that others write to: a stream of ours syncs its file but no folder; the engine is a machine of its own, and safe. */
  followTree(path: string, writer: 'stream' | 'engine'): void {
    if (writer === 'stream' && this.#hasSize(path)) return;
    const change = this.#look(path, true);
    if (change !== undefined && writer === 'stream') this.#push('write', [change]);
    if (change !== undefined && writer === 'engine') {
      this.version += 1;
      applyTo(this.#inode(change.folder)?.names, change);
      applyTo(this.#inode(change.folder)?.safeNames, change);
    }
    const id = this.#idAt(path);
    const names = id === undefined ? undefined : this.#inode(id)?.names;
    if (names === undefined || !(lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)) return;
    for (const name of new Set([...names.keys(), ...readdirSync(path)])) this.followTree(join(path, name), writer);
  }

  /** Streams only ever make a file longer. */
  #hasSize(path: string): boolean {
    const id = this.#idAt(path);
    const known = id === undefined ? undefined : this.#inode(id);
    if (known?.kind !== 'file') return false;
    return lstatSync(path, { throwIfNoEntry: false })?.size === known.now.content.length;
  }

  /** A folder was removed with all that is in it: emptied first, then removed. */
  empty(path: string): void {
    const id = this.#idAt(path);
    const names = id === undefined ? undefined : this.#inode(id)?.names;
    if (id === undefined || names === undefined || names.size === 0) return;
    this.#push(
      'rm',
      [...names.keys()].map((name) => ({ folder: id, name, to: undefined })),
    );
  }

  /** The file or folder was synced. */
  sync(path: string): void {
    if (this.#deafTo?.test(path) === true) return;
    const id = this.#idAt(path);
    const inode = id === undefined ? undefined : this.#inode(id);
    if (id === undefined || inode === undefined) return;
    if (inode.safe !== inode.now) this.#set(id, { ...inode, safe: inode.now });
    if (inode.kind === 'folder') this.#commit(id);
  }

  /** A file gets another content, or goes. */
  edit(path: string, content: Buffer | null): void {
    const folder = this.#idAt(dirname(path));
    if (folder === undefined) return;
    const name = basename(path);
    const id = this.#idAt(path);
    const inode = id === undefined ? undefined : this.#inode(id);
    if (content === null) this.#push('rm', [{ folder, name, to: undefined }]);
    else if (id !== undefined && inode !== undefined) this.#set(id, { ...inode, now: { ...inode.now, content } });
    else this.#push('write', [{ folder, name, to: this.#add({ kind: 'file', now: { mode: 0o644, uid: 0, gid: 0, content } }) }]);
  }

  #inode(id: number): Inode | undefined {
    return this.#state.inodes.get(id);
  }

  #set(id: number, inode: Inode): void {
    this.version += 1;
    this.#state.inodes.set(id, inode);
  }

  #add({ kind, now }: Pick<Inode, 'kind' | 'now'>): number {
    const id = this.#state.next;
    this.#state = { ...this.#state, next: id + 1 };
    const safe = kind === 'file' ? { ...now, content: EMPTY } : now;
    this.#set(id, { kind, now, safe, names: new Map(), safeNames: new Map() });
    return id;
  }

  #idAt(path: string): number | undefined {
    if (path === this.#top) return TOP;
    if (!path.startsWith(`${this.#top}/`)) return undefined;
    let id: number | undefined = TOP;
    for (const name of path.slice(this.#top.length + 1).split('/')) id = id === undefined ? undefined : this.#inode(id)?.names.get(name);
    return id;
  }

  /** What changed at a path; folders above it that are new are a change of their own. */
  #look(path: string, isSynced = false): Change | undefined {
    if (!path.startsWith(`${this.#top}/`)) return undefined;
    const [above, name] = [dirname(path), basename(path)];
    if (this.#idAt(above) === undefined) this.follow('mkdir', [above]);
    const folder = this.#idAt(above);
    if (folder === undefined) return undefined;
    const known = this.#inode(folder)?.names.get(name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return known === undefined ? undefined : { folder, name, to: undefined };
    const { ino, mode, uid, gid } = found;
    const kind = found.isDirectory() ? 'folder' : found.isSymbolicLink() ? 'link' : 'file';
    const content = kind === 'folder' ? '' : kind === 'link' ? readlinkSync(path) : readFileSync(path);
    const now = { mode: mode & 0o7777, uid, gid, content };
    const id = this.#ids.get(ino) ?? this.#add({ kind, now });
    const isNew = !this.#ids.has(ino);
    this.#ids.set(ino, id);
    const inode = this.#inode(id);
    if (inode !== undefined && (isNew || !isEqual(inode.now, now))) this.#set(id, { ...inode, now, ...(isSynced ? { safe: now } : {}) });
    return id === known ? undefined : { folder, name, to: id };
  }

  #push(what: string, changes: readonly Change[]): void {
    this.version += 1;
    for (const change of changes) applyTo(this.#inode(change.folder)?.names, change);
    const folder = (changes.find(({ to }) => to !== undefined) ?? changes[0])?.folder ?? TOP;
    this.#state = { ...this.#state, pending: [...this.#state.pending, { what, folder, changes }] };
    for (const { to } of changes) if (to === undefined) this.#forgetLost();
  }

  /** The number of an inode that has no name any more may be given to another. */
  #forgetLost(): void {
    const named = new Set([...this.#state.inodes.values()].flatMap(({ names }) => [...names.values()]));
    for (const [ino, id] of this.#ids) if (!named.has(id)) this.#ids.delete(ino);
  }

  /** What is pending in this folder is safe; an earlier change of the same name elsewhere counts no more. */
  #commit(folder: number): void {
    const rest: Pending[] = [];
    const settled = this.#state.pending.filter((each) => each.folder === folder);
    if (settled.length === 0) return;
    this.version += 1;
    for (const { changes } of settled) for (const change of changes) applyTo(this.#inode(change.folder)?.safeNames, change);
    const isSettled = ({ folder: of, name }: Change): boolean =>
      settled.some(({ changes }) => changes.some((each) => each.folder === of && each.name === name));
    for (const each of this.#state.pending) {
      if (each.folder === folder) continue;
      const changes = each.changes.filter((change) => !isSettled(change));
      if (changes.length > 0) rest.push({ ...each, changes });
    }
    this.#state = { ...this.#state, pending: rest };
  }
}
