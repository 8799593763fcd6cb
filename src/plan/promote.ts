// Decides which prerelease becomes a release, and which tags its images get. Rule: the same bytes on every image or on none; a version that is there is never
// another one, and a floating tag only goes forward.
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { HostAddress } from '../model/host.ts';
import type { ImageRef } from '../model/image.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step } from '../model/plan.ts';
import { reservedElsewhere } from '../model/published.ts';
import { judgeReservation, type Reservation } from '../model/reservation.ts';
import { counterOf, versionOfTag } from '../model/tag.ts';
import type { ImageToTag } from '../model/to-publish.ts';
import { compareVersions, coreOf, isPrerelease, type Version } from '../model/version.ts';

/** One of the product's own images, with all its tags. */
export interface PromotedImage {
  readonly name: string;
  /** Without a tag. */
  readonly image: ImageRef;
  /** How its tags are made: `{version}`. */
  readonly pattern: string;
  readonly tags: readonly string[];
}

export interface CandidateWish {
  /** X.Y.Z. */
  readonly base: Version;
  /** The name in X.Y.Z-<name>.N. */
  readonly prerelease: string;
  /** Every image must have the same newest N. */
  readonly strict: boolean;
}

/** The N that is promoted: the highest that all images have. Throws E_NOT_FOUND, naming what each image has, when there is none. */
export function chooseCandidate(images: readonly PromotedImage[], { base, prerelease, strict }: CandidateWish): number {
  const counters = images.map((image) => countersOf(image, base, prerelease));
  const common = (counters[0] ?? []).filter((counter) => counters.every((others) => others.includes(counter)));
  const newest = counters.map((each) => Math.max(...each));
  const wanted = strict ? Math.min(...newest) : Math.max(...common);
  if (counters.every((each) => each.length > 0) && common.includes(wanted)) return wanted;
  const lines = images.map(({ name }, index) => `${name}: ${counters[index]?.join(' ') || 'none'}`);
  throw new ToolError('E_NOT_FOUND', `no ${base}-${prerelease}.N is on all images\n  ${lines.join('\n  ')}`, {
    hint: 'Build and push what is missing. Nothing was changed.',
    details: { counters: Object.fromEntries(images.map(({ name }, index) => [name, counters[index]])) },
  });
}

function countersOf({ pattern, tags }: PromotedImage, base: Version, prerelease: string): number[] {
  const versions = tags.flatMap((tag) => versionOfTag(pattern, tag) ?? []).filter((version) => coreOf(version) === base);
  return versions.flatMap((version) => counterOf(prerelease, version) ?? []).sort((a, b) => a - b);
}

/** The tags that float, for an image whose newest release this version is; none for one that has a newer release. */
export function floatsFor({ pattern, tags }: PromotedImage, version: Version, floats: readonly string[]): readonly string[] {
  const newer = tags
    .flatMap((tag) => versionOfTag(pattern, tag) ?? [])
    .some((other) => !isPrerelease(other) && compareVersions(other, version) > 0);
  return newer ? [] : floats;
}

export interface PromoteWanted {
  readonly id: string;
  readonly from: Version;
  readonly to: Version;
  /** What holds the version for the commit that the images were built from; undefined where no commit is known. */
  readonly reserving:
    | { readonly host: HostAddress; readonly reservation: Reservation; readonly found: Reservation | undefined }
    | undefined;
}

/** An image as it is to be promoted. */
export interface CandidateImage {
  readonly name: string;
  /** With the digest of the prerelease. */
  readonly image: ImageRef & { readonly digest: Digest };
  /** The tag of the release, and what it is today. */
  readonly tag: string;
  readonly there: Digest | undefined;
  /** Floating tags that are to be moved: those that are another image today. */
  readonly floats: readonly string[];
}

/** The plan; without steps when all is promoted. Throws E_PUBLISHED_DIFFERS before the first write when a release tag is another image. */
export function planPromote({ id, from, to, reserving }: PromoteWanted, images: readonly CandidateImage[]): Planned {
  for (const { name, tag, image, there } of images) {
    if (there !== undefined && there !== image.digest) throw changed(name, tag, there, image.digest);
  }
  const released = images
    .filter(({ there }) => there === undefined)
    .map(({ name, image, tag }): ImageToTag => ({ name, image, tags: [tag] }));
  const floating = images
    .filter(({ floats }) => floats.length > 0)
    .map(({ name, image, floats }): ImageToTag => ({ name, image, tags: floats }));
  const steps: Step[] = [
    ...reservingSteps(reserving),
    ...(released.length === 0
      ? []
      : [{ kind: 'tag-images', why: `${from} is ${to} on ${released.length} images, byte for byte`, images: released } as const]),
    ...(floating.length === 0 ? [] : [{ kind: 'tag-images', why: `the tags that float follow ${to}`, images: floating } as const]),
  ];
  const reserved = steps[0]?.kind === 'reserve-tag' ? 0 : -1;
  const basedOn = digestOf(canonicalJson(images.map(({ name, image, tag }) => ({ name, image, tag }))));
  const notes = reserving === undefined ? ['No commit is known for it, so no git tag is made.'] : [];
  const plan = { schema: 1, id, operation: id, command: 'promote', basedOn, steps, commitAfter: reserved, notes } as const;
  return { plan, contents: new Map() };
}

function reservingSteps(reserving: PromoteWanted['reserving']): Step[] {
  if (reserving === undefined) return [];
  const { host, reservation, found } = reserving;
  if (found !== undefined) {
    if (judgeReservation(reservation, found) === 'elsewhere') throw reservedElsewhere(reservation, found);
    return [];
  }
  return [{ kind: 'reserve-tag', why: `${reservation.tag} is on the commit that the images were built from`, host, reservation }];
}

function changed(name: string, tag: string, there: Digest, ours: Digest): ToolError {
  return new ToolError('E_PUBLISHED_DIFFERS', `${name} has a ${tag} already, and it is another image`, {
    hint: 'A released version never changes. Promote under the next version; nothing was changed.',
    details: { name, tag, published: there, ours },
  });
}
