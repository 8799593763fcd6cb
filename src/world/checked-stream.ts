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
}

/** Passes the chunks on, the last one after its digest was checked; throws what `refuse` gives for anything else. */
export async function* checkedBytes(chunks: AsyncIterable<Buffer>, { size, digest, refuse, onBytes }: Checking): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let done = 0;
  let held: Buffer | undefined;
  for await (const chunk of chunks) {
    hash.update(chunk);
    done += chunk.length;
    if (done > size) throw refuse(`more than ${size} bytes`);
    if (held !== undefined) yield held;
    held = chunk;
    onBytes?.(done);
  }
  if (done !== size) throw refuse(`${done} bytes instead of ${size}`);
  const found = digestFromHex(hash.digest('hex'));
  if (found !== digest) throw refuse(found);
  if (held !== undefined) yield held;
}
