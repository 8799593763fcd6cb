// What makes two releases the same, and the refusals when they are not. Rule: a published version never changes; its manifest digest tells.
import type { ChannelAsset } from './channel.ts';
import type { Digest } from './digest.ts';
import { ToolError } from './error.ts';
import type { Reservation } from './reservation.ts';

/** How a set of assets differs from the wanted one, one line each; empty when it holds exactly these names, sizes and digests. */
export function assetDifferences(found: readonly ChannelAsset[], wanted: readonly ChannelAsset[]): readonly string[] {
  const extra = found.filter(({ name }) => !wanted.some((asset) => asset.name === name));
  const differing = wanted.flatMap((asset) => {
    const other = found.find(({ name }) => name === asset.name);
    if (other === undefined) return [`${asset.name} is missing`];
    return other.size === asset.size && other.sha256 === asset.sha256 ? [] : [`${asset.name} has other content`];
  });
  return [...differing, ...extra.map(({ name }) => `${name} does not belong to it`)];
}

/** The refusal to publish other content under a published tag. */
export function publishedDiffers(tag: string, published: Digest | undefined, ours: Digest | undefined): ToolError {
  return new ToolError('E_PUBLISHED_DIFFERS', `${tag} is published already, with other content`, {
    hint: 'A published version never changes. Give these changes the next version, and publish that.',
    details: { tag, published: published ?? null, ours: ours ?? null },
  });
}

/** The refusal to publish where the tag is gone: a forge would make it anew, on whatever its main branch is. */
export function tagGone(host: string, tag: string): ToolError {
  return new ToolError('E_PLAN_STALE', `${host}: the tag ${tag} is gone, for whoever had reserved it gave it free`, {
    hint: 'Run the same command again: it reserves the tag first.',
    details: { tag },
  });
}

/** The refusal to use a tag that somebody else holds. */
export function reservedElsewhere(wanted: Reservation, found: Reservation): ToolError {
  const forCommit = found.commit === null || found.commit === wanted.commit ? '' : ` for the commit ${found.commit}`;
  const other = `as ${found.product} ${found.version}${forCommit} by ${found.by} since ${found.at}`;
  return new ToolError('E_RESERVED_ELSEWHERE', `${wanted.tag} is reserved ${other}`, {
    hint: 'Take the next version, or let the one that holds it publish; nothing was changed.',
    details: { tag: wanted.tag, version: wanted.version, by: found.by, commit: found.commit },
  });
}
