// Decides how the signing key of a product is changed. Rule: the statement first, and at once the channel files by the new key: who follows the one accepts no other.
import type { ChannelEdit } from '../model/channel-edit.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import type { HostAddress } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Signing, Step, TextToPut } from '../model/plan.ts';

export interface RotationWanted {
  readonly id: string;
  /** The ids of both keys. */
  readonly from: string;
  readonly to: string;
  /** The statement, then its signature. */
  readonly texts: readonly TextToPut[];
  /** The new key; `former` = the old one. */
  readonly signing: Signing;
}

export interface RotationFacts {
  readonly authority: HostAddress;
  readonly mirrors: readonly HostAddress[];
  /** The hosts that have the statement already, by name. */
  readonly informed: readonly string[];
  /** The channels that the old key still signs. */
  readonly edits: readonly ChannelEdit[];
}

/** The plan; without steps when every host has the statement and every channel is signed by the new key. */
export function planRotation({ id, from, to, texts, signing }: RotationWanted, facts: RotationFacts): Planned {
  const { authority, mirrors, informed, edits } = facts;
  const uninformed = [authority, ...mirrors].filter(({ name }) => !informed.includes(name));
  const put = uninformed.map(
    (host): Step => ({ kind: 'put-texts', why: `installs that ask ${host.name} learn that ${to} follows ${from}`, host, texts }),
  );
  const sign = edits.flatMap((edit): Step[] => [
    { kind: 'edit-channel', why: `${edit.channel} is signed by ${to}`, host: authority, edit, signing },
    ...mirrors.map((host): Step => {
      return { kind: 'mirror-channel', why: `${host.name} shows the same ${edit.channel}`, from: authority, host, channel: edit.channel };
    }),
  ]);
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'keys rotate',
    basedOn: basisOf(texts),
    steps: [...put, ...sign],
    commitAfter: -1, // what installs may have read is not taken back
    notes: ['This cannot be taken back: installs that have read the statement trust the new key alone.'],
  } as const;
  return { plan, contents: new Map() };
}

function basisOf(texts: readonly TextToPut[]): Digest {
  return digestOf(canonicalJson(texts));
}
