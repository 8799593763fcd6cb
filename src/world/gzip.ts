// gzip on several threads. Rule: the bytes depend on input and level alone, never on the number of cores or on timing.
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, deflateRawSync } from 'node:zlib';

const BLOCK_BYTES = 1024 * 1024;
const WINDOW_BYTES = 32 * 1024; // what deflate can look back (RFC 1951 §2)
const IN_FLIGHT = 3; // the thread pool has four: one stays for reading files
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]); // no name, no time, unknown system (RFC 1952 §2.3)
/** What is tried of a block before the whole is compressed: pictures and archives do not shrink a second time. */
const SAMPLE_BYTES = 4 * 1024;
const STORED = 0; // the level that compresses nothing
const LAST_BLOCK = Buffer.from([0x03, 0x00]); // an empty final deflate block

const deflateAsync: (block: Buffer, options: object) => Promise<Buffer> = promisify(deflateRaw);

/**
 * Compresses chunks of any size into one gzip member; a chunk may be overwritten once the next one is asked for. Blocks are deflated at the same
 * time, each with the end of the one before as its dictionary.
 */
export async function* gzip(chunks: AsyncIterable<Buffer>, level: number): AsyncGenerator<Buffer> {
  yield HEADER;
  const pending: Promise<Buffer>[] = [];
  let before: Buffer | undefined;
  let crc = 0;
  let size = 0;
  for await (const block of blocksOf(chunks)) {
    crc = crc32(block, crc);
    size += block.length;
    pending.push(deflateBlock(block, level, before?.subarray(-WINDOW_BYTES)));
    before = block;
    if (pending.length > IN_FLIGHT) yield (await pending.shift()) as Buffer; // just pushed, so never empty
  }
  for (const deflated of pending) yield await deflated;
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield Buffer.concat([LAST_BLOCK, trailer]);
}

/** One deflated block that ends on a byte boundary, so that blocks can be put one after another. */
function deflateBlock(block: Buffer, level: number, dictionary: Buffer | undefined): Promise<Buffer> {
  const deflated = deflateAsync(block, {
    level: shrinks(block, dictionary) ? level : STORED,
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: BLOCK_BYTES + 1024,
    ...(dictionary === undefined ? {} : { dictionary }),
  });
  deflated.catch(() => undefined); // awaited later, or never when the input fails first
  return deflated;
}

/** Tries a little from the beginning, the middle and the end. */
function shrinks(block: Buffer, dictionary: Buffer | undefined): boolean {
  const places = [0, Math.floor((block.length - SAMPLE_BYTES) / 2), block.length - SAMPLE_BYTES];
  const samples = Buffer.concat(places.map((at) => block.subarray(Math.max(0, at), Math.max(0, at) + SAMPLE_BYTES)));
  return deflateRawSync(samples, { level: 1, ...(dictionary === undefined ? {} : { dictionary }) }).length < samples.length * 0.98;
}

/** Full blocks and a last shorter one. Their memory goes round: a block is filled again when `IN_FLIGHT` more and the one being made have followed. */
async function* blocksOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const round = Array.from({ length: IN_FLIGHT + 2 }, () => Buffer.allocUnsafeSlow(BLOCK_BYTES));
  let turn = 0;
  let used = 0;
  for await (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length; ) {
      const block = round[turn % round.length] as Buffer; // the remainder is always within
      const copied = chunk.copy(block, used, offset);
      used += copied;
      offset += copied;
      if (used < BLOCK_BYTES) continue;
      yield block;
      turn += 1;
      used = 0;
    }
  }
  if (used > 0) yield (round[turn % round.length] as Buffer).subarray(0, used);
}
