// Images into registries. Rule: what became of each is told at once and together at the end; a failure of one makes the step fail when all others are done.
import type { Digest } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { type ImageRef, printImageRef } from '../../model/image.ts';
import { bytesToSend } from '../../model/image-copy.ts';
import { registriesOf } from '../../world/registries.ts';
import { copyImages } from '../copy-images.ts';
import type { Handler, Handlers, Site } from '../handler.ts';

const copyStep: Handler<'copy-images'> = {
  done: async () => false, // each layer and manifest is asked for on its own
  run: async ({ images }, { world }) => {
    const total = bytesToSend(images);
    let done = 0;
    const copied = await copyImages(images, {
      registry: registriesOf(world),
      onBytes: (bytes) => {
        done += bytes;
        world.report({ type: 'progress', text: 'copying images', done: Math.min(done, total), total, unit: 'bytes' });
      },
      onImage: (image) => world.report({ type: 'image', ...image }),
    });
    const failed = copied.filter(({ outcome }) => outcome === 'failed');
    if (failed.length === 0) return;
    throw new ToolError('E_STEP_FAILED', `${failed.length} of ${copied.length} copies failed; the first: ${failed[0]?.error ?? ''}`, {
      hint: 'The others are complete. Run the same command again: it copies only what is missing.',
    });
  },
};

const tagStep: Handler<'tag-images'> = {
  done: async ({ images }, { world }) => {
    const heads = images.flatMap(({ image, tags }) => tags.map(async (tag) => (await headOf(image, tag, world)) === image.digest));
    return (await Promise.all(heads)).every((there) => there);
  },
  run: async ({ images }, { world }) => {
    const registry = registriesOf(world);
    for (const { image, tags } of images) {
      const manifest = await registry.readManifest(image);
      for (const tag of tags) {
        await registry.putManifest({ ...placeOf(image), tag }, manifest);
        const found = await headOf(image, tag, world);
        if (found === image.digest) continue;
        throw new ToolError(
          'E_DIGEST',
          `${printImageRef({ ...placeOf(image), tag })} is ${found ?? 'gone'} after it was set to ${image.digest}`,
          {
            hint: 'Somebody else writes there too. Run the same command again.',
          },
        );
      }
    }
  },
};

async function headOf(image: ImageRef, tag: string, world: Site['world']): Promise<Digest | undefined> {
  return (await registriesOf(world).headManifest({ ...placeOf(image), tag }))?.digest;
}

function placeOf({ registry, repository }: ImageRef): ImageRef {
  return { registry, repository };
}

/** The handlers of images in registries. */
export const imageSteps = { 'copy-images': copyStep, 'tag-images': tagStep } satisfies Pick<Handlers, 'copy-images' | 'tag-images'>;
