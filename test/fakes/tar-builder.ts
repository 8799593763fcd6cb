// Builds tar archives byte by byte, also ones that no honest program would write. Rule: every field can be set to anything.
import { gzipSync } from 'node:zlib';

export interface RawEntry {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly mode?: number;
  readonly content?: Buffer | string;
  /** What the header says, when it is not the length of the content. */
  readonly size?: number | string;
  readonly link?: string;
  readonly prefix?: string;
  readonly magic?: string;
  readonly checksum?: number;
}

/** The header block, content and padding of one entry. */
export function rawEntry(entry: RawEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const block = Buffer.alloc(512);
  const size = entry.size ?? content.length;
  Buffer.from(entry.name).copy(block, 0, 0, 100);
  block.write(`${octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1');
  block.write(typeof size === 'string' ? size : `${octal(size, 11)}\0`, 124, 12, 'latin1');
  block.write(`${octal(0, 11)}\0        ${entry.type ?? '0'}`, 136, 'latin1');
  block.write(entry.link ?? '', 157, 100);
  block.write(entry.magic ?? 'ustar\u000000', 257, 8, 'latin1');
  block.write(entry.prefix ?? '', 345, 155);
  const sum = entry.checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return Buffer.concat([block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

export function rawFile(name: string, content: Buffer | string = 'x'): Buffer {
  return rawEntry({ name, content });
}

export function rawFolder(name: string): Buffer {
  return rawEntry({ name: `${name}/`, type: '5' });
}

/** A pax header with these records. */
export function rawPax(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    const length = [1, 2, 3, 4, 5].map((digits) => rest + digits).find((total) => total === rest + String(total).length);
    return `${length} ${key}=${value}\n`;
  });
  return rawEntry({ name: 'PaxHeader', type, content: lines.join('') });
}

/** The entries with the two zero blocks after them, compressed. */
export function rawTarball(...entries: readonly Buffer[]): Buffer {
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
}

function octal(value: number, length: number): string {
  return value.toString(8).padStart(length, '0');
}
