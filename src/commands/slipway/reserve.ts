// reserve: takes a version before there is anything to publish. Rule: the host decides who has it, and the same identity has it again.
import { ToolError } from '../../model/error.ts';
import { momentOf } from '../../model/parse.ts';
import { RESERVATION_TYPE } from '../../model/reservation.ts';
import { channelOf, tagOf, versionOfTag } from '../../model/tag.ts';
import { parseVersion, type Version } from '../../model/version.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { observeReservation } from '../../observe/published.ts';
import { observeSelf } from '../../observe/self.ts';
import { planReserve } from '../../plan/reserve.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, isPlanOnly, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type Context, isSet, refusePositionals, textFlag } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { chooseHost, HOST_FLAGS, PRODUCT_FLAGS, type ProductFile, readProductFile } from './product-file.ts';

export const reserve: Command = {
  name: 'reserve',
  summary: 'reserve a version',
  flags: {
    version: { type: 'string', value: 'V', help: 'the version' },
    tag: { type: 'string', value: 'TAG', help: 'the same, as a tag' },
    channel: { type: 'string', value: 'C', help: 'the channel it is for; checked against the version' },
    ...HOST_FLAGS,
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const file = await readProductFile(context);
    const { root, product } = file;
    const version = chooseVersion(context, file);
    const tag = tagOf(product.release.tag, version);
    const host = chooseHost(context, file);
    await endEarlier(root, context, 'reserve');
    const { commit } = await observeCheckout(root, context.world);
    const nonce = context.world.random(16).toString('hex');
    const by = await observeIdentity(root, context.world, isPlanOnly(context));
    const at = momentOf(context.world.now());
    const reservation = { type: RESERVATION_TYPE, product: product.product, version, tag, commit, by, nonce, at } as const;
    const planned = planReserve({ id: nonce, host, reservation }, await observeReservation(host, tag, context.world));
    const carried = await carryOut(planned, context, { root, operator: await observeSelf(context.file) });
    if (carried.outcome === 'planned') {
      const exit = isSet(context.flags, 'exit-code') && planned.plan.steps.length > 0 ? { exit: 4 } : {};
      return { fields: { version, tag, commit, plan: planToJson(planned.plan) }, text: planToText(planned.plan), ...exit };
    }
    if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
    throwUnlessDone(carried, { version, tag });
    const outcome = carried.outcome === 'nothing' ? 'already-yours' : 'reserved';
    return { fields: { version, tag, commit, outcome }, text: `${tag} is ${outcome === 'reserved' ? 'reserved' : 'yours already'}.\n` };
  },
};

function chooseVersion(context: Context, { product }: ProductFile): Version {
  const version = givenVersion(context, product.release.tag);
  const wanted = textFlag(context.flags, 'channel');
  const channel = channelOf(product.release.channels, version);
  if (channel !== undefined && (wanted === undefined || wanted === channel)) return version;
  throw new ToolError(
    'E_USAGE',
    wanted === undefined ? `no channel takes ${version}` : `${version} is not a version of the channel ${wanted}`,
    {
      hint: 'See `release.channels` in the product file.',
    },
  );
}

function givenVersion(context: Context, pattern: string): Version {
  const version = textFlag(context.flags, 'version');
  const tag = textFlag(context.flags, 'tag');
  if (version !== undefined && tag === undefined) return usableVersion(version);
  const ofTag = tag === undefined ? undefined : versionOfTag(pattern, tag);
  if (ofTag !== undefined && (version === undefined || version === ofTag)) return ofTag;
  const message = tag === undefined ? 'which version?' : `${tag} is not the tag of ${version ?? 'a version'} (${pattern})`;
  throw new ToolError('E_USAGE', message, { hint: 'Give --version V. Finding the next version by itself is not supported yet.' });
}

function usableVersion(text: string): Version {
  try {
    return parseVersion(text, '--version');
  } catch (cause) {
    throw new ToolError('E_USAGE', cause instanceof Error ? cause.message : '--version is not a version', {
      cause,
      hint: 'Write it as X.Y.Z.',
    });
  }
}
