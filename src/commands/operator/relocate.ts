// relocate: the folder of an install was moved. Rule: a copy beside its original is refused, for both would share volumes.
import { join } from 'node:path';
import { type Digest, digestOf } from '../../model/digest.ts';
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { ContainerFact, InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { type InstallRecord, printInstall, withOperation } from '../../model/install.ts';
import { launcherFolder, renderLauncher } from '../../model/launcher.ts';
import { momentOf } from '../../model/parse.ts';
import type { Content } from '../../model/plan.ts';
import { observeContainers, observeRunning } from '../../observe/engine.ts';
import { observeInstallAsIs, readRecord } from '../../observe/install.ts';
import { readLauncher } from '../../observe/launcher.ts';
import { observeOwnContainer } from '../../observe/own-service.ts';
import { isKept, keptProgram } from '../../observe/runtime.ts';
import { observeSelf } from '../../observe/self.ts';
import type { CommandWish } from '../../plan/command.ts';
import { refuseInside } from '../../plan/own-service.ts';
import { planRelocate } from '../../plan/relocate.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, type FlagTable, refusePositionals } from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { refuseOtherFolder } from './preflight.ts';

const FLAGS = { ...FOLDER_FLAG, ...CHANGING_FLAGS } as const satisfies FlagTable;

export const relocate: Command = {
  name: 'relocate',
  summary: 'Takes up an install whose folder was moved; containers are made anew, data stays.',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const { world } = context;
  const root = findInstall(context);
  await refuseOpenJournal(root, context.world);
  const install = await observeInstallAsIs(root);
  const { record } = install;
  const from = record.folder;
  if (from === root) return { fields: { folder: root, outcome: 'unchanged' }, text: `the install is at ${root} already\n` };
  await refuseCopy(root, record);
  const containers = await observeContainers(world, root, record.project);
  refuseOtherFolder(
    containers.filter((each) => each.workingFolder !== from),
    record.project,
    root,
  );
  refuseInside(await observeOwnContainer(world, root, containers), 'relocate');
  const at = momentOf(world.now());
  const id = `relocate-${world.random(8).toString('hex')}`;
  const launching = await prepareCommand(root, install);
  const recordText = printInstall(recordAfter(record, { root, id, at, keepsRuntime: launching.wish.runtime !== undefined }));
  const plan = planRelocate(
    { id, basedOn: fingerprintInstall(install, containers), record: digestOf(recordText), launching: launching.wish },
    { install, ...servicesOf(containers), stale: staleNames(install) },
  );
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstallAsIs(root), await observeRunning(world, root, record.project));
  const contents = new Map<Digest, Content>([...launching.contents, [digestOf(recordText), { text: recordText }]]);
  const carried = await carryOut({ plan, contents }, context, {
    root,
    recheck,
    operator: await observeSelf(context.file),
    program: context.file,
    project: record.project,
  });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(plan) }, text: planToText(plan) };
  throwUnlessDone(carried);
  return {
    fields: { from, folder: root, outcome: 'relocated' },
    text: `${record.product} ${record.version} was at ${from}, and is at ${root} now\n`,
  };
}

/** Where the old place still holds this very install, one of the two is a copy. */
async function refuseCopy(root: string, record: InstallRecord): Promise<void> {
  const there = await readRecord(record.folder);
  if (there === undefined || there.installed !== record.installed) return;
  throw new ToolError('E_POLICY', `${record.folder} holds this install too: one of the two is a copy`, {
    hint: `Work in ${record.folder}, or remove it first. A second install on this machine is made with \`install --project NAME --dir FOLDER\`; its data comes from a backup. Nothing at ${root} was changed.`,
  });
}

interface Prepared {
  readonly wish: CommandWish;
  readonly contents: readonly (readonly [Digest, Content])[];
}

/** The command on PATH follows, when it is still this install's. */
async function prepareCommand(root: string, { record, manifest }: InstallFacts): Promise<Prepared> {
  const { launcher, runtime, folder } = record;
  const keeps = runtime !== undefined && (await isKept(runtime.store, runtime.program));
  const node = keeps ? keptProgram(runtime.store, runtime.program) : process.execPath;
  const text = renderLauncher({ cli: manifest.cli, folder: root, node });
  const owner = launcher === undefined ? undefined : launcherFolder((await readLauncher(launcher)) ?? '');
  const isOurs = launcher !== undefined && owner === folder;
  return {
    wish: {
      user: root,
      ...(isOurs ? { launcher: { path: launcher, content: digestOf(text) } } : {}),
      ...(keeps ? { runtime } : {}),
      ...(runtime === undefined ? {} : { former: runtime }),
    },
    contents: isOurs ? [[digestOf(text), { text }]] : [],
  };
}

interface Move {
  readonly root: string;
  readonly id: string;
  readonly at: string;
  readonly keepsRuntime: boolean;
}

function recordAfter(record: InstallRecord, { root, id, at, keepsRuntime }: Move): InstallRecord {
  const { runtime, ...rest } = record;
  const operation = { id, command: 'relocate', from: record.version, to: record.version, outcome: `moved from ${record.folder}`, at };
  return withOperation({ ...rest, folder: root, ...(keepsRuntime && runtime !== undefined ? { runtime } : {}) }, operation);
}

function servicesOf(containers: readonly ContainerFact[]): { present: string[]; running: string[] } {
  const own = containers.filter((each) => !each.oneOff);
  const names = (chosen: readonly ContainerFact[]): string[] => [...new Set(chosen.map((each) => each.service))].sort();
  return { present: names(own), running: names(own.filter(({ state }) => state === 'running' || state === 'restarting')) };
}

function staleNames({ env, record }: InstallFacts): string[] {
  const isInOld = (value: string): boolean => value === record.folder || value.includes(join(record.folder, '/'));
  return [...envValues(env)].filter(([, value]) => isInOld(value)).map(([name]) => name);
}
