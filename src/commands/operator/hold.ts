// A version that failed here is held. Rule: written down through a plan of its own, for install.json is the install's too.
import { digestOf } from '../../model/digest.ts';
import { diskTrouble } from '../../model/disk-trouble.ts';
import { ToolError } from '../../model/error.ts';
import { type InstallRecord, printInstall, withOperation } from '../../model/install.ts';
import { momentOf } from '../../model/parse.ts';
import type { Plan, Planned } from '../../model/plan.ts';
import { readRecord } from '../../observe/install.ts';
import { observeSelf } from '../../observe/self.ts';
import { applyUnderLock } from '../carry-out.ts';
import type { Context } from '../command.ts';

export interface HoldWish {
  readonly root: string;
  readonly version: string;
  readonly from: string;
  readonly operation: string;
}

/** Writes down that the upgrade to this version was taken back, or warns that a disk refused it. The caller holds the lock. */
export async function holdVersion(context: Context, wish: HoldWish): Promise<void> {
  const record = await readRecord(wish.root);
  if (record === undefined) return;
  const at = momentOf(context.world.now());
  const operation = { id: wish.operation, command: 'upgrade', from: wish.from, to: wish.version, outcome: 'rolled-back', at };
  const next = withOperation({ ...record, held: [...new Set([...record.held, wish.version])] }, operation);
  try {
    await writeRecord(context, wish.root, next);
  } catch (error) {
    const trouble = diskTrouble(error, wish.root) ?? error;
    if (!(trouble instanceof ToolError) || !['E_DISK', 'E_DISK_FULL'].includes(trouble.code)) throw error;
    const text = `${wish.version} is not written down as held, so an upgrade will try it again: ${trouble.message}`;
    context.world.report({ type: 'warning', text, hint: trouble.hint ?? '' });
  }
}

/** Replaces install.json. The caller holds the lock. */
export async function writeRecord(context: Context, root: string, record: InstallRecord): Promise<void> {
  const id = `record-${context.world.random(8).toString('hex')}`;
  const basedOn = digestOf(printInstall(record));
  const planned = planRecord(record, { id, command: 'record', basedOn, why: 'what happened is written down' });
  await applyUnderLock(planned, context, { root, operator: await observeSelf(context.file), program: context.file });
}

/** The plan that replaces install.json and nothing else. */
export function planRecord(
  record: InstallRecord,
  { id, command, basedOn, why }: Pick<Plan, 'id' | 'command' | 'basedOn'> & { readonly why: string },
): Planned {
  const text = printInstall(record);
  const content = digestOf(text);
  const tree = `.slipway/staged/${id}/tree`;
  const file = { path: '.slipway/install.json', content, mode: 0o600 };
  const plan: Plan = {
    schema: 1,
    id,
    operation: id,
    command,
    basedOn,
    steps: [
      { kind: 'stage-files', why: 'the new record', to: tree, files: [file] },
      { kind: 'swap-files', why, from: tree, files: [file] },
    ],
    commitAfter: 1,
    notes: [],
  };
  return { plan, contents: new Map([[content, { text }]]) };
}
