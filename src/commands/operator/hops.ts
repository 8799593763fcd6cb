// An upgrade by way of several releases. Rule: all is fetched, asked and shown before the first hop; each hop is a plan and a journal of its own, and one that fails leaves the
// release before it.

import { join } from 'node:path';
import { reasonOf, wasInterrupted } from '../../apply/apply.ts';
import type { Lock } from '../../apply/lock.ts';
import type { ChannelRelease } from '../../model/channel.ts';
import { parseChoices, refuseIdleChoices } from '../../model/conflict-choice.ts';
import { isToolError, ToolError } from '../../model/error.ts';
import { cacheFolder } from '../../model/layout.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { FetchedChannel } from '../../observe/channel.ts';
import { layOutInstall } from '../../observe/foreseen.ts';
import { observeInstall } from '../../observe/install.ts';
import { inScratch } from '../../observe/scratch.ts';
import { foresee, isSameCourse } from '../../plan/foresee.ts';
import { type HopView, hopsToJson, hopsToText } from '../../show/plan.ts';
import { applyUnderLock, confirm } from '../carry-out.ts';
import { type CommandResult, type Context, isPlanOnly, isSet, textFlags } from '../command.ts';
import { watchDowntime } from './downtime.ts';
import { holdVersion } from './hold.ts';
import { type Hop, prepareHop } from './hop.ts';
import { type ForeseenInstall, fetchBundle, type HopPart } from './hop-release.ts';
import type { Looking } from './looking.ts';
import { revealSecrets } from './reveal.ts';

export interface HopsWish {
  readonly root: string;
  readonly fetched: FetchedChannel;
  /** At least two, the wanted one last. */
  readonly path: readonly ChannelRelease[];
  /** Undefined where the plan is only shown. */
  readonly lock: Lock | undefined;
  /** What stands before the first hop. */
  readonly looking: Looking | undefined;
}

/** Shows all hops, asks once, and takes them one after the other. Throws what a single hop throws before anything has changed, else with what was done. */
export async function takeHops(context: Context, wish: HopsWish): Promise<CommandResult> {
  const way = await inScratch((scratch) => seeWay(context, wish, scratch));
  const fields = { from: way.hops[0]?.from, to: wish.path.at(-1)?.version, path: wish.path.map(({ version }) => version) };
  if (isPlanOnly(context)) {
    const exit = isSet(context.flags, 'exit-code') ? { exit: 4 } : {};
    return { fields: { ...fields, plan: hopsToJson(way.hops.map(viewOf)) }, text: hopsToText(way.hops.map(viewOf)), ...exit };
  }
  await confirm(hopsToText(way.hops.map(viewOf)), context);
  const { done, downtimeMs } = await goWay(context, wish, way);
  return {
    fields: { ...fields, done, outcome: 'upgraded', downtimeMs },
    text: `upgraded from ${fields.from} to ${fields.to} by way of ${done.slice(0, -1).join(', ')}${downtimeMs > 0 ? `; the door was shut for ${(downtimeMs / 1000).toFixed(1)} s` : ''}\n`,
  };
}

/** All hops before the first one: that one as it will be carried out, the others as they are foreseen. */
interface Way {
  readonly hops: readonly Hop[];
  readonly parts: readonly HopPart[];
  /** What the person said for each of them. */
  readonly said: ReadonlyMap<string, string>;
}

async function seeWay(context: Context, { root, fetched, path, looking }: HopsWish, scratch: string): Promise<Way> {
  const parts = partsOf(context, await fetchAll(context, { root, fetched, path }));
  const said = new Map<string, string>();
  const hops: Hop[] = [];
  let foreseen: ForeseenInstall | undefined;
  for (const [index, release] of path.entries()) {
    const asking = answering(context, said, index === path.length - 1);
    const hop = await prepareHop(asking, {
      root,
      fetched,
      release,
      part: partAt(parts, index),
      ...(foreseen ? { foreseen } : { looking }),
    });
    hops.push(hop);
    for (const [name, value] of hop.said) said.set(name, value);
    const place = join(scratch, hop.to);
    await layOutInstall(hop.planned, foreseen?.place ?? root, place);
    foreseen = { place, ...foresee(hop.planned.plan, hop.facts, hop.target) };
  }
  const disputed = hops.flatMap((hop) => hop.disputed);
  refuseIdleChoices(parseChoices(textFlags(context.flags, 'on-conflict')), disputed);
  return { hops, parts, said };
}

/** Every release of the path, verified and in the cache: no hop needs a host. */
async function fetchAll(
  { world }: Context,
  { root, fetched, path }: Pick<HopsWish, 'root' | 'fetched' | 'path'>,
): Promise<readonly Manifest[]> {
  const { record } = await observeInstall(root);
  const manifests: Manifest[] = [];
  for (const [index, release] of path.entries()) {
    world.report({ type: 'phase', text: `Fetching ${release.version} (${index + 1} of ${path.length})` });
    const { manifest } = await fetchBundle(world, { fetched, release }, { product: record.product, cache: cacheFolder(root) });
    manifests.push(manifest);
  }
  return manifests;
}

function partsOf({ world }: Context, manifests: readonly Manifest[]): readonly HopPart[] {
  const operation = `upgrade-${world.random(8).toString('hex')}`;
  const namesOf = ({ env, features }: Manifest): string[] => [...Object.keys(env), ...Object.keys(features)];
  const elsewhere = new Set(manifests.flatMap(namesOf));
  return manifests.map((_, index) => ({
    operation,
    number: index + 1,
    onward: manifests.slice(index + 1).map(({ version }) => version),
    later: index === 0 ? manifests.slice(1) : [],
    elsewhere,
  }));
}

function partAt(parts: readonly HopPart[], index: number): HopPart {
  const part = parts[index];
  if (part === undefined) throw new Error(`there is no hop ${index}`);
  return part;
}

/** With what the person said before; answers are written into a file once, when all are there. */
function answering(context: Context, said: ReadonlyMap<string, string>, isLast: boolean): Context {
  const { 'save-answers': file, ...flags } = context.flags;
  const set = [...textFlags(flags, 'set'), ...[...said].map(([name, value]) => `${name}=${value}`)];
  return { ...context, flags: { ...flags, set, ...(isLast && file !== undefined ? { 'save-answers': file } : {}) } };
}

interface Gone {
  readonly done: readonly string[];
  readonly downtimeMs: number;
}

async function goWay(context: Context, wish: HopsWish, { hops, parts, said }: Way): Promise<Gone> {
  const done: string[] = [];
  let downtimeMs = 0;
  for (const [index, shown] of hops.entries()) {
    const { from, to } = shown;
    context.world.report({ type: 'phase', text: `Hop ${index + 1} of ${hops.length}: ${from} → ${to}` });
    const standing = { ...wish, from, to, done, first: hops[0]?.from ?? from };
    const hop = index === 0 ? shown : await prepareNext(answering(context, said, false), standing, { shown, part: partAt(parts, index) });
    const downtime = watchDowntime(hop.planned.plan, hop.world);
    const carried = await applyUnderLock(
      hop.planned,
      { ...context, world: downtime.world },
      { root: wish.root, operator: hop.operator, program: context.file, recheck: hop.recheck },
    );
    downtimeMs += downtime.total();
    if (carried.outcome === 'done' || carried.outcome === 'failed') done.push(to);
    if (carried.outcome === 'undone') await endBack(context, standing, { operation: hop.planned.plan.operation, cause: carried.cause });
    if (carried.outcome === 'failed') throw notWell(standing, carried.cause);
    revealSecrets(context, hop.variables, hop.generated);
  }
  return { done, downtimeMs };
}

interface Standing extends HopsWish {
  /** What was installed at the beginning. */
  readonly first: string;
  /** The hop at hand. */
  readonly from: string;
  readonly to: string;
  readonly done: readonly string[];
}

interface NextHop {
  readonly shown: Hop;
  readonly part: HopPart;
}

/** The hop as it is by now. What stands in its way ends the upgrade at the release that is installed. */
async function prepareNext(context: Context, standing: Standing, { shown, part }: NextHop): Promise<Hop> {
  try {
    const release = standing.path[part.number - 1];
    if (release === undefined) throw new Error(`there is no hop ${part.number}`);
    const hop = await prepareHop(context, { ...standing, release, part, looking: undefined });
    if (isSameCourse(shown.planned.plan, hop.planned.plan)) return hop;
    throw new ToolError('E_PLAN_STALE', 'it would do something else than was shown', {
      hint: 'Run `upgrade` again and look at the new plan.',
    });
  } catch (cause) {
    if (!(cause instanceof ToolError) || isToolError(cause, 'E_INTERRUPTED')) throw cause;
    throw ended(standing, { cause, code: 'E_STEP_FAILED', message: `the hop to ${standing.to} was not begun`, outcome: 'stopped' });
  }
}

/** After the way back the version is held, as after a single hop. */
async function endBack(
  context: Context,
  standing: Standing,
  { operation, cause }: { readonly operation: string; readonly cause: unknown },
): Promise<never> {
  const { root, from, to } = standing;
  const isInterrupted = wasInterrupted({ outcome: 'undone', cause });
  if (!isInterrupted) await holdVersion(context, { root, version: to, from, operation });
  const message = isInterrupted ? `the hop to ${to} was interrupted and undone` : `the hop to ${to} failed and was undone`;
  throw ended(standing, { cause, code: isInterrupted ? 'E_INTERRUPTED' : 'E_STEP_FAILED', message, outcome: 'rolled-back' });
}

function notWell(standing: Standing, cause: unknown): ToolError {
  const message = `${standing.to} is past its point of no return and something is not well; nothing was thrown away`;
  return ended({ ...standing, from: standing.to }, { cause, code: 'E_UNHEALTHY', message, outcome: 'upgraded' });
}

interface Ending {
  readonly cause: unknown;
  readonly code: 'E_STEP_FAILED' | 'E_INTERRUPTED' | 'E_UNHEALTHY';
  readonly message: string;
  readonly outcome: 'stopped' | 'rolled-back' | 'upgraded';
}

/** The upgrade ends at a release on the way: which one, and how to go on. */
function ended({ first, from, path, done }: Standing, { cause, code, message, outcome }: Ending): ToolError {
  const hint = cause instanceof ToolError && cause.hint !== undefined ? `${cause.hint} ` : '';
  const fields = { from: first, to: path.at(-1)?.version, path: path.map(({ version }) => version), done, version: from, outcome };
  return new ToolError(code, `${message}; ${from} is installed`, {
    cause,
    hint: `${hint}\`upgrade\` goes on from ${from}.`,
    details: { ...fields, reason: reasonOf(cause) },
  });
}

function viewOf({ from, to, planned }: Hop): HopView {
  return { from, to, plan: planned.plan };
}
