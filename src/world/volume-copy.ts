// Whole volumes and folders in and out through the engine. Rule: nothing inside any image is run; owners and modes are the engine's to keep.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { Parser, ReadEntry } from 'tar';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { unseal } from './age.ts';
import { removeContainer } from './containers.ts';
import { docker, type Engine } from './docker.ts';

/** Where data lives: a volume's name or an absolute folder, and any present image to make a container of. */
export interface DataPlace {
  readonly source: string;
  readonly image: string;
  /** A name for the container that is made and removed. */
  readonly container: string;
}

/** Where the data is mounted in the container; also the top folder inside the archive. */
const MOUNT = 'slipway-data';

/** Copies all of a place into a .tar.gz (mode 0600), encrypted to these public keys if any. The place must not be written to meanwhile. */
export async function copyOut(engine: Engine, place: DataPlace, file: string, encryptTo: readonly string[] = []): Promise<void> {
  await withContainer(engine, place, async () => {
    await docker(engine, ['cp', `${place.container}:/${MOUNT}`, '-'], { output: { file, gzip: true, encryptTo } });
  });
}

/**
 * Unpacks a .tar.gz made by `copyOut` into a place, which must be empty. Without `--archive`: measured on 26.1, that flag gives every file to
 * the container's user instead of keeping the archive's owners.
 */
export async function copyIn(engine: Engine, place: DataPlace, file: string): Promise<void> {
  await withContainer(engine, place, async () => {
    await docker(engine, ['cp', '-', `${place.container}:/`], { input: { file, gunzip: true } });
  });
}

/**
 * A digest over every entry of such an archive: path, kind, mode, owner, size, link and content, whatever the order and the times of folders.
 * An encrypted one is opened with the secret key.
 */
export async function digestOfEntries(file: string, identity?: string): Promise<Digest> {
  const { list } = await import('tar');
  const lines: string[] = [];
  const onReadEntry = (entry: ReadEntry): void => {
    const hash = createHash('sha256');
    entry.on('data', (chunk) => hash.update(chunk));
    entry.on('end', () => {
      const { path, type, mode, uid, gid, size, linkpath } = entry;
      lines.push(
        [path.replace(/\/$/, ''), type, ((mode ?? 0) & 0o7777).toString(8), uid, gid, size, linkpath ?? '', hash.digest('hex')].join('\0'),
      );
    });
  };
  if (identity === undefined) await list({ file, strict: true, onReadEntry });
  else await endOf(Readable.from(unseal(createReadStream(file), [identity], file)), list({ strict: true, onReadEntry }));
  return digestFromHex(createHash('sha256').update(lines.sort().join('\n')).digest('hex'));
}

/** Leads a stream into tar's reader, which is no stream of Node.js. */
function endOf(from: Readable, reader: Parser): Promise<void> {
  return new Promise((resolve, reject) => {
    from.on('error', reject);
    reader.on('error', reject);
    reader.on('end', resolve);
    from.pipe(reader as unknown as NodeJS.WritableStream);
  });
}

/** Removes the container through which a place is copied, should one be left from a copy that was cut off. */
export async function removeCopier(engine: Engine, place: DataPlace): Promise<void> {
  await removeContainer(engine, place.container);
}

async function withContainer(engine: Engine, place: DataPlace, work: () => Promise<void>): Promise<void> {
  await removeCopier(engine, place);
  // The command is never run: a container must have one to be made.
  await docker(engine, [
    'create',
    '--name',
    place.container,
    '--network',
    'none',
    '--volume',
    `${place.source}:/${MOUNT}`,
    '--entrypoint',
    'true',
    place.image,
  ]);
  try {
    await work();
  } finally {
    await removeCopier(engine, place);
  }
}

/** Reads a .tar.gz to its end, an encrypted one with the secret key; throws E_BACKUP when it is damaged or cut short. */
export async function readThrough(file: string, identity?: string): Promise<void> {
  try {
    await digestOfEntries(file, identity);
  } catch (cause) {
    throw new ToolError('E_BACKUP', `the backup ${file} cannot be read to its end`, {
      cause,
      hint: 'The disk may be full or failing; nothing was restored from it.',
    });
  }
}
