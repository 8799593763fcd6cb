// The product's images as registries have them. Rule: one session for all, with docker's own logins, closed at the end.
import { join } from 'node:path';
import { ToolError } from '../model/error.ts';
import { parseImageRef, type ResolvedImage } from '../model/image.ts';
import type { TableImage } from '../model/image-table.ts';
import { EMPTY_LOCK, LOCK_FILE_NAME, type LockFile, parseLockFile } from '../model/lock-file.ts';
import type { World } from '../model/seams.ts';
import { readTextIfThere } from '../world/disk.ts';
import { openDockerConfig } from '../world/docker-config.ts';
import { openHttp } from '../world/http.ts';
import { openRegistry } from '../world/registry.ts';
import { observeImageDigests } from './image-digests.ts';

export interface ProductImagesWish {
  readonly table: readonly TableImage[];
  readonly lock: LockFile;
  /** Asks about every image, locked or not. */
  readonly fresh?: boolean;
}

/** The digests of the images, in the table's order. Throws one ToolError for all that could not be resolved. */
export async function observeProductImages(
  { table, lock, fresh = false }: ProductImagesWish,
  world: World,
): Promise<readonly ResolvedImage[]> {
  const http = openHttp(world);
  try {
    return await observeImageDigests({
      wanted: table.map(({ name, reference, kind }) => ({
        name,
        own: kind === 'own',
        reference: parseImageRef(reference, `images: ${name}`),
      })),
      lock,
      fresh,
      registry: openRegistry({ http, credentials: openDockerConfig(world), world }),
      onImage: (done, total) => world.report({ type: 'progress', text: 'image digests', done, total, unit: 'items' }),
    });
  } finally {
    await http.close();
  }
}

/** The product's lock file; an absent one locks nothing. Throws E_CONFIG naming the field. */
export async function readLockFile(root: string, label: string): Promise<LockFile> {
  const text = await readTextIfThere(join(root, LOCK_FILE_NAME));
  if (text === undefined) return EMPTY_LOCK;
  try {
    return parseLockFile(text, label);
  } catch (cause) {
    if (!(cause instanceof ToolError)) throw cause;
    const hint = 'Take it from git again, or remove it and run `slipway images lock`.';
    throw new ToolError('E_CONFIG', cause.message, { cause: cause.cause, hint });
  }
}
