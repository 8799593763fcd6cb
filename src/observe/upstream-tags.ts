// What registries say today about tags that are in use. Rule: each repository is listed once, and one that cannot be asked stops no other.
import { ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import type { RegistrySource } from '../model/registry.ts';
import type { World } from '../model/seams.ts';
import { openDockerConfig } from '../world/docker-config.ts';
import { openHttp } from '../world/http.ts';
import { openRegistry } from '../world/registry.ts';

export type UpstreamTags =
  /** The digest is undefined when the tag is not there any more. */
  | { readonly kind: 'known'; readonly tags: readonly string[]; readonly digest: string | undefined }
  | { readonly kind: 'failed'; readonly error: ToolError };

const AT_ONCE = 4;

/** The tags beside each of these, and the digest that each has now, in their order. Asked by HEAD and listings, which count on no pull limit. */
export async function observeUpstreamTags(wanted: readonly ImageRef[], world: World): Promise<readonly UpstreamTags[]> {
  const http = openHttp(world);
  try {
    const registry = openRegistry({ http, credentials: openDockerConfig(world), world });
    const onImage = (done: number): void =>
      world.report({ type: 'progress', text: 'tags upstream', done, total: wanted.length, unit: 'items' });
    return await askAll(wanted, registry, onImage);
  } finally {
    await http.close();
  }
}

async function askAll(
  wanted: readonly ImageRef[],
  registry: Pick<RegistrySource, 'listTags' | 'headManifest'>,
  onImage: (done: number) => void,
): Promise<readonly UpstreamTags[]> {
  const lists = new Map<string, Promise<readonly string[]>>();
  const list = (ref: ImageRef): Promise<readonly string[]> => {
    const name = printImageRef({ registry: ref.registry, repository: ref.repository });
    const tags = lists.get(name) ?? registry.listTags(ref);
    lists.set(name, tags);
    return tags;
  };
  const outcomes: UpstreamTags[] = [];
  const waiting = wanted.entries();
  let done = 0;
  const work = async (): Promise<void> => {
    for (const [index, ref] of waiting) {
      outcomes[index] = await orFailure(async () => ({
        kind: 'known',
        tags: await list(ref),
        digest: (await registry.headManifest(ref))?.digest,
      }));
      done += 1;
      onImage(done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}

async function orFailure(ask: () => Promise<UpstreamTags>): Promise<UpstreamTags> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ToolError && error.code !== 'E_INTERRUPTED') return { kind: 'failed', error };
    throw error;
  }
}
