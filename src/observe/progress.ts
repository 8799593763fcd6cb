// What a command at work has written down. Rule: read as it grows; half a line is not read yet, and a file that was begun anew is another one.
import { type FileHandle, open } from 'node:fs/promises';
import { systemCode } from '../model/error.ts';
import { progressPath } from '../model/layout.ts';
import { type ProgressLine, parseProgress } from '../model/progress.ts';

export interface ProgressReader {
  /** What was written since the last call. */
  readonly next: () => Promise<readonly ProgressLine[]>;
  readonly close: () => Promise<void>;
}

/** More than any run writes; what is beyond it is not read. Bytes. */
const MOST_BYTES = 64 * 1024 * 1024;
const PIECE = 256 * 1024;

/** Opens the file of the last command, or gives undefined where none has written one. */
export async function openProgress(root: string): Promise<ProgressReader | undefined> {
  const file = await openIfThere(progressPath(root));
  if (file === undefined) return undefined;
  let [read, rest] = [0, Buffer.alloc(0)];
  const next = async (): Promise<readonly ProgressLine[]> => {
    const pieces = [rest];
    while (read < MOST_BYTES) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(PIECE), 0, PIECE, read);
      if (bytesRead === 0) break;
      read += bytesRead;
      pieces.push(buffer.subarray(0, bytesRead));
    }
    const all = Buffer.concat(pieces);
    const whole = all.lastIndexOf(0x0a) + 1;
    rest = all.subarray(whole);
    const lines = all.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
    return lines.flatMap((line) => parseProgress(line, progressPath(root)) ?? []);
  };
  return { next, close: () => file.close() };
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
