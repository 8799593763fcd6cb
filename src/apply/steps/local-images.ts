// Images of the engine: pulled by digest, tagged, removed. Rule: an image is known by its digest, and one that a container uses stays.
import { ToolError } from '../../model/error.ts';
import { parseFlag, parseMap } from '../../model/parse.ts';
import type { ImageToPull, Step } from '../../model/plan.ts';
import { imageIds, notSo } from '../../world/containers.ts';
import { docker, dockerIfThere } from '../../world/docker.ts';
import { type Handler, type Handlers, lookingOnce, type Site } from '../handler.ts';

/** Images pulled at the same time: more than this slows most registries down. */
const PULLS_AT_ONCE = 3;

const pullImages = lookingOnce<'pull-images', readonly FoundImage[]>(lookAtImages, {
  done: (found) => found.every((image) => image.ready),
  save: (found) => ({
    present: Object.fromEntries(
      found.flatMap((image) => [
        [image.pinned, image.here],
        [image.local, image.tagged],
      ]),
    ),
  }),
  run: async (found, step, site) => {
    const missing = found.filter((image) => !image.ready);
    let pulled = 0;
    const next = async (): Promise<void> => {
      for (let image = missing.shift(); image !== undefined; image = missing.shift()) {
        await pullImage(image, site);
        pulled += 1;
        site.world.report({ type: 'progress', text: 'images', done: pulled, total: step.images.length, unit: 'items' });
      }
    };
    await Promise.all(Array.from({ length: PULLS_AT_ONCE }, next));
    const lacking = (await lookAtImages(step, site)).find((image) => !image.ready);
    if (lacking !== undefined) throw notSo(`${lacking.name} is here`);
  },
  undo: async (step, saved, site) => {
    const present = parseMap(saved.present, 'saved.present', parseFlag);
    for (const image of step.images) {
      if (present[image.local] === false) await removeImage(image.local, site);
      if (present[image.pinned] === false) await removeImage(image.pinned, site);
    }
  },
});

const removeImages: Handler<'remove-images'> = {
  done: async (step, site) => (await imageIds(site, step.local)).size === 0,
  run: async (step, site) => {
    for (const local of step.local) await removeImage(local, site);
  },
};

/** The handlers of images on the engine. */
export const localImageSteps = { 'pull-images': pullImages, 'remove-images': removeImages } satisfies Partial<Handlers>;

interface FoundImage extends ImageToPull {
  /** Here by its digest. */
  readonly here: boolean;
  /** Its local tag names some image. */
  readonly tagged: boolean;
  /** Here, and its local tag names the same one. */
  readonly ready: boolean;
}

async function lookAtImages(step: Step<'pull-images'>, site: Site): Promise<FoundImage[]> {
  const ids = await imageIds(
    site,
    step.images.flatMap(({ pinned, local }) => [pinned, local]),
  );
  return step.images.map((image) => {
    const [id, local] = [ids.get(image.pinned), ids.get(image.local)];
    return { ...image, here: id !== undefined, tagged: local !== undefined, ready: id !== undefined && id === local };
  });
}

async function pullImage(image: FoundImage, site: Site): Promise<void> {
  site.world.report({ type: 'note', text: `pulling ${image.name}` });
  if (!image.here) await docker(site, ['pull', '--quiet', image.pinned], { ...(site.stop && { stop: site.stop }) });
  await docker(site, ['tag', image.pinned, image.local]);
}

/** An image that a container uses stays: somebody else may rely on it. */
async function removeImage(reference: string, site: Site): Promise<void> {
  try {
    await dockerIfThere(site, ['image', 'rm', reference]);
  } catch (error) {
    if (!(error instanceof ToolError) || !/conflict|being used|in use/i.test(error.message)) throw error;
    return;
  }
  if ((await imageIds(site, [reference])).size > 0) throw notSo(`the image ${reference} is gone`);
}
