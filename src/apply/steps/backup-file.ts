// One file of a backup, written to its end and read back. Rule: what is encrypted is read back as its owner would, with a key that is forgotten at once.
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { ToolError } from '../../model/error.ts';
import { SEALED } from '../../model/recipient.ts';
import { makeWitness, seal, unseal } from '../../world/age.ts';
import { diskError } from '../../world/tarball.ts';

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
  const to = createWriteStream(file, { mode: 0o600, flush: true });
  if (sealing === undefined) return pipeline(source, to);
  await pipeline(seal(source, sealing.encryptTo), to);
  await countSealedBytes(file, sealing.identity);
}

/** The size of what is in an encrypted file, read to its end. */
export async function countSealedBytes(file: string, identity: string): Promise<number> {
  let bytes = 0;
  for await (const chunk of unseal(createReadStream(file), [identity], file)) bytes += chunk.length;
  return bytes;
}

/** Does the work of writing a backup; a full disk is said as such. */
export async function writingBackup<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const said = diskError(error, folder);
    if (!(said instanceof ToolError) || said === error) throw said;
    throw new ToolError('E_DISK_FULL', `the disk is full: the backup at ${folder} cannot be written to its end`, {
      cause: error,
      hint: 'The backups that are there stay as they are. Make room there, or give another folder with `backup --to DIR`.',
    });
  }
}
