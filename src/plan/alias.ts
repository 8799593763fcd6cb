// Decides which further names an image gets. Rule: what looks like a release is written once; any other tag moves, and the plan says from what.
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type ImageRef, pinImage, printImageRef } from '../model/image.ts';
import type { ImageToCopy } from '../model/image-copy.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step } from '../model/plan.ts';
import { looksLikeVersion } from '../model/tag-rule.ts';

export interface AliasTarget {
  /** With its tag. */
  readonly image: ImageRef;
  /** What it is today. */
  readonly there: Digest | undefined;
}

export interface AliasWanted {
  readonly id: string;
  readonly name: string;
  readonly source: ImageRef;
  readonly digest: Digest;
  readonly targets: readonly AliasTarget[];
  /** What is to be copied into other repositories: the image, and what belongs to it. */
  readonly copies: readonly ImageToCopy[];
  /** True for a tag that stands for a released version. */
  readonly isVersion: (tag: string) => boolean;
}

/** The plan; without steps when every name is that image already. Throws E_PUBLISHED_DIFFERS before the first write. */
export function planAlias({ id, name, source, digest, targets, copies, isVersion }: AliasWanted): Planned {
  for (const { image, there } of targets) {
    const { tag = '' } = image;
    if (there !== undefined && there !== digest && (looksLikeVersion(tag) || isVersion(tag))) throw released(image, there, digest);
  }
  const missing = targets.filter(({ there }) => there !== digest);
  const beside = missing.filter(({ image }) => isBeside(image, source));
  const tags = beside.flatMap(({ image }) => image.tag ?? []);
  const pinned = pinImage({ registry: source.registry, repository: source.repository }, digest);
  const steps: Step[] = [
    ...(tags.length === 0
      ? []
      : [{ kind: 'tag-images', why: `${name} gets ${tags.join(' ')}`, images: [{ name, image: pinned, tags }] } as const]),
    ...(copies.length === 0
      ? []
      : [
          {
            kind: 'copy-images',
            why: `${name} goes to ${copies.flatMap(({ destinations }) => destinations.map(printImageRef)).join(' ')}`,
            images: copies,
          } as const,
        ]),
  ];
  const notes = missing.flatMap(({ image, there }) =>
    there === undefined ? [] : [`${printImageRef(image)} is ${there.slice(0, 19)} until now.`],
  );
  const basedOn = digestOf(canonicalJson({ digest, targets: targets.map(({ image, there }) => [printImageRef(image), there ?? null]) }));
  const plan = { schema: 1, id, operation: id, command: 'images alias', basedOn, steps, commitAfter: -1, notes } as const;
  return { plan, contents: new Map() };
}

/** True for another tag of the same repository. */
export function isBeside(image: ImageRef, source: ImageRef): boolean {
  return image.registry === source.registry && image.repository === source.repository;
}

function released(image: ImageRef, there: Digest, digest: Digest): ToolError {
  return new ToolError('E_PUBLISHED_DIFFERS', `${printImageRef(image)} is there already, and it is another image`, {
    hint: 'A released version never changes. Choose another tag; nothing was changed.',
    details: { tag: printImageRef(image), published: there, ours: digest },
  });
}
