// Decides how published releases are yanked, deprecated, limited, or their channel made fresh. Rule: the authority's file first, its mirrors after it; no asset is touched.
import type { Channel } from '../model/channel.ts';
import { type ChannelEdit, isAlready } from '../model/channel-edit.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import type { HostAddress } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Signing, Step } from '../model/plan.ts';

export interface EditWanted {
  readonly id: string;
  readonly command: string;
  readonly edit: ChannelEdit;
  readonly signing: Signing;
}

export interface EditFacts {
  readonly authority: HostAddress;
  readonly mirrors: readonly HostAddress[];
  /** The authority's channel file, verified. */
  readonly channel: Channel;
}

/** The plan; without steps when the channel says so already. Throws E_NOT_FOUND for a version that the channel does not have. */
export function planEdit({ id, command, edit, signing }: EditWanted, { authority, mirrors, channel }: EditFacts): Planned {
  const isDone = edit.release !== null && isAlready(channel, edit.release);
  const why =
    edit.release === null ? `the channel ${channel.channel} stays fresh until ${edit.expires ?? 'for ever'}` : whyOf(edit.release);
  const change: Step = { kind: 'edit-channel', why, host: authority, edit, signing };
  const copies = mirrors.map((host): Step => {
    return {
      kind: 'mirror-channel',
      why: `${host.name} shows the same ${channel.channel}`,
      from: authority,
      host,
      channel: channel.channel,
    };
  });
  const plan = {
    schema: 1,
    id,
    operation: id,
    command,
    basedOn: basisOf(edit),
    steps: isDone ? [] : [change, ...copies],
    commitAfter: -1, // a signed file that installs may have read is not taken back
    notes: [`Channel ${channel.channel}: latest is ${channel.latest ?? 'nothing'}, sequence ${channel.sequence}.`],
  } as const;
  return { plan, contents: new Map() };
}

/** The edit alone: what the file says by then is looked at when it is changed. */
function basisOf(edit: ChannelEdit): Digest {
  return digestOf(canonicalJson(edit));
}

function whyOf({ version, status, reason, from }: NonNullable<ChannelEdit['release']>): string {
  const because = reason === null ? '' : `: ${reason}`;
  if (status === 'yanked') return `no install chooses ${version} any more${because}`;
  if (status === 'limited') return `${version} takes upgrades from ${from ?? 'fewer versions'} only${because}`;
  if (status === 'deprecated') return `${version} is marked as deprecated${because}`;
  return `${version} is like every other release again`;
}
