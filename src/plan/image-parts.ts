// What the images of a release share. Rule: a layer counts for the first image of the list that has it; sizes are of the platform that needs most.
import type { ResolvedImage } from '../model/image.ts';

/** For each image the bytes that no image before it has; undefined where its layers are not known, or where it shares none. */
export function addedBytes(images: readonly Pick<ResolvedImage, 'size' | 'parts'>[]): (number | undefined)[] {
  const seen = new Map<string, Set<string>>();
  return images.map(({ size, parts }) => {
    if (parts === undefined) return undefined;
    const amounts = parts.map(({ platform, blobs }) => {
      const known = seen.get(platform) ?? new Set();
      const fresh = blobs.filter(({ digest }) => !known.has(digest));
      seen.set(platform, new Set([...known, ...blobs.map(({ digest }) => digest)]));
      return fresh.reduce((sum, blob) => sum + blob.size, 0);
    });
    const added = Math.max(...amounts);
    return added < size ? added : undefined;
  });
}
