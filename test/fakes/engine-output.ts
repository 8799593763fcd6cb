// Where a call's stdout goes when it is a file. Rule: half of it is there first, so that whoever is killed in between leaves half a file.
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Encrypter } from 'age-encryption';
import { diskTrouble } from '../../src/model/disk-trouble.ts';
import type { RunOptions } from '../../src/model/seams.ts';

/** Writes it, packed and encrypted as it was asked for. */
export async function writeOutput(
  output: NonNullable<RunOptions['output']>,
  content: Uint8Array,
  between: () => Promise<void>,
): Promise<void> {
  const packed = output.gzip === true ? gzipSync(content, { level: 1 }) : content;
  const bytes = await encrypted(packed, output.encryptTo ?? []);
  try {
    writeFileSync(output.file, bytes.subarray(0, bytes.length / 2), { mode: 0o600 });
    await between();
    writeFileSync(output.file, bytes, { mode: 0o600 });
  } catch (error) {
    throw diskTrouble(error, output.file) ?? error; // as the program that calls docker names the disk that refuses it
  }
}

async function encrypted(bytes: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  if (recipients.length === 0) return bytes;
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(bytes);
}
