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
  /** One for each channel, in the same order. */
  readonly edits: readonly ChannelEdit[];
  readonly signing: Signing;
}

export interface EditFacts {
  readonly authority: HostAddress;
  readonly mirrors: readonly HostAddress[];
  /** The authority's channel files, verified. */
  readonly channels: readonly Channel[];
}

/** The plan; without steps when the channels say so already. Throws E_NOT_FOUND for a version that a channel does not have. */
export function planEdit({ id, command, edits, signing }: EditWanted, facts: EditFacts): Planned {
  const plan = {
    schema: 1,
    id,
    operation: id,
    command,
    basedOn: basisOf(edits),
    steps: edits.flatMap((edit, index) => stepsOf(edit, signing, { ...facts, channel: facts.channels[index] })),
    commitAfter: -1, // a signed file that installs may have read is not taken back
    notes: facts.channels.map(
      ({ channel, latest, sequence }) => `Channel ${channel}: latest is ${latest ?? 'nothing'}, sequence ${sequence}.`,
    ),
  } as const;
  return { plan, contents: new Map() };
}

function stepsOf(edit: ChannelEdit, signing: Signing, facts: EditFacts & { readonly channel: Channel | undefined }): Step[] {
  const { authority, mirrors, channel } = facts;
  if (edit.release !== null && channel !== undefined && isAlready(channel, edit.release)) return [];
  const fresh = `the channel ${edit.channel} stays fresh until ${edit.expires ?? 'for ever'}`;
  const why = edit.release === null ? fresh : `${whyOf(edit.release)} (${edit.channel})`;
  const copies = mirrors.map((host): Step => {
    return { kind: 'mirror-channel', why: `${host.name} shows the same ${edit.channel}`, from: authority, host, channel: edit.channel };
  });
  return [{ kind: 'edit-channel', why, host: authority, edit, signing }, ...copies];
}

/** The edits alone: what the files say by then is looked at when they are changed. */
function basisOf(edits: readonly ChannelEdit[]): Digest {
  return digestOf(canonicalJson(edits));
}

function whyOf({ version, status, reason, from }: NonNullable<ChannelEdit['release']>): string {
  const because = reason === null ? '' : `: ${reason}`;
  if (status === 'yanked') return `no install chooses ${version} any more${because}`;
  if (status === 'limited') return `${version} takes upgrades from ${from ?? 'fewer versions'} only${because}`;
  if (status === 'deprecated') return `${version} is marked as deprecated${because}`;
  return `${version} is like every other release again`;
}
