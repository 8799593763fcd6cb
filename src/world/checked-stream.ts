// Bytes that must have a size and a digest. Rule: the last of them are held back until the whole is known to be right, so that no receiver completes what is wrong.
import { createHash } from 'node:crypto';
import { type Digest, digestFromHex } from '../model/digest.ts';

export interface ExpectedBytes {
  readonly size: number;
  readonly digest: Digest;
}

export interface Checking extends ExpectedBytes {
  /** The error of content with another size or digest; `found` says what came. */
  readonly refuse: (found: string) => Error;
  readonly onBytes?: (done: number) => void;
  /** The size alone is checked, and nothing held back. */
  readonly sizeOnly?: boolean;
}

/** One stream that is being checked. */
export interface Check {
  /** Takes the next chunk and gives the one before it, which may be passed on. Throws what `refuse` gives for too many bytes. */
  readonly take: (chunk: Buffer) => Buffer | undefined;
  /** The last chunk. Throws what `refuse` gives when the whole is not what was expected. */
  readonly end: () => Buffer | undefined;
}

/** For who has chunks at hand: each generator between a source and its receiver costs time for each chunk. */
export function startCheck({ size, digest, refuse, onBytes, sizeOnly }: Checking): Check {
  const hash = sizeOnly ? undefined : createHash('sha256');
  let done = 0;
  let held: Buffer | undefined;
  return {
    take: (chunk) => {
      hash?.update(chunk);
      done += chunk.length;
      if (done > size) throw refuse(`more than ${size} bytes`);
      onBytes?.(done);
      if (sizeOnly) return chunk;
      const ready = held;
      held = chunk;
      return ready;
    },
    end: () => {
      if (done !== size) throw refuse(`${done} bytes instead of ${size}`);
      if (hash === undefined) return undefined;
      const found = digestFromHex(hash.digest('hex'));
      if (found !== digest) throw refuse(found);
      return held;
    },
  };
}

/** Passes the chunks on, the last one after its digest was checked; throws what `refuse` gives for anything else. */
export async function* checkedBytes(chunks: AsyncIterable<Buffer>, checking: Checking): AsyncGenerator<Buffer> {
  const check = startCheck(checking);
  for await (const chunk of chunks) {
    const ready = check.take(chunk);
    if (ready !== undefined) yield ready;
  }
  const last = check.end();
  if (last !== undefined) yield last;
}
