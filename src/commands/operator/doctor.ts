// doctor: is this machine fit, and the install sound? Rule: only looks; each finding names what helps.
import { findingsToText } from '../../show/findings.ts';
import { type Command, type CommandResult, type Context, type FlagTable, isSet, refusePositionals } from '../command.ts';
import { examine } from './examine.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  preflight: { type: 'boolean', help: 'only what an upgrade would refuse to start with' },
} as const satisfies FlagTable;

export const doctor: Command = { name: 'doctor', summary: 'Is this machine fit, and the install sound?', flags: FLAGS, run };

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const findings = await examine(context, findInstall(context), isSet(context.flags, 'preflight'));
  const blocked = findings.some((finding) => finding.severity === 'block');
  return { fields: { findings }, text: findingsToText(findings), exit: blocked ? 3 : 0 };
}
