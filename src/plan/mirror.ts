// Decides what a mirror copies. Rule: only what is not there yet, and each layer once a registry; the plan says how much that is.
import { type Digest, digestOf } from '../model/digest.ts';
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
}

/** The plan; without steps when nothing is missing anywhere. */
export function planMirror({ id, command, images, present }: MirrorWanted): Planned {
  const bytes = sizeToText(bytesToSend(images));
  const step: Step = { kind: 'copy-images', why: `${images.length} images, at most ${bytes} to send`, images };
  const plan = {
    schema: 1,
    id,
    operation: id,
    command,
    basedOn: basisOf(images),
    steps: images.length === 0 ? [] : [step],
    commitAfter: -1, // an image that others may have pulled is not taken back; run again it goes on
    notes: present === 0 ? [] : [`${present} images are there already.`],
  } as const;
  return { plan, contents: new Map() };
}

function basisOf(images: readonly ImageToCopy[]): Digest {
  return digestOf(canonicalJson(images.map(({ manifests, destinations }) => ({ digest: manifests.at(-1)?.digest ?? null, destinations }))));
}
