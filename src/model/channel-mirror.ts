// A channel file as a mirror takes it over. Rule: the authority's exact bytes, and never an older one in place of a newer one.
import { parseChannel, parseSignedChannel } from './channel.ts';
import { ToolError } from './error.ts';
import type { NextChannel } from './host.ts';

/**
 * The authority's file for a mirror that has `current`, or undefined when the mirror has it, or a newer one. Throws E_WRONG_PRODUCT for another
 * product's or channel's file, and E_EQUIVOCATION when both have the sequence with different contents.
 */
export function nextMirrorFile(current: string | undefined, text: string, channel: string): NextChannel | undefined {
  const ours = payloadOf(text, `channel ${channel} of the authority`);
  const next = { sequence: ours.sequence, text };
  if (current === undefined) return next;
  const theirs = payloadOf(current, `channel ${channel} of the mirror`);
  if (theirs.product !== ours.product || theirs.channel !== ours.channel) {
    throw new ToolError(
      'E_WRONG_PRODUCT',
      `the mirror's channel file is ${theirs.product} ${theirs.channel}, not ${ours.product} ${channel}`,
      {
        hint: 'Publish each product to a host of its own.',
      },
    );
  }
  if (theirs.sequence > ours.sequence) return undefined;
  if (theirs.sequence < ours.sequence) return next;
  if (theirs.payload === ours.payload) return undefined;
  throw new ToolError('E_EQUIVOCATION', `the mirror has another channel file ${channel} with the sequence ${ours.sequence}`, {
    hint: 'Somebody published to the mirror past the authority. Remove that file from the mirror, then publish again.',
  });
}

function payloadOf(
  text: string,
  where: string,
): { readonly product: string; readonly channel: string; readonly sequence: number; readonly payload: string } {
  const { payload } = parseSignedChannel(text, where);
  const { product, channel, sequence } = parseChannel(payload, where);
  return { product, channel, sequence, payload };
}
