// history: what was done here, and how it ended. Rule: read from install.json; the journals themselves are in .slipway/history.
import { observeInstall } from '../../observe/install.ts';
import { type Command, type CommandResult, type Context, refusePositionals } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';

export const history: Command = { name: 'history', summary: 'What was done here, and how it ended.', flags: FOLDER_FLAG, run };

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const { record } = await observeInstall(findInstall(context));
  const lines = record.operations.map((each) => `${each.at}  ${each.command.padEnd(9)}  ${each.from ?? '-'} → ${each.to}  ${each.outcome}`);
  return { fields: { operations: record.operations }, text: `${lines.join('\n')}\n` };
}
