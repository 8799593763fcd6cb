// Writes a support bundle as one archive. Rule: readable by its owner alone, whole or not at all.
import { chmod, link, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode, ToolError } from '../model/error.ts';
import { writeTarball } from '../world/tarball-write.ts';
import { syncFolder } from './durable.ts';

export interface SupportArchive {
  /** The file to make; it must not exist. Absolute. */
  readonly out: string;
  /** The folder that all of it lies in. */
  readonly top: string;
  readonly files: ReadonlyMap<string, string>;
  readonly made: Date;
}

/** Writes the archive (mode 0600) and gives its size. Throws E_CONFLICT when `out` exists. */
export async function writeSupport({ out, top, files, made }: SupportArchive): Promise<number> {
  const temporary = `${out}.${process.pid}.slipway-new`;
  const entries = [...files].map(([path, text]) => ({
    ...{ path: `${top}/${path}`, kind: 'file' as const, mode: 0o644 as const },
    source: { content: Buffer.from(text) },
  }));
  try {
    const { size } = await writeTarball({ out: temporary, entries, mtime: made });
    await chmod(temporary, 0o600);
    await link(temporary, out);
    await syncFolder(dirname(out));
    return size;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw new ToolError('E_CONFLICT', `${out} exists already`, { hint: 'Name another file with --out.' });
  } finally {
    await rm(temporary, { force: true });
  }
}
