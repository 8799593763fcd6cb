// Decides what a mirror copies. Rule: only what is not there yet, and each layer once a registry; the plan says how much that is.
import { type Digest, digestOf } from '../model/digest.ts';
import { printImageRef } from '../model/image.ts';
import { bytesToSend, type ImageToCopy } from '../model/image-copy.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step } from '../model/plan.ts';
import { sizeToText } from '../model/units.ts';

export interface MirrorWanted {
  readonly id: string;
  readonly command: string;
  readonly images: readonly ImageToCopy[];
  /** How many images are everywhere they should be. */
  readonly present: number;
  /** What a person must know. */
  readonly notes: readonly string[];
}

/** The plan; without steps when nothing is missing anywhere. */
export function planMirror({ id, command, images, present, notes }: MirrorWanted): Planned {
  const bytes = sizeToText(bytesToSend(images));
  const step: Step = { kind: 'copy-images', why: `${namesOf(images).size} images, at most ${bytes} to send`, images };
  const plan = {
    schema: 1,
    id,
    operation: id,
    command,
    basedOn: basisOf(images),
    steps: images.length === 0 ? [] : [step],
    commitAfter: -1, // an image that others may have pulled is not taken back; run again it goes on
    notes: [...(present === 0 ? [] : [`${present} images are there already.`]), ...notes],
  } as const;
  return { plan, contents: new Map() };
}

function basisOf(images: readonly ImageToCopy[]): Digest {
  const parts = images.map(({ manifests, attached = [], destinations }) => ({
    digest: manifests.at(-1)?.digest ?? null,
    attached: attached.map((each) => each.manifests.at(-1)?.digest ?? null),
    destinations,
  }));
  return digestOf(canonicalJson(parts));
}

/** An image stands there once for each place with a need of its own. */
function namesOf(images: readonly ImageToCopy[]): ReadonlySet<string> {
  return new Set(images.map(({ source }) => printImageRef(source)));
}
