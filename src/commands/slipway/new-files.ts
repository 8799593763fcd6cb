// New files of a product's folder, from plan to disk. Rule: looked at again under the lock, so that nothing that appears meanwhile is overwritten.
import type { Digest } from '../../model/digest.ts';
import { observeHasState, observePresent } from '../../observe/new-files.ts';
import { observeSelf } from '../../observe/self.ts';
import { initBasis, type NewFile, planNewFiles } from '../../plan/init.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, isSet } from '../command.ts';

export interface NewFiles {
  readonly files: readonly NewFile[];
  /** What a person does then. */
  readonly next: string;
  readonly notes?: readonly string[];
  /** Further fields of the result. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Plans, shows and writes them. Throws E_CONFLICT naming what is there already. */
export async function writeNewFiles(
  context: Context,
  root: string,
  { files, next, notes = [], fields = {} }: NewFiles,
): Promise<CommandResult> {
  const paths = files.map(({ path }) => path);
  const present = await observePresent(root, paths);
  const id = `init-${context.world.random(8).toString('hex')}`;
  const planned = planNewFiles({ id, hasState: await observeHasState(root), files, present, notes });
  const recheck = async (): Promise<Digest> => initBasis(await observePresent(root, paths));
  const carried = await carryOut(planned, context, { root, recheck, operator: await observeSelf(context.file) });
  const { plan } = carried;
  if (carried.outcome === 'planned') {
    const exit = isSet(context.flags, 'exit-code') ? { exit: 4 } : {};
    return { fields: { ...fields, plan: planToJson(plan) }, text: planToText(plan), ...exit };
  }
  throwUnlessDone(carried, fields);
  const written = paths.filter((path) => !present.includes(path));
  const text = `${written.map((path) => `${path} is written\n`).join('')}${[...notes].map((note) => `${note}\n`).join('')}${next}`;
  return { fields: { dir: root, files: written, ...fields }, text };
}
