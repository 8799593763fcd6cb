// A tree of files in memory, as a volume holds it, to and from tar and real folders. Rule: owners, modes and links are kept, as the real engine keeps them.
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface TreeNode {
  readonly kind: 'file' | 'folder' | 'link';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** A file's text, or a link's target. */
  readonly content: string;
}

/** Relative path → node; the empty path is the tree's own top folder. */
export type FileTree = Map<string, TreeNode>;

export function emptyTree(): FileTree {
  return new Map([['', { kind: 'folder', mode: 0o755, uid: 0, gid: 0, content: '' }]]);
}

export function fileNode(content: string, mode = 0o644, owner = 0): TreeNode {
  return { kind: 'file', mode, uid: owner, gid: owner, content };
}

/** One line a node, for comparisons. */
export function treeText(tree: FileTree): string {
  return [...tree]
    .map(([path, node]) => `${path}\t${node.kind}\t${node.mode.toString(8)}\t${node.uid}:${node.gid}\t${JSON.stringify(node.content)}`)
    .sort()
    .join('\n');
}

/** The tree as a tar file below the folder `top`. */
export function packTree(tree: FileTree, top: string): Buffer {
  const parts = [...tree].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, node]) => packNode(path === '' ? top : `${top}/${path}`, node));
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** The nodes of a tar file made by `packTree`, in order; throws when it is cut short. */
export function unpackTree(tar: Buffer, top: string): [string, TreeNode][] {
  const found: [string, TreeNode][] = [];
  for (let at = 0; ; ) {
    const block = tar.subarray(at, at + 512);
    if (block.length < 512) throw new Error('unexpected EOF');
    if (block[0] === 0) return found;
    const size = octalOf(block, 124, 12);
    const name = textOf(block, 0, 100).replace(/\/$/, '');
    const content = tar.subarray(at + 512, at + 512 + size);
    if (content.length < size) throw new Error('unexpected EOF');
    const type = String.fromCharCode(block[156] ?? 0);
    const kind = type === '5' ? 'folder' : type === '2' ? 'link' : 'file';
    const text = kind === 'link' ? textOf(block, 157, 100) : content.toString('latin1');
    const path = name === top ? '' : name.slice(top.length + 1);
    found.push([path, { kind, mode: octalOf(block, 100, 8), uid: octalOf(block, 108, 8), gid: octalOf(block, 116, 8), content: text }]);
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

/** A real folder as a tree. */
export function readFolderTree(folder: string, below = '', tree: FileTree = new Map()): FileTree {
  const path = join(folder, below);
  const stats = lstatSync(path);
  const owner = { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
  if (stats.isSymbolicLink()) return tree.set(below, { ...owner, mode: 0o777, kind: 'link', content: readlinkSync(path) });
  if (!stats.isDirectory()) return tree.set(below, { ...owner, kind: 'file', content: readFileSync(path, 'latin1') });
  tree.set(below, { ...owner, kind: 'folder', content: '' });
  for (const name of readdirSync(path).sort()) readFolderTree(folder, below === '' ? name : `${below}/${name}`, tree);
  return tree;
}

/** Puts one node into a real folder. */
export function writeNode(folder: string, path: string, node: TreeNode): void {
  const target = join(folder, path);
  if (node.kind === 'folder') mkdirSync(target, { recursive: true });
  else {
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { force: true });
    if (node.kind === 'link') symlinkSync(node.content, target);
    else writeFileSync(target, node.content, 'latin1');
  }
  if (node.kind !== 'link') chmodSync(target, node.mode);
}

function packNode(path: string, node: TreeNode): Buffer {
  const block = Buffer.alloc(512);
  const content = node.kind === 'file' ? Buffer.from(node.content, 'latin1') : Buffer.alloc(0);
  block.write(node.kind === 'folder' ? `${path}/` : path, 0, 100);
  for (const [value, at, length] of [
    [node.mode, 100, 8],
    [node.uid, 108, 8],
    [node.gid, 116, 8],
    [content.length, 124, 12],
    [0, 136, 12],
  ] as const)
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  block.write(`        ${node.kind === 'folder' ? '5' : node.kind === 'link' ? '2' : '0'}`, 148, 'latin1');
  if (node.kind === 'link') block.write(node.content, 157, 100);
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

function textOf(block: Buffer, at: number, length: number): string {
  const part = block.subarray(at, at + length);
  const end = part.indexOf(0);
  return part.toString('utf8', 0, end === -1 ? length : end);
}

function octalOf(block: Buffer, at: number, length: number): number {
  return Number.parseInt(textOf(block, at, length).trim() || '0', 8);
}
