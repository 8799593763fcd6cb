// Decides how images are built and pushed. Rule: what a builder cannot do is refused before the first build; a released version is built once.
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { printImageRef } from '../model/image.ts';
import type { Builder, ImageToBuild } from '../model/image-build.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step } from '../model/plan.ts';
import type { ImageToTag } from '../model/to-publish.ts';

export interface BuildWanted {
  readonly id: string;
  readonly builder: Builder;
  readonly push: boolean;
  readonly logs: string;
  readonly notes: readonly string[];
}

/** A version that was pushed before, from the same commit, and the tags that it lacks. */
export interface PresentImage extends ImageToTag {
  readonly digest: Digest;
  /** All its tags; `tags` are those that it lacks. */
  readonly all: readonly string[];
}

/** The plan; without steps when there is nothing to build. Images come after those that they need. Throws E_PREFLIGHT for what the builder cannot do. */
export function planBuild(wanted: BuildWanted, images: readonly ImageToBuild[], present: readonly PresentImage[]): Planned {
  for (const image of images) refuseImpossible(image, wanted);
  const { id, builder, push, logs } = wanted;
  const retagged = present.filter(({ tags }) => tags.length > 0);
  const where = push ? 'built and pushed, each with all its tags' : 'built';
  const how = builder.kind === 'buildx' ? `buildx, driver ${builder.driver}` : 'docker build';
  const steps: Step[] = [
    ...(retagged.length === 0
      ? []
      : [
          {
            kind: 'tag-images',
            why: 'what was pushed before gets the tags that it lacks',
            images: retagged.map(({ name, image, tags }) => ({ name, image, tags })),
          } as const,
        ]),
    ...(images.length === 0
      ? []
      : [{ kind: 'build-images', why: `${images.length} images are ${where} (${how})`, images, builder, push, logs } as const]),
  ];
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'images build',
    basedOn: digestOf(canonicalJson(images.map(({ name, image, tags, labels }) => ({ name, image: printImageRef(image), tags, labels })))),
    steps,
    commitAfter: -1, // what was pushed may have been pulled; run again it goes on
    notes: [...images.map(noteOf), ...wanted.notes],
  } as const;
  return { plan, contents: new Map() };
}

function noteOf({ name, why, tags, image }: ImageToBuild): string {
  return `${name}: ${why} -> ${printImageRef(image)} ${tags.join(' ')}`.trimEnd();
}

function refuseImpossible(image: ImageToBuild, { builder, push }: BuildWanted): void {
  const { name, platforms, needs, args } = image;
  const several = builder.kind === 'buildx' && builder.several;
  if (push && platforms.length > 1 && !several) {
    const what = builder.kind === 'buildx' ? `the builder’s driver ${builder.driver}` : 'docker build without buildx';
    throw new ToolError('E_PREFLIGHT', `${name} is for ${platforms.join(' and ')}, and ${what} builds for one platform`, {
      hint: 'Make a builder for several with `docker buildx create --use`, or name one with --builder.',
    });
  }
  if (builder.kind === 'buildx') return;
  const unnamed = needs.find((need) => !Object.values(args).some((value) => value.includes(`{image:${need.name}}`)));
  if (unnamed === undefined) return;
  throw new ToolError('E_PREFLIGHT', `${name} needs ${unnamed.name} as a build context, which docker build without buildx does not know`, {
    hint: `Install buildx, or hand it on as a build argument: BASE: "{image:${unnamed.name}}", and FROM \${BASE} in the Dockerfile.`,
  });
}
