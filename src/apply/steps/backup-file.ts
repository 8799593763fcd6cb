// One file of a backup, written to its end and read back. Rule: what is encrypted is read back as its owner would, with a key that is forgotten at once.
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { diskTrouble } from '../../model/disk-trouble.ts';
import { SEALED } from '../../model/recipient.ts';
import { makeWitness, seal, unseal } from '../../world/age.ts';

/** How the files of a backup are encrypted; undefined = they are not. */
export interface Sealing {
  readonly encryptTo: readonly string[];
  /** The secret key to read back with, in memory alone. */
  readonly identity: string;
}

/** Makes the key to read back with, for one step. */
export async function sealingFor(encryptTo: readonly string[] | undefined): Promise<Sealing | undefined> {
  if (encryptTo === undefined || encryptTo.length === 0) return undefined;
  const { identity, recipient } = await makeWitness();
  return { encryptTo: [...encryptTo, recipient], identity };
}

/** The name of a backup's file, as it is when it is encrypted. */
export function sealedName(name: string, encryptTo: readonly string[] | undefined): string {
  return encryptTo === undefined || encryptTo.length === 0 ? name : `${name}${SEALED}`;
}

/** Writes a file (mode 0600), synced, and reads an encrypted one back to its end. */
export async function writeBackupFile(source: AsyncIterable<Uint8Array>, file: string, sealing: Sealing | undefined): Promise<void> {
  try {
    await pipeline(sealing === undefined ? source : seal(source, sealing.encryptTo), createWriteStream(file, { mode: 0o600, flush: true }));
  } catch (error) {
    throw diskTrouble(error, file) ?? error;
  }
  if (sealing !== undefined) await countSealedBytes(file, sealing.identity);
}

/** The size of what is in an encrypted file, read to its end. */
export async function countSealedBytes(file: string, identity: string): Promise<number> {
  let bytes = 0;
  for await (const chunk of unseal(createReadStream(file), [identity], file)) bytes += chunk.length;
  return bytes;
}
