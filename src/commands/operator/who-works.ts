// What looks broken because another command is at work on it. Rule: whoever only looked until then is told who works, not what was half-done at that moment.
import { refuseHolder } from '../../apply/holder.ts';
import { isToolError } from '../../model/error.ts';
import type { Event } from '../../model/event.ts';
import { lockPath } from '../../model/layout.ts';
import type { Command, CommandResult, Context } from '../command.ts';
import { lookForInstall } from './folder.ts';

/** They choose a folder by other rules: what is here may be an install that they have nothing to do with. */
const MAKERS: readonly string[] = ['install', 'adopt'];

/** A changing command, which fails with E_LOCKED instead of an error of its own when it had not begun and another one is at work on the install. */
export function toldWhoWorks(command: Command): Command {
  if (command.flags.plan === undefined || MAKERS.includes(command.name)) return command;
  const run = async (context: Context): Promise<CommandResult> => {
    let hasBegun = context.world.env.SLIPWAY_LOCK_NONCE !== undefined; // the lock is the one that was handed over
    const report = (event: Event): void => {
      hasBegun ||= event.type === 'begun';
      context.world.report(event);
    };
    try {
      return await command.run({ ...context, world: { ...context.world, report } });
    } catch (error) {
      const root = hasBegun || isOfThePerson(error) ? undefined : lookForInstall(context);
      if (root !== undefined) await refuseHolder(lockPath(root), context.world);
      throw error;
    }
  };
  return { ...command, run };
}

function isOfThePerson(error: unknown): boolean {
  return (['E_USAGE', 'E_NOT_CONFIRMED', 'E_INTERRUPTED'] as const).some((code) => isToolError(error, code));
}
