// An encrypted backup, opened on the host that may read it. Rule: into the install's private cache; every file is compared with backup.json on the way.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Backup, type BackupPart, printBackup } from '../model/backup.ts';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { diskTrouble } from '../model/disk-trouble.ts';
import { ToolError } from '../model/error.ts';
import { SEALED } from '../model/recipient.ts';
import { unseal } from '../world/age.ts';

export interface ToOpen {
  /** The folder of the backup. Absolute. */
  readonly folder: string;
  readonly backup: Backup;
  readonly identities: readonly string[];
  /** Where it is opened. Absolute; what lies there goes. */
  readonly into: string;
}

/** Decrypts a backup, and gives its description as it is now. Throws E_BACKUP for a damaged one and one for other keys, E_DISK_FULL. */
export async function openSealedBackup({ folder, backup, identities, into }: ToOpen): Promise<Backup> {
  const { encryptedTo: _, items, parts = [], ...said } = backup;
  await rm(into, { recursive: true, force: true });
  await mkdir(join(into, 'data'), { recursive: true, mode: 0o700 });
  const openOne = async <T extends BackupPart>(part: T): Promise<T> => {
    const file = part.file.replace(new RegExp(`\\${SEALED}$`), '');
    await mkdir(dirname(join(into, file)), { recursive: true, mode: 0o700 });
    return { ...part, file, ...(await openFile(part, { from: join(folder, part.file), to: join(into, file), identities })) };
  };
  try {
    const opened = { items: [] as Backup['items'][number][], parts: [] as BackupPart[] };
    for (const part of parts) opened.parts.push(await openOne(part));
    for (const item of items) opened.items.push(await openOne(item));
    const plain: Backup = { ...said, ...opened };
    await writeFile(join(into, 'backup.json'), printBackup(plain), { mode: 0o600 });
    return plain;
  } catch (error) {
    await rm(into, { recursive: true, force: true });
    throw diskTrouble(error, into) ?? error;
  }
}

interface Opening {
  readonly from: string;
  readonly to: string;
  readonly identities: readonly string[];
}

async function openFile(part: BackupPart, { from, to, identities }: Opening): Promise<{ readonly size: number; readonly sha256: Digest }> {
  const isSealed = from.endsWith(SEALED);
  const [before, after] = [meter(), meter()];
  const source = before.through(createReadStream(from));
  const opened = isSealed ? unseal(source, identities, from) : source;
  await pipeline(after.through(opened), createWriteStream(to, { mode: 0o600, flush: true }));
  if (before.digest() === part.sha256) return { size: after.size(), sha256: after.digest() };
  throw new ToolError('E_BACKUP', `${from} is not what was written there`, { hint: 'Take another backup, or another copy of this one.' });
}

/** Measures what flows through. */
function meter() {
  const hash = createHash('sha256');
  let size = 0;
  let digest: Digest | undefined;
  return {
    through: async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    size: () => size,
    digest: (): Digest => (digest ??= digestFromHex(hash.digest('hex'))),
  };
}
