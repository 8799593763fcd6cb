// upgrade: to a newer release, by way of every stop, or back by itself. Rule: the target's own operator does it, under one lock, and nothing of the person's is lost.

import type { Applied } from '../../apply/apply.ts';
import type { Lock } from '../../apply/lock.ts';
import type { ChannelRelease } from '../../model/channel.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallRecord } from '../../model/install.ts';
import { cacheFolder } from '../../model/layout.ts';
import { parseVersion } from '../../model/version.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { observeInstall } from '../../observe/install.ts';
import { observeChannel } from '../../observe/remote.ts';
import { findImagesPath } from '../../plan/choose-images.ts';
import { findPath } from '../../plan/path.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, isPlanOnly, isSet, textFlag } from '../command.ts';
import { lockInstall } from '../lock-install.ts';
import { ANSWER_FLAGS } from './answers.ts';
import { changeImages, namedServices } from './change-images.ts';
import { watchDowntime } from './downtime.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { handOver } from './hand-over.ts';
import { holdVersion } from './hold.ts';
import { type Hop, prepareHop } from './hop.ts';
import { takeHops } from './hops.ts';
import { changeRuntime } from './launching.ts';
import { type Looking, lookAround } from './looking.ts';
import { LOGIN_FLAGS } from './registry-login.ts';
import { revealSecrets } from './reveal.ts';
import { refuseImagesOnly, refuseStops } from './source-install.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...ANSWER_FLAGS,
  ...LOGIN_FLAGS,
  ...CHANGING_FLAGS,
  to: { type: 'string', value: 'VERSION', help: 'this release instead of the latest' },
  channel: { type: 'string', value: 'NAME', help: 'look in this channel' },
  'images-only': { type: 'boolean', help: 'only the images of the services that are named, or of all' },
  'no-start': { type: 'boolean', help: 'change the files, and touch no container' },
  'on-conflict': {
    type: 'string',
    value: '[PATH=]C',
    multiple: true,
    help: 'what you and the release both changed: mine, vendor, or for one file PATH=FILE that you merged',
  },
  'use-registry': { type: 'boolean', help: 'a git checkout: the images of the registry, instead of building them' },
  'accept-expired': { type: 'boolean', help: 'take a channel file that has expired' },
} as const satisfies FlagTable;

export const upgrade: Command = {
  name: 'upgrade',
  summary: 'Goes to a newer release; what fails before its door opens is undone by itself.',
  usage: '[--images-only [SERVICE…]]',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  const services = namedServices(context);
  const root = findInstall(context);
  await refuseOpenJournal(root, context.world);
  if (isPlanOnly(context)) return upgradeUnderLock(context, { root, services, lock: undefined });
  const lock = await lockInstall(root, 'upgrade', context.world, { handedOver: true });
  try {
    return await upgradeUnderLock(context, { root, services, lock });
  } finally {
    await lock.release();
  }
}

interface Wish {
  readonly root: string;
  /** With `--images-only`: those that are named, none for all. Undefined = the whole release. */
  readonly services: readonly string[] | undefined;
  readonly lock: Lock | undefined;
}

async function upgradeUnderLock(context: Context, wish: Wish): Promise<CommandResult> {
  const { world, flags } = context;
  const { root, services } = wish;
  const install = await observeInstall(root);
  const { record } = install;
  if (services !== undefined) await refuseImagesOnly(root, record);
  world.report({ type: 'phase', text: `Looking for a newer release of ${record.product} (${record.version} is installed)` });
  const fetching = observeChannel(world, {
    locations: record.hosts,
    product: record.product,
    channel: textFlag(flags, 'channel') ?? record.channel,
    trust: record.trust,
    acceptExpired: isSet(flags, 'accept-expired'),
  });
  const looking = services === undefined && !isSet(flags, 'no-start') ? lookAround(world, install) : undefined;
  try {
    return await takeNewest(context, { ...wish, record, fetched: await fetching, looking });
  } finally {
    looking?.end();
  }
}

interface NewestWish extends Wish {
  readonly record: InstallRecord;
  readonly fetched: FetchedChannel;
  readonly looking: Looking | undefined;
}

async function takeNewest(context: Context, { root, services, lock, record, fetched, looking }: NewestWish): Promise<CommandResult> {
  const to = textFlag(context.flags, 'to');
  const wish = { from: parseVersion(record.version), held: record.held, ...(to === undefined ? {} : { to }) };
  const path = services === undefined ? findPath(fetched.channel, wish) : findImagesPath(fetched.channel, record, to);
  await refuseStops(root, record, path);
  const release = path.at(-1);
  if (release === undefined) return upToDate(record.version);
  const node = await changeRuntime(context, { fetched, release, cache: cacheFolder(root) });
  const handed = await handOver(context, {
    root,
    source: fetched.source,
    release,
    argv: process.argv.slice(2),
    node,
    ...(lock === undefined ? {} : { nonce: lock.record.nonce }),
  });
  if (handed !== undefined) return handed;
  if (services !== undefined) return changeImages(context, { root, fetched, release, named: services, lock });
  if (path.length > 1) return takeHops(context, { root, fetched, path, lock, looking });
  return takeHop(context, { root, fetched, release, lock, looking });
}

interface HopWish extends Pick<NewestWish, 'root' | 'fetched' | 'lock' | 'looking'> {
  readonly release: ChannelRelease;
}

async function takeHop(context: Context, { root, fetched, release, lock, looking }: HopWish): Promise<CommandResult> {
  const hop = await prepareHop(context, { root, fetched, release, looking });
  const downtime = watchDowntime(hop.planned.plan, hop.world);
  const carried = await carryOut(
    hop.planned,
    { ...context, world: downtime.world },
    { root, operator: hop.operator, program: context.file, recheck: hop.recheck, ...(lock === undefined ? {} : { lock }) },
  );
  if (carried.outcome === 'planned') {
    return {
      fields: { ...fieldsOf(hop), plan: planToJson(carried.plan) },
      text: planToText(carried.plan),
      ...(isSet(context.flags, 'exit-code') ? { exit: 4 } : {}),
    };
  }
  const downtimeMs = downtime.total();
  if (carried.outcome === 'done') revealSecrets(context, hop.variables, hop.generated);
  if (carried.outcome === 'undone') await endBack(context, hop, carried);
  throwUnlessDone(carried, { ...fieldsOf(hop), ...(carried.outcome === 'failed' ? { outcome: 'upgraded' } : {}) });
  return {
    fields: { ...fieldsOf(hop), outcome: 'upgraded', downtimeMs },
    text: `upgraded from ${hop.from} to ${hop.to}${downtimeMs > 0 ? `; the door was shut for ${(downtimeMs / 1000).toFixed(1)} s` : ''}\n`,
  };
}

/** After the way back the version is held: only `--to` takes it again. A person's Ctrl-C holds nothing. */
async function endBack(context: Context, hop: Hop, carried: Carried): Promise<never> {
  const cause = 'cause' in carried ? carried.cause : undefined;
  const applied: Applied = { outcome: 'undone', cause };
  const interrupted = cause instanceof ToolError && cause.code === 'E_INTERRUPTED';
  if (!interrupted) await holdVersion(context, { root: hop.root, version: hop.to, from: hop.from, operation: hop.planned.plan.operation });
  throwUnlessDone({ plan: hop.planned.plan, ...applied, outcome: 'undone' }, { ...fieldsOf(hop), outcome: 'rolled-back' });
  throw new ToolError('E_STEP_FAILED', 'the upgrade was undone');
}

function fieldsOf(hop: Hop): Record<string, unknown> {
  return { from: hop.from, to: hop.to, path: [hop.to] };
}

function upToDate(version: string): CommandResult {
  return {
    fields: { from: version, to: version, path: [], outcome: 'up-to-date', downtimeMs: 0 },
    text: `${version} is the latest release\n`,
  };
}
