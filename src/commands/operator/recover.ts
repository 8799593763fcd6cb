// recover: ends an operation that was cut off. Rule: run by the very program that made the plan; before the point of no return it goes back, after it forward.
import { reasonOf } from '../../apply/apply.ts';
import { openJournal } from '../../apply/journal.ts';
import type { Lock } from '../../apply/lock.ts';
import { ToolError } from '../../model/error.ts';
import type { Plan } from '../../model/plan.ts';
import { readRecord } from '../../observe/install.ts';
import { observeOwnServiceOf } from '../../observe/own-service.ts';
import { observeSelf } from '../../observe/self.ts';
import { refuseRecovery, stoppedBy } from '../../plan/own-service.ts';
import { planToText } from '../../show/plan.ts';
import { recoverOpen } from '../carry-out.ts';
import { type Command, type CommandResult, type Context, type FlagTable, isSet, refusePositionals } from '../command.ts';
import { lockInstall } from '../lock-install.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { runKeptOperator } from './hand-over.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  plan: { type: 'boolean', help: 'show what is open, and stop' },
  yes: { type: 'boolean', help: 'for scripts; recovering never asks' },
} as const satisfies FlagTable;

export const recover: Command = {
  name: 'recover',
  summary: 'Ends an operation that was cut off, at exactly the old or exactly the new state.',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const root = findInstall(context);
  const lock = await lockInstall(root, 'recover', context.world, { handedOver: true });
  try {
    return await recoverUnderLock(context, root, lock);
  } finally {
    await lock.release();
  }
}

async function recoverUnderLock(context: Context, root: string, lock: Lock): Promise<CommandResult> {
  const journal = await openJournal(root);
  if (journal === undefined) return nothingOpen(root);
  const { head, door } = journal.state;
  context.world.report({
    type: 'phase',
    text: `An ${head.command} of ${head.at} was cut off; it will ${door ? 'be finished' : 'be undone'}`,
  });
  if (isSet(context.flags, 'plan'))
    return { fields: { plan: { command: head.command, steps: head.plan.steps, notes: head.plan.notes } }, text: planToText(head.plan) };
  if (head.operator !== (await observeSelf(context.file))) {
    return runKeptOperator(context, root, head.operator, { argv: process.argv.slice(2), nonce: lock.record.nonce });
  }
  await refuseOwnEnd(context, root, head.plan);
  const applied = await recoverOpen(journal, root, context);
  if (applied.outcome === 'failed') throw notWell(applied.cause);
  const version = (await readRecord(root))?.version ?? null;
  const outcome = applied.outcome === 'done' ? 'finished' : 'undone';
  const { onward = [] } = head.plan;
  const toFollow = onward.length === 0 ? '' : `; it was one of several hops, and \`upgrade\` goes on from ${version} to ${onward.at(-1)}`;
  return {
    fields: { outcome, version, command: head.command, ...(onward.length === 0 ? {} : { onward }) },
    text: `the ${head.command} was ${outcome === 'finished' ? 'finished' : 'undone: everything is as before it'}${toFollow}\n`,
  };
}

/** A plan that was made on the machine may stop the container that this runs in: it is ended there, too. */
async function refuseOwnEnd({ world }: Context, root: string, plan: Plan): Promise<void> {
  const stopped = stoppedBy(plan);
  const [first] = stopped;
  if (first !== undefined) refuseRecovery(plan, stopped, await observeOwnServiceOf(world, root, first.project));
}

async function nothingOpen(root: string): Promise<CommandResult> {
  const version = (await readRecord(root))?.version ?? null;
  return { fields: { outcome: 'nothing-open', version }, text: 'nothing is open\n' };
}

function notWell(cause: unknown): ToolError {
  return new ToolError('E_UNHEALTHY', `the operation is past its point of no return, and something is not well: ${reasonOf(cause)}`, {
    cause,
    hint: 'Nothing was thrown away. Look at `status` and `logs`; `restore` goes back on purpose.',
    details: { outcome: 'finished' },
  });
}
