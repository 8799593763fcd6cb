// What `release` and `channel` share: the product's channels as the authority has them, and changing one. Rule: verified before anything is believed or signed.
import { resolve } from 'node:path';
import type { Channel } from '../../model/channel.ts';
import type { ChannelEdit } from '../../model/channel-edit.ts';
import { ToolError } from '../../model/error.ts';
import { momentOf } from '../../model/parse.ts';
import type { Signing } from '../../model/plan.ts';
import { checkSecretKey, observePublishedChannel } from '../../observe/published.ts';
import { observeSelf } from '../../observe/self.ts';
import { planEdit } from '../../plan/edit-channel.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type CommandResult, type Context, type FlagTable, textFlag } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { chooseHosts, PRODUCT_FLAGS, type ProductFile } from './product-file.ts';

export const CHANNEL_FLAGS = {
  channel: { type: 'string', value: 'C', help: 'this channel alone' },
  key: { type: 'string', value: 'FILE', help: 'the secret key file (default: $SLIPWAY_SECRET_KEY)' },
  ...PRODUCT_FLAGS,
  ...CHANGING_FLAGS,
} as const satisfies FlagTable;

/** The channels in which something is published. */
export async function readChannels(context: Context, file: ProductFile): Promise<readonly Channel[]> {
  const { product, publicKey, channels } = { ...file.product.release, product: file.product.product };
  const { authority } = chooseHosts(context, file);
  const found: Channel[] = [];
  for (const channel of Object.keys(channels)) {
    const request = { host: authority, product, channel, publicKey: publicKey ?? null };
    const one = await observePublishedChannel(request, context.world);
    if (one !== undefined) found.push(one);
  }
  return found;
}

export interface WantedEdit {
  readonly command: string;
  /** At least one. */
  readonly channels: readonly Channel[];
  readonly release: ChannelEdit['release'];
}

/** Changes the authority's channel files, and gives its mirrors the same. */
export async function carryOutEdit(context: Context, file: ProductFile, wanted: WantedEdit): Promise<CommandResult> {
  const { root } = file;
  const { command, channels, release } = wanted;
  await endEarlier(root, context, command);
  const { authority, targets } = chooseHosts(context, file);
  const signing = signingOf(context, file);
  await checkSecretKey(signing, context.world.env);
  const edits = channels.map(({ channel }) => editOf(channel, { ...file, now: context.world.now() }, release));
  const mirrors = targets.filter(({ name }) => name !== authority.name);
  const planned = planEdit({ id: context.world.random(16).toString('hex'), command, edits, signing }, { authority, mirrors, channels });
  const carried = await carryOut(planned, context, { root, operator: await observeSelf(context.file) });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(planned.plan) }, text: planToText(planned.plan) };
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried);
  const outcome = carried.outcome === 'nothing' ? 'unchanged' : 'changed';
  const names = channels.map(({ channel }) => channel);
  const what = release === null ? { expires: edits[0]?.expires ?? null } : release;
  const done = planned.plan.steps.filter(({ kind }) => kind === 'edit-channel').map(({ why }) => `${why}.\n`);
  return {
    fields: { channel: names[0], channels: names, ...what, outcome },
    text: outcome === 'unchanged' ? 'It says so already.\n' : done.join(''),
  };
}

function editOf(channel: string, { product, now }: ProductFile & { readonly now: Date }, release: ChannelEdit['release']): ChannelEdit {
  const { expires, channels } = product.release;
  return {
    ...{ product: product.product, channel, release },
    prereleases: channels[channel]?.prerelease !== undefined,
    issued: momentOf(now),
    expires: expires === null ? null : momentOf(new Date(now.getTime() + expires * 1000)),
  };
}

function signingOf(context: Context, { product }: ProductFile): Signing {
  const key = textFlag(context.flags, 'key');
  return { publicKey: product.release.publicKey ?? null, keyFile: key === undefined ? null : resolve(key) };
}
