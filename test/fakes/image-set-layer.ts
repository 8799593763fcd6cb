// The bytes of synthetic layers: a gzipped tar with one file that looks random. Rule: the same seed and name give the same bytes on every
// machine, in chunks, and never all of them in memory.
import { createCipheriv, createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface LayerPlan {
  /** What the bytes are made from. */
  readonly key: string;
  /** Of the file inside. */
  readonly bytes: number;
}

const BLOCK = 65_535; // the most that a stored block of gzip holds (RFC 1951 §3.2.4)
const GZIP_HEAD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);

/** The size of the tar, uncompressed. */
export function tarSize({ bytes }: LayerPlan): number {
  return 512 + Math.ceil(bytes / 512) * 512 + 1024;
}

/** The size of the layer as a blob. */
export function layerSize(plan: LayerPlan): number {
  return GZIP_HEAD.length + Math.ceil(tarSize(plan) / BLOCK) * 5 + tarSize(plan) + 8;
}

/** The layer as a blob; `diffId` is told at the end. */
export function* layerBytes(plan: LayerPlan, tellDiffId: (digest: string) => void = () => {}): Generator<Buffer> {
  const hash = createHash('sha256');
  const size = tarSize(plan);
  let [checksum, sent] = [0, 0];
  yield GZIP_HEAD;
  for (const block of tarBlocks(plan)) {
    hash.update(block);
    checksum = crc32(block, checksum);
    sent += block.length;
    const head = Buffer.from([sent === size ? 1 : 0, 0, 0, 0, 0]);
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(block.length ^ 0xffff, 3);
    yield head;
    yield block;
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(checksum, 0);
  tail.writeUInt32LE(size % 2 ** 32, 4);
  yield tail;
  tellDiffId(`sha256:${hash.digest('hex')}`);
}

/** The tar in blocks of the largest size, the last one smaller. */
function* tarBlocks(plan: LayerPlan): Generator<Buffer> {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(plan.key).digest(), Buffer.alloc(16));
  const size = tarSize(plan);
  const [dataFrom, dataTo] = [512, 512 + plan.bytes];
  for (let from = 0; from < size; from += BLOCK) {
    const block = Buffer.alloc(Math.min(BLOCK, size - from));
    const [first, last] = [Math.max(dataFrom - from, 0), Math.min(dataTo - from, block.length)];
    if (last > first) cipher.update(block.subarray(first, last)).copy(block, first);
    if (from === 0) tarHeader(plan).copy(block);
    yield block;
  }
}

/** One file (POSIX ustar). */
function tarHeader({ key, bytes }: LayerPlan): Buffer {
  const header = Buffer.alloc(512);
  header.write(`srv/${createHash('sha256').update(key).digest('hex').slice(0, 16)}`, 0);
  header.write('0000644\x000000000\x000000000\x00', 100);
  header.write(`${bytes.toString(8).padStart(11, '0')}\x0014000000000\x00        0`, 124);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\x00 `, 148);
  return header;
}
