// backup forget: a volume that was kept beside the one in use goes. Rule: named by the person, never pruned by itself.
import { type Digest, digestOf } from '../../model/digest.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { printInstall, withOperation } from '../../model/install.ts';
import { momentOf } from '../../model/parse.ts';
import { observeContainers, observeRunning } from '../../observe/engine.ts';
import { observeInstall } from '../../observe/install.ts';
import { observeSelf } from '../../observe/self.ts';
import { planForget } from '../../plan/forget.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import type { CommandResult, Context } from '../command.ts';

/** Removes a kept volume and what the record says of it. */
export async function forgetVolume(context: Context, root: string, volume: string): Promise<CommandResult> {
  const { world } = context;
  await refuseOpenJournal(root, context.world);
  const install = await observeInstall(root);
  const { record } = install;
  const containers = await observeContainers(world, root, record.project);
  const id = `forget-${world.random(8).toString('hex')}`;
  const { version } = record;
  const operation = { id, command: 'backup', from: version, to: version, outcome: 'forgotten', at: momentOf(world.now()) };
  const kept = (record.kept ?? []).filter((each) => each.volume !== volume);
  const text = printInstall(withOperation({ ...record, kept }, operation));
  const basedOn = fingerprintInstall(install, containers);
  const plan = planForget({ id, basedOn, volume, record: digestOf(text) }, record, containers);
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstall(root), await observeRunning(world, root, record.project));
  const carrying = { root, recheck, operator: await observeSelf(context.file), program: context.file, project: record.project };
  const carried = await carryOut({ plan, contents: new Map([[digestOf(text), { text }]]) }, context, carrying);
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  return { fields: { outcome: 'forgotten', volume }, text: `${volume} is gone\n` };
}
