// The images that somebody still uses: those of every release that is published or packed, and of the lock file. Rule: a host that does not answer is an error, for
// what it would have named must not be deleted.
import { join } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { HostAddress } from '../model/host.ts';
import { MANIFEST_ASSET } from '../model/host.ts';
import { parseImageRef } from '../model/image.ts';
import { LOCK_FILE_NAME } from '../model/lock-file.ts';
import { type Manifest, parseManifest } from '../model/manifest.ts';
import type { UsedImage } from '../model/repository-facts.ts';
import type { World } from '../model/seams.ts';
import { listNames, readTextIfThere } from '../world/disk.ts';
import { observeChannels, observeManifests } from './copying.ts';
import { readLockFile } from './product-images.ts';

export interface UseRequest {
  readonly root: string;
  /** Where packed releases are, absolute. */
  readonly packed: string;
  readonly hosts: readonly HostAddress[];
  readonly product: string;
  readonly publicKey: string | null;
  readonly channels: readonly string[];
}

/** Every use, once for each that names it. Throws what reading a host throws. */
export async function observeUsedImages(request: UseRequest, world: World): Promise<readonly UsedImage[]> {
  const lock = await readLockFile(request.root, LOCK_FILE_NAME);
  const used = Object.values(lock.images).map(
    ({ digest, reference }): UsedImage => ({ digest, repository: reference.repository, by: LOCK_FILE_NAME }),
  );
  for (const host of request.hosts) used.push(...(await usedOn(host, request, world)));
  for (const tag of await listNames(request.packed)) {
    const text = await readTextIfThere(join(request.packed, tag, MANIFEST_ASSET));
    if (text !== undefined) used.push(...imagesOf(parseManifest(text, `${tag}/${MANIFEST_ASSET}`), `the packed release ${tag}`));
  }
  return used;
}

async function usedOn(host: HostAddress, { product, publicKey, channels }: UseRequest, world: World): Promise<UsedImage[]> {
  const source = { from: host, product, publicKey };
  const found = await observeChannels(source, channels, world);
  const releases = new Map(found.flatMap(({ channel }) => channel.releases.map((release) => [release.tag, release])));
  const { manifests } = await observeManifests(source, [...releases.values()], world);
  if (manifests.size !== releases.size) throw new ToolError('E_NOT_FOUND', `${host.name} lacks manifests of its releases`);
  return [...manifests].flatMap(([tag, manifest]) => imagesOf(manifest, `${tag} on ${host.name}`));
}

function imagesOf({ images }: Manifest, by: string): UsedImage[] {
  return images.map(({ digest, reference }) => ({ digest, repository: parseImageRef(reference, by).repository, by }));
}
