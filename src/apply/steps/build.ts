// Steps that make the product's own images and take old ones away. Rule: a build that was cut off is not begun again by itself, for the folder may be another
// one by now; a manifest goes only while its tags are the ones that were shown.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { printImageRef } from '../../model/image.ts';
import type { World } from '../../model/seams.ts';
import type { ManifestsToDelete } from '../../model/to-publish.ts';
import { registriesOf } from '../../world/registries.ts';
import { buildImages } from '../build-images.ts';
import type { Handler, Handlers } from '../handler.ts';
import { workFolder } from '../site.ts';

const buildStep: Handler<'build-images'> = {
  done: async () => false,
  run: async ({ images, builder, push, logs }, { root, planId, world }) => {
    const work = join(workFolder(root, planId), 'build');
    await refuseResumption(work);
    const built = await buildImages({ root, images, builder, push, logs, work }, world);
    const lost = built.filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped');
    if (lost.length === 0) return;
    const first = lost[0];
    throw new ToolError(
      'E_STEP_FAILED',
      `${lost.length} of ${built.length} images were not built; the first: ${first?.name}: ${first?.error}`,
      {
        hint: `The whole output is in ${first?.log ?? logs}.`,
      },
    );
  },
};

async function refuseResumption(work: string): Promise<void> {
  const mark = join(work, 'begun');
  if (existsSync(mark)) {
    throw new ToolError('E_CUT_OFF', 'a build that was cut off is not begun again by itself', {
      hint: 'Run `slipway images build` again.',
    });
  }
  await mkdir(work, { recursive: true, mode: 0o700 });
  await writeFile(mark, '');
}

const deleteStep: Handler<'delete-manifests'> = {
  done: async () => false, // each manifest is asked for on its own
  run: async ({ repositories }, { world }) => {
    const failed: string[] = [];
    for (const repository of repositories) failed.push(...(await deleteFrom(repository, world)));
    if (failed.length === 0) return;
    throw new ToolError('E_STEP_FAILED', `${failed.length} manifests could not be deleted; the first: ${failed[0]}`, {
      hint: 'Allow deleting in the registry’s settings, or for the account that docker is logged in with.',
    });
  },
};

/** What could not be deleted, and why. A registry that refuses one is not asked about the rest. */
async function deleteFrom({ image, manifests }: ManifestsToDelete, world: World): Promise<string[]> {
  const registry = registriesOf(world);
  const failed: string[] = [];
  for (const { digest, tags } of manifests) {
    if (world.stop.aborted) throw new ToolError('E_INTERRUPTED', 'interrupted');
    const heads = await Promise.all(tags.map(async (tag) => (await registry.headManifest({ ...image, tag }))?.digest));
    const moved = tags.filter((_, index) => heads[index] !== undefined && heads[index] !== digest);
    const stays = failed.length > 0 ? 'not tried' : moved.length > 0 ? `${moved.join(' ')} moved meanwhile` : undefined;
    const gone = stays === undefined && (await registry.deleteManifest(image, digest));
    const error = gone ? null : (stays ?? `${image.registry} does not allow it`);
    world.report({ type: 'deleted', image, digest, tags, error });
    if (error !== null && moved.length === 0) failed.push(`${printImageRef({ ...image, digest })}: ${error}`);
  }
  return failed;
}

/** The handlers of builds, and of what they leave behind. */
export const buildSteps = { 'build-images': buildStep, 'delete-manifests': deleteStep } satisfies Partial<Handlers>;
