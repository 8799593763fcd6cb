// Tags of the product's own images, as registries have them. Rule: by HEAD and listings, which count on no pull limit; a repository that is not there has no tags.
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import type { ImageRef } from '../model/image.ts';
import type { World } from '../model/seams.ts';
import { limitTo } from '../world/limit.ts';
import { registriesOf } from '../world/registries.ts';

const AT_ONCE = 16;

/** The digest behind each name, in their order; undefined where there is none. */
export async function observeDigests(refs: readonly ImageRef[], world: World): Promise<readonly (Digest | undefined)[]> {
  const registry = registriesOf(world);
  const limit = limitTo(AT_ONCE);
  return Promise.all(refs.map((ref) => limit(async () => (await registry.headManifest(ref))?.digest)));
}

/** All tags of each repository, in their order; none for one that nothing was pushed to. */
export async function observeTagLists(repositories: readonly ImageRef[], world: World): Promise<readonly (readonly string[])[]> {
  const registry = registriesOf(world);
  const limit = limitTo(AT_ONCE);
  return Promise.all(repositories.map((ref) => limit(() => orNone(registry.listTags(ref)))));
}

/** The first of these names that there is, with its digest; undefined where none is, or the registry does not say. */
export async function observeFirst(refs: readonly ImageRef[], world: World): Promise<ImageRef | undefined> {
  for (const ref of refs) {
    try {
      const head = await registriesOf(world).headManifest(ref);
      if (head !== undefined) return { ...ref, digest: head.digest };
    } catch (error) {
      if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
      return undefined; // whoever asks builds it then
    }
  }
  return undefined;
}

async function orNone(tags: Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await tags;
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return [];
    throw error;
  }
}
