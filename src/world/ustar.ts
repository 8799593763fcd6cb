// The headers of a tar file, to and from bytes. Rule: one way to write, and nothing is read that two readers could read differently
// (POSIX.1-2001 ustar; a pax header only for a path that does not fit). The bytes written here are hashed and signed: they never change.
import { ToolError } from '../model/error.ts';

export const BLOCK = 512;
/** What ends a tar file: two blocks of zeros. */
export const END_OF_TAR: Buffer = Buffer.alloc(2 * BLOCK);
export const MOST_FILE_BYTES = 0o77777777777; // eleven octal digits: 8 GiB - 1
const MOST_PAX_BYTES = 8192;
const PAX_IGNORED: ReadonlySet<string> = new Set(['mtime', 'atime', 'ctime']);

export interface TarHeader {
  /** Without a slash at the end, also for folders. */
  readonly path: string;
  readonly kind: 'file' | 'folder';
  readonly mode: number;
  readonly size: number;
}

export type TarBlock = { readonly kind: 'entry'; readonly header: TarHeader } | { readonly kind: 'pax'; readonly size: number };

export interface PaxFields {
  readonly path?: string;
}

/** The header blocks of an entry; `mtime` in seconds. Owner and group are 0 without names. */
export function encodeHeader(header: TarHeader, mtime: number): Buffer {
  const path = header.kind === 'folder' ? `${header.path}/` : header.path;
  const type = header.kind === 'folder' ? '5' : '0';
  const fields = { mode: header.mode, size: header.size, mtime };
  const split = splitPath(Buffer.from(path));
  if (split !== undefined) return encodeBlock({ ...fields, ...split, type });
  const record = paxRecord('path', path);
  const pax = encodeBlock({
    ...fields,
    name: Buffer.from('PaxHeader'),
    prefix: Buffer.alloc(0),
    mode: 0o644,
    size: record.length,
    type: 'x',
  });
  const cut = { name: Buffer.from(path).subarray(0, 100), prefix: Buffer.alloc(0) };
  return Buffer.concat([pax, record, paddingOf(record.length), encodeBlock({ ...fields, ...cut, type })]);
}

/** The zeros that fill the last block of so many bytes. */
export function paddingOf(size: number): Buffer {
  return END_OF_TAR.subarray(0, (BLOCK - (size % BLOCK)) % BLOCK);
}

/** Reads one header block; `pax` is what the pax header before it said. Throws E_ARCHIVE beginning with `where`. */
export function decodeHeader(block: Buffer, where: string, pax?: PaxFields): TarBlock {
  if (octal(block, 148, 8, where) !== checksumOf(block)) throw archiveRefusal(where, 'its header has a wrong checksum');
  if (block.toString('latin1', 257, 265) !== 'ustar\u000000') throw archiveRefusal(where, 'its header is not a POSIX ustar header');
  const type = String.fromCharCode(block[156] ?? 0).replace('\0', '0');
  const path = pax?.path ?? headerPath(block, where);
  const at = type === 'x' ? where : `${where} ${quotePath(path)}`;
  if (!'05x'.includes(type))
    throw archiveRefusal(at, `it is ${TYPE_NAMES[type] ?? 'of an unknown type'}; only files and folders are allowed`);
  if (block.subarray(157, 257).some((byte) => byte !== 0)) throw archiveRefusal(at, 'it names a link target');
  const size = octal(block, 124, 12, at);
  if (type === 'x') return paxBlock(size, pax, at);
  if (type === '5' && size !== 0) throw archiveRefusal(at, 'it is a folder with content');
  if (type === '0' && path.endsWith('/')) throw archiveRefusal(at, 'it is a file with the name of a folder');
  const kind = type === '5' ? 'folder' : 'file';
  return { kind: 'entry', header: { path: path.replace(/\/$/, ''), kind, mode: octal(block, 100, 8, at), size } };
}

/** Reads the records of a pax header: a path; times are skipped, every other key is refused. */
export function decodePax(records: Buffer, where: string): PaxFields {
  let path: string | undefined;
  let offset = 0;
  while (offset < records.length) {
    const [key, value, length] = decodePaxRecord(records.subarray(offset), where);
    if (key === 'path' && path === undefined) path = value;
    else if (key === 'path') throw archiveRefusal(where, 'its pax header holds two paths');
    else if (!PAX_IGNORED.has(key)) throw archiveRefusal(where, `its pax header holds ${quotePath(key)}`);
    offset += length;
  }
  return path === undefined ? {} : { path };
}

/** The refusal of an archive: `where` names file and entry, `why` the reason. */
export function archiveRefusal(where: string, why: string): ToolError {
  return new ToolError('E_ARCHIVE', `${where}: ${why}`, {
    hint: 'Do not unpack this archive by other means; fetch it again from the publisher, or tell the publisher.',
  });
}

/** A path for a message: quoted, cut to 200 characters, without anything a terminal would act on. */
export function quotePath(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a fifo',
  '7': 'a contiguous file',
  g: 'a global pax header',
  L: 'a GNU long name',
  K: 'a GNU long link name',
  S: 'a sparse file',
};

interface BlockFields {
  readonly name: Buffer;
  readonly prefix: Buffer;
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: '0' | '5' | 'x';
}

function encodeBlock(fields: BlockFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  const digits = (value: number, length: number): string => value.toString(8).padStart(length, '0');
  fields.name.copy(block, 0);
  block.write(`${digits(fields.mode, 7)}\0${digits(0, 7)}\0${digits(0, 7)}\0`, 100, 'latin1');
  block.write(`${digits(fields.size, 11)}\0${digits(fields.mtime, 11)}\0`, 124, 'latin1');
  block.write(`${fields.type}`, 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  block.write(`${digits(0, 7)}\0${digits(0, 7)}\0`, 329, 'latin1');
  fields.prefix.copy(block, 345);
  block.write(`${digits(checksumOf(block), 6)}\0 `, 148, 'latin1');
  return block;
}

/** The first split at a slash whose halves fit their fields (prefix 155, name 100 bytes). */
function splitPath(path: Buffer): { readonly name: Buffer; readonly prefix: Buffer } | undefined {
  if (path.length <= 100) return { name: path, prefix: Buffer.alloc(0) };
  const slash = path.indexOf('/', path.length - 101);
  if (slash < 1 || slash > 155 || slash === path.length - 1) return undefined;
  return { name: path.subarray(slash + 1), prefix: path.subarray(0, slash) };
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function decodePaxRecord(records: Buffer, where: string): readonly [key: string, value: string, length: number] {
  const digits = /^[1-9][0-9]{0,4} /.exec(records.toString('latin1', 0, 6))?.[0] ?? '';
  const length = Number(digits);
  const record = text(records.subarray(digits.length, length), where);
  const equals = record.indexOf('=');
  if (digits === '' || length > records.length || equals < 1 || !record.endsWith('\n'))
    throw archiveRefusal(where, 'its pax header is malformed');
  return [record.slice(0, equals), record.slice(equals + 1, -1), length];
}

function paxBlock(size: number, pax: PaxFields | undefined, where: string): TarBlock {
  if (pax !== undefined) throw archiveRefusal(where, 'one pax header follows another');
  if (size > MOST_PAX_BYTES) throw archiveRefusal(where, `its pax header has more than ${MOST_PAX_BYTES} bytes`);
  return { kind: 'pax', size };
}

function headerPath(block: Buffer, where: string): string {
  const prefix = textField(block.subarray(345, 500), where);
  const name = textField(block.subarray(0, 100), where);
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textField(field: Buffer, where: string): string {
  const end = field.indexOf(0);
  if (end === -1) return text(field, where);
  if (field.subarray(end).some((byte) => byte !== 0)) throw archiveRefusal(where, 'its name holds a NUL character');
  return text(field.subarray(0, end), where);
}

function text(bytes: Buffer, where: string): string {
  const decoded = bytes.toString('utf8');
  if (Buffer.from(decoded).equals(bytes)) return decoded;
  throw archiveRefusal(where, 'its name is not UTF-8');
}

function octal(block: Buffer, offset: number, length: number, where: string): number {
  const field = block.toString('latin1', offset, offset + length);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL ends the field
  if (/^[0-7]+[ \u0000]*$/.test(field)) return Number.parseInt(field, 8);
  throw archiveRefusal(where, 'its header holds a number that is not plain octal');
}

/** The sum of the header's bytes, its own field taken as spaces. */
function checksumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  return sum;
}
