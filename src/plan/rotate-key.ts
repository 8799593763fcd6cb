// Decides how the signing key of a product is changed. Rule: host by host, the statement and at once the channel files by the new key: who follows the one accepts no other.
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
  /** The statement, then its signature: what a cut leaves alone can still be signed, by whoever runs this again. */
  readonly texts: readonly TextToPut[];
  /** The new key; `former` = the old one. */
  readonly signing: Signing;
}

export interface RotationFacts {
  readonly authority: HostAddress;
  readonly mirrors: readonly MirrorFacts[];
  /** True when the authority has the statement already. */
  readonly informed: boolean;
  /** The channels that the old key still signs there. */
  readonly edits: readonly ChannelEdit[];
}

export interface MirrorFacts {
  readonly host: HostAddress;
  readonly informed: boolean;
  /** The names of the channels that the old key still signs there. */
  readonly behind: readonly string[];
}

/** The plan; without steps when every host has the statement and every channel is signed by the new key. */
export function planRotation({ id, from, to, texts, signing }: RotationWanted, facts: RotationFacts): Planned {
  const { authority, mirrors, informed, edits } = facts;
  const inform = (host: HostAddress): Step => {
    return { kind: 'put-texts', why: `installs that ask ${host.name} learn that ${to} follows ${from}`, host, texts };
  };
  const sign = edits.map((edit): Step => {
    return { kind: 'edit-channel', why: `${edit.channel} is signed by ${to}`, host: authority, edit, signing };
  });
  const follow = mirrors.flatMap(({ host, informed: knows, behind }) => [
    ...(knows ? [] : [inform(host)]),
    ...behind.map((channel): Step => {
      return { kind: 'mirror-channel', why: `${host.name} shows the same ${channel}`, from: authority, host, channel };
    }),
  ]);
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'keys rotate',
    basedOn: basisOf(texts),
    steps: [...(informed ? [] : [inform(authority)]), ...sign, ...follow],
    commitAfter: -1, // what installs may have read is not taken back
    notes: ['This cannot be taken back: installs that have read the statement trust the new key alone.'],
  } as const;
  return { plan, contents: new Map() };
}

function basisOf(texts: readonly TextToPut[]): Digest {
  return digestOf(canonicalJson(texts));
}
