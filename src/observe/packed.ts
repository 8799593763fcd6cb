// What a release's folder in dist holds already. Rule: whole and signed as it must be, or it does not count.
import { join } from 'node:path';
import { ToolError } from '../model/error.ts';
import { MANIFEST_ASSET } from '../model/host.ts';
import { unsealManifest } from '../model/seal.ts';
import { readTextIfThere } from '../world/disk.ts';
import { observePacked, type PackedRequest } from './published.ts';

/** The unsealed manifest of a packed release; `broken` for a folder that is no whole release of this product and tag; undefined when there is none. */
export async function observeUnsealed(request: PackedRequest): Promise<string | 'broken' | undefined> {
  try {
    if ((await observePacked(request)) === undefined) return undefined;
    return unsealManifest((await readTextIfThere(join(request.folder, MANIFEST_ASSET))) ?? '');
  } catch (error) {
    if (error instanceof ToolError) return 'broken';
    throw error;
  }
}

/** Size and digests of a packed release's files, for people and programs. Throws E_NOT_PACKED when it is not there. */
export async function readPacked(request: PackedRequest): Promise<NonNullable<Awaited<ReturnType<typeof observePacked>>>> {
  const packed = await observePacked(request);
  if (packed !== undefined) return packed;
  throw new ToolError('E_NOT_PACKED', `there is no ${request.folder}`, { hint: 'Run the command again.' });
}
