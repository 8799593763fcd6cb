// Images into registries. Rule: what became of each is told at once and together at the end; a failure of one makes the step fail when all others are done.
import { ToolError } from '../../model/error.ts';
import { bytesToSend } from '../../model/image-copy.ts';
import { registriesOf } from '../../world/registries.ts';
import { copyImages } from '../copy-images.ts';
import type { Handler, Handlers } from '../handler.ts';

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

/** The handlers of copying images. */
export const imageSteps = { 'copy-images': copyStep } satisfies Pick<Handlers, 'copy-images'>;
