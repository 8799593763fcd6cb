// All releases of a path seen as one: what the machine must be, and have room for, before the first hop. Rule: pure; the strictest wish counts.
import { keep } from '../model/description.ts';
import type { Manifest, ManifestImage } from '../model/manifest.ts';

/** The last release with the images and files of all, and the strictest of their requirements. */
export function wholeOf(manifests: readonly [Manifest, ...Manifest[]]): Manifest {
  return manifests.reduce((whole, next) => ({
    ...next,
    ...([whole, next].some(({ login }) => login === 'ask') ? { login: 'ask' as const } : {}),
    images: unionOf(whole.images, next.images),
    files: [...whole.files, ...next.files],
    requires: {
      ...next.requires,
      ...keep({
        docker: bothRanges(whole.requires.docker, next.requires.docker),
        compose: bothRanges(whole.requires.compose, next.requires.compose),
        memory: greater(whole.requires.memory, next.requires.memory),
        disk: greater(whole.requires.disk, next.requires.disk),
      }),
    },
  }));
}

/** What is meant by its digest is the same, whatever release names it; what one release adds to the other is pulled for both. */
function unionOf(images: readonly ManifestImage[], more: readonly ManifestImage[]): ManifestImage[] {
  const known = new Set(images.map(pinned));
  return [...images, ...more.filter((image) => !known.has(pinned(image)))];
}

function pinned({ reference, digest }: ManifestImage): string {
  return `${reference}@${digest}`;
}

/** `a || b` and `c` is `a c || b c`. */
function bothRanges(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined || one === other) return one ?? other;
  const parts = (range: string): string[] => range.split('||').map((part) => part.trim());
  return parts(one)
    .flatMap((first) => parts(other).map((second) => `${first} ${second}`.trim()))
    .join(' || ');
}

function greater(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}
