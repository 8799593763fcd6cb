// An archive that was made before Slipway. Rule: hostile until it was walked to its end; nothing of it is unpacked.
import type { Digest } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';
import { measureFile } from '../world/folder-files.ts';
import { digestOfTar, type ForeignFile, readForeignArchive } from '../world/foreign-archive.ts';

/** The names under which Compose finds its file, the preferred one first. */
const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];

export interface FoundArchive {
  readonly size: number;
  readonly sha256: Digest;
  readonly tarSha256: Digest;
  /** By path. */
  readonly files: readonly ForeignFile[];
  /** The text of its compose file, if it has one. */
  readonly compose: string | undefined;
}

/** What a .tar.gz holds. Throws E_ARCHIVE for what no release may hold, and E_USAGE when there is no such file. */
export async function observeArchive(file: string): Promise<FoundArchive> {
  const measured = await measureFile(file).catch((cause: unknown) => {
    if (cause instanceof ToolError) throw cause;
    throw new ToolError('E_USAGE', `cannot read ${file} (${systemCode(cause) ?? 'unknown reason'})`, {
      cause,
      hint: 'Name a .tar.gz file.',
    });
  });
  const tarSha256 = await digestOfTar(file);
  const { files, texts } = await readForeignArchive(file, { texts: COMPOSE_FILES });
  const compose = COMPOSE_FILES.find((name) => texts.has(name));
  return { ...measured, tarSha256, files, compose: compose === undefined ? undefined : texts.get(compose) };
}
