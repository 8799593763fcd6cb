// Decides which of the product's images on this machine may go. Rule: never one that a container or an install has; Docker itself is never forced.
import { digestOf } from '../model/digest.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned } from '../model/plan.ts';

/** One name of an image on this engine. */
export interface LocalImage {
  readonly id: string;
  /** As `docker image rm` takes it. */
  readonly reference: string;
  readonly repository: string;
  /** Undefined when the engine does not say it in a way we know. */
  readonly created: Date | undefined;
}

export interface LocalFacts {
  readonly images: readonly LocalImage[];
  /** The ids of images that containers have, running or not. */
  readonly inContainers: ReadonlySet<string>;
}

export interface LocalPolicy {
  readonly id: string;
  /** So many newest stay in each repository. */
  readonly keep: number;
  /** Seconds; undefined = age does not count. */
  readonly olderThan: number | undefined;
  readonly now: Date;
  /** True for the product's own repositories. */
  readonly isOurs: (repository: string) => boolean;
}

/** What protects an install's releases from `docker image prune`. */
const INSTALLED = 'slipway.local/';

/** The plan; without steps when nothing may go. */
export function planLocalPrune({ images, inContainers }: LocalFacts, { id, keep, olderThan, now, isOurs }: LocalPolicy): Planned {
  const installed = new Set(images.filter(({ repository }) => repository.startsWith(INSTALLED)).map((image) => image.id));
  const ours = images.filter(({ repository }) => isOurs(repository));
  const free = ours.filter((image) => !inContainers.has(image.id) && !installed.has(image.id));
  const youngest = olderThan === undefined ? Number.POSITIVE_INFINITY : now.getTime() - olderThan * 1000;
  const isOld = ({ created }: LocalImage): boolean => olderThan === undefined || (created !== undefined && created.getTime() < youngest);
  const going = [...new Set(free.map(({ repository }) => repository))].flatMap((repository) => {
    const group = free.filter((image) => image.repository === repository);
    return group
      .sort((a, b) => Number(b.created ?? 0) - Number(a.created ?? 0))
      .slice(keep)
      .filter(isOld);
  });
  const local = [...new Set(going.map(({ reference }) => reference))].sort();
  const used = new Set(ours.filter((image) => !free.includes(image)).map((image) => image.id)).size;
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'images prune --local',
    basedOn: digestOf(canonicalJson(local)),
    steps: local.length === 0 ? [] : [{ kind: 'remove-images', why: `${local.length} images that nothing here uses go`, local } as const],
    commitAfter: -1, // they can be pulled again
    notes: [
      ...local.map((reference) => `${reference} goes`),
      ...(used === 0 ? [] : [`${used} images stay: containers or installs have them.`]),
    ],
  } as const;
  return { plan, contents: new Map() };
}
