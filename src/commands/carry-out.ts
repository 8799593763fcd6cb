// The one way from a plan to a changed world: show, confirm, lock, look again, apply. Rule: every command that changes something ends here.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Applied, applyPlan, reasonOf, recoverPlan, wasInterrupted } from '../apply/apply.ts';
import { copyDurably } from '../apply/durable.ts';
import { handlers } from '../apply/handlers.ts';
import { refuseHolder } from '../apply/holder.ts';
import { beginJournal, type Journal, openJournal, refuseOpenOperation } from '../apply/journal.ts';
import { type Lock, projectLockPath, takeLock } from '../apply/lock.ts';
import { siteOf } from '../apply/site.ts';
import { placeContents, removeIfEmpty } from '../apply/work.ts';
import { type Digest, hexOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { JOURNAL_TYPE, type JournalHead } from '../model/journal.ts';
import { lockPath, operatorsFolder, stateFolder } from '../model/layout.ts';
import { momentOf } from '../model/parse.ts';
import type { Plan, Planned } from '../model/plan.ts';
import type { World } from '../model/seams.ts';
import { findOperator } from '../observe/self.ts';
import { planToText } from '../show/plan.ts';
import { type Context, isPlanOnly, isSet } from './command.ts';
import { lockInstall } from './lock-install.ts';

export interface Carrying {
  readonly root: string;
  /** Looks again under the lock: the digest that the decisions rest on. */
  readonly recheck?: () => Promise<Digest>;
  /** The digest of the program that a recovery must run; this one's. */
  readonly operator: Digest;
  /** The file of this program, kept so that whoever finds the plan cut off can run it. Programs in one file only. */
  readonly program?: string;
  /** A lock held already; otherwise one is taken for this call. */
  readonly lock?: Lock;
  /** The compose project that must not be at work from another folder meanwhile. */
  readonly project?: string;
  /** What else tells a person before being asked, for example release notes. */
  readonly preface?: string;
}

export type Carried =
  | { readonly outcome: 'planned' | 'nothing'; readonly plan: Plan }
  | { readonly outcome: 'done' | 'undone' | 'failed'; readonly plan: Plan; readonly cause?: unknown };

/** Shows the plan; with `--plan` that is all. Otherwise asks, takes the lock, looks again and applies. A plan without steps is `nothing`. */
export async function carryOut(planned: Planned, context: Context, carrying: Carrying): Promise<Carried> {
  const { plan } = planned;
  if (isPlanOnly(context)) return { outcome: 'planned', plan };
  if (plan.steps.length === 0) return { outcome: 'nothing', plan };
  await confirm(`${carrying.preface ?? ''}${planToText(plan)}`, context);
  const lock = carrying.lock ?? (await lockInstall(carrying.root, plan.command, context.world));
  try {
    return await withProjectLock(carrying, plan.command, context, () => applyUnderLock(planned, context, carrying));
  } finally {
    if (carrying.lock === undefined) await lock.release();
    await removeIfEmpty(stateFolder(carrying.root));
  }
}

/** Two folders with one compose project would be at the same containers: the second lock is the project's, on this engine. */
async function withProjectLock<T>({ project, root }: Carrying, command: string, { world }: Context, work: () => Promise<T>): Promise<T> {
  if (project === undefined) return work();
  const path = await projectLockPath(project, world.env);
  const lock = await takeLock({ path, command: `${command} of the project ${project}`, folder: root }, world);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/**
 * Throws E_OPEN_OPERATION when an earlier command was cut off, and E_LOCKED when it is still at work. Reads only: it is asked without
 * the lock, too.
 */
export async function refuseOpenJournal(root: string, world: World): Promise<void> {
  try {
    await refuseOpenOperation(root);
  } catch (error) {
    await refuseHolder(lockPath(root), world);
    throw error;
  }
}

/** Ends the plan of an open journal; the caller holds the lock. */
export async function recoverOpen(journal: Journal, root: string, context: Context): Promise<Applied> {
  const { plan, operator } = journal.state.head;
  return recoverPlan({ journal, handlers, site: { ...siteOf(root, plan.id, context.world), operator } });
}

/** Turns what happened into the error the caller ends with; returns when the plan was carried out. */
export function throwUnlessDone(carried: Carried, details: Readonly<Record<string, unknown>> = {}): void {
  if (carried.outcome === 'undone') {
    const interrupted = wasInterrupted({ outcome: 'undone', cause: carried.cause });
    throw new ToolError(
      interrupted ? 'E_INTERRUPTED' : 'E_STEP_FAILED',
      `${carried.plan.command} ${interrupted ? 'was interrupted' : 'failed'}; everything is as before`,
      {
        cause: carried.cause,
        ...hintOf(carried.cause),
        details: { ...details, reason: reasonOf(carried.cause) },
      },
    );
  }
  if (carried.outcome === 'failed') {
    throw new ToolError(
      'E_UNHEALTHY',
      `${carried.plan.command}: past the point of no return something is not well; nothing was thrown away`,
      {
        cause: carried.cause,
        hint: 'Look at `status` and `logs`; `restore` goes back on purpose.',
        details: { ...details, reason: reasonOf(carried.cause) },
      },
    );
  }
}

/** Shows what would be done and asks. Throws E_NOT_CONFIRMED. */
export async function confirm(text: string, context: Context): Promise<void> {
  const { world, flags } = context;
  world.terminal.err(text);
  if (isSet(flags, 'yes') || world.env.SLIPWAY_YES === '1') return;
  if (!world.terminal.interactive) {
    throw new ToolError('E_NOT_CONFIRMED', 'there is no terminal to confirm the plan', {
      hint: 'Look at it with --plan, then give --yes.',
    });
  }
  const answer = await world.terminal.ask('Go on? [y/N] ');
  if (!/^y(es)?$/i.test(answer.trim())) throw new ToolError('E_NOT_CONFIRMED', 'not confirmed; nothing was changed');
}

/** Applies a plan that nobody needs to see first, such as writing down what happened. The caller holds the lock. */
export async function applyUnderLock(planned: Planned, context: Context, carrying: Carrying): Promise<Carried> {
  const { plan } = planned;
  const { root } = carrying;
  await refuseOpenJournal(root, context.world);
  await openJournal(root); // an ended plan that had no time to clear away does so now, before ours puts anything there
  if (carrying.recheck !== undefined && (await carrying.recheck()) !== plan.basedOn) {
    throw new ToolError('E_PLAN_STALE', 'something changed while the plan was looked at; nothing was done', {
      hint: 'Run the command again and look at the new plan.',
    });
  }
  if (carrying.program !== undefined) await keepProgram(root, carrying.program, carrying.operator);
  await placeContents(root, planned);
  const head: JournalHead = {
    type: JOURNAL_TYPE,
    id: plan.id,
    operation: plan.operation,
    command: plan.command,
    operator: carrying.operator,
    at: momentOf(context.world.now()),
    plan,
  };
  const journal = await beginJournal(root, head);
  const applied = await applyPlan({ journal, handlers, site: { ...siteOf(root, plan.id, context.world), operator: carrying.operator } });
  return { plan, ...applied };
}

async function keepProgram(root: string, program: string, digest: Digest): Promise<void> {
  if ((await findOperator(root, digest)) !== undefined) return;
  await mkdir(operatorsFolder(root), { recursive: true, mode: 0o700 });
  await copyDurably(program, join(operatorsFolder(root), hexOf(digest)), 0o600);
}

function hintOf(cause: unknown): { hint?: string } {
  return cause instanceof ToolError && cause.hint !== undefined ? { hint: cause.hint } : {};
}
