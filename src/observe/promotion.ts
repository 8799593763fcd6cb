// What registries have of the product's own images. Rule: everything that a promotion rests on is looked at before anything is written.
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import { parseManifestParts } from '../model/image-manifest.ts';
import type { World } from '../model/seams.ts';
import { registriesOf } from '../world/registries.ts';

/** All tags of these repositories, in their order. Throws E_NOT_FOUND for one that is not there. */
export async function observeImageTags(images: readonly ImageRef[], world: World): Promise<readonly (readonly string[])[]> {
  return Promise.all(images.map((image) => registriesOf(world).listTags(image)));
}

/** The digest behind a tag, with everything that its manifest names; undefined when there is no such tag. Throws E_NOT_FOUND for an image that is not whole. */
export async function observeWholeImage(ref: ImageRef, world: World): Promise<Digest | undefined> {
  const registry = registriesOf(world);
  const head = await registry.headManifest(ref);
  if (head === undefined) return undefined;
  const { bytes } = await registry.readManifest(pinImage(ref, head.digest));
  for (const child of parseManifestParts(bytes, printImageRef(ref)).children) {
    if ((await registry.headManifest(pinImage(ref, child.digest))) !== undefined) continue;
    throw new ToolError('E_NOT_FOUND', `${printImageRef(ref)} is not whole: ${child.digest} is not there`, { hint: 'Push it again.' });
  }
  return digestOf(bytes);
}

/** The digest behind a tag, or undefined. */
export async function observeTagDigest(ref: ImageRef, world: World): Promise<Digest | undefined> {
  return (await registriesOf(world).headManifest(ref))?.digest;
}
