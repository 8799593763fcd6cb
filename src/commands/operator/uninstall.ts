// uninstall: takes the product off this machine. Rule: shown exactly before it is done, and data goes only when it is asked for twice.
import { join } from 'node:path';
import { reasonOf } from '../../apply/apply.ts';
import { keep } from '../../model/description.ts';
import { type Digest, digestOf, hexOf } from '../../model/digest.ts';
import { envValues } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import { fingerprintInstall } from '../../model/fingerprint.ts';
import { type InstallRecord, printInstall, withOperation } from '../../model/install.ts';
import { operatorsFolder } from '../../model/layout.ts';
import { momentOf } from '../../model/parse.ts';
import { observeContainers, observeRunning, observeVolumes } from '../../observe/engine.ts';
import { observeInstallAsIs, refuseMoved } from '../../observe/install.ts';
import { observeBackups, observeLocalImages } from '../../observe/kept.ts';
import { observeOwnContainer } from '../../observe/own-service.ts';
import { observeImageUsers, observeLeftovers, observeNetworks, observeReceipts } from '../../observe/removal.ts';
import { observeSelf } from '../../observe/self.ts';
import { backupFolders } from '../../plan/data.ts';
import { refuseInside } from '../../plan/own-service.ts';
import { imagesToPull } from '../../plan/release-steps.ts';
import { leftoversOf, planUninstall, type Uninstall, type UninstallFacts } from '../../plan/uninstall.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, refuseOpenJournal, throwUnlessDone } from '../carry-out.ts';
import {
  CHANGING_FLAGS,
  type Command,
  type CommandResult,
  type Context,
  type FlagTable,
  isPlanOnly,
  isSet,
  refusePositionals,
  textFlag,
} from '../command.ts';
import { FOLDER_FLAG, findInstall } from './folder.ts';
import { refuseOtherFolder } from './preflight.ts';
import { dropUnits } from './units.ts';

const FLAGS = {
  ...FOLDER_FLAG,
  ...CHANGING_FLAGS,
  'purge-data': { type: 'boolean', help: 'remove the data, the settings and the backups too; asks for the product’s name' },
  data: { type: 'boolean', help: 'the same as --purge-data' },
  confirm: { type: 'string', value: 'PRODUCT', help: 'with --purge-data: the product’s name, where nobody can type it' },
  'no-start': { type: 'boolean', help: 'touch no container, network, volume or image' },
} as const satisfies FlagTable;

export const uninstall: Command = {
  name: 'uninstall',
  summary: 'Takes the product off this machine; data, settings and backups stay unless --purge-data says otherwise.',
  flags: FLAGS,
  run,
};

async function run(context: Context): Promise<CommandResult> {
  refusePositionals(context);
  const root = findInstall(context);
  await refuseOpenJournal(root, context.world);
  const { world, flags } = context;
  const purge = isSet(flags, 'purge-data') || isSet(flags, 'data');
  const self = await observeSelf(context.file);
  const facts = await observeUninstall(context, root, self);
  const { install } = facts;
  const { record } = install;
  const at = momentOf(world.now());
  const id = `uninstall-${world.random(8).toString('hex')}`;
  const recordText = printInstall(recordAfter(record, id, at));
  const basedOn = fingerprintInstall(install, facts.containers);
  const decided = planUninstall({ id, basedOn, purge, record: digestOf(recordText) }, facts);
  if (decided.plan.steps.length === 0) return nothingToDo(install, decided);
  if (purge && !isPlanOnly(context)) await confirmPurge(context, install, decided);
  const touched = !isSet(flags, 'no-start');
  const recheck = async (): Promise<Digest> =>
    fingerprintInstall(await observeInstallAsIs(root), touched ? await observeRunning(world, root, record.project) : []);
  const contents = new Map(purge ? [] : [[digestOf(recordText), { text: recordText }] as const]);
  const carrying = { root, recheck, operator: self, program: context.file, ...(touched ? { project: record.project } : {}) };
  const carried = await carryOut({ plan: decided.plan, contents }, context, carrying);
  if (carried.outcome === 'planned')
    return {
      fields: { plan: planToJson(decided.plan), gone: decided.gone, kept: decided.kept },
      text: planToText(decided.plan),
      ...(isSet(flags, 'exit-code') ? { exit: 4 } : {}),
    };
  refuseHalfDone(carried, root, self);
  throwUnlessDone(carried);
  return {
    fields: {
      product: record.product,
      version: record.version,
      folder: root,
      outcome: purge ? 'purged' : 'uninstalled',
      kept: decided.kept,
    },
    text: farewell(
      install,
      decided,
      purge ? undefined : `node ${join(operatorsFolder(root), hexOf(self))} uninstall --purge-data --dir ${root}`,
    ),
  };
}

async function observeUninstall(context: Context, root: string, self: Digest): Promise<UninstallFacts> {
  const { world } = context;
  const install = await observeInstallAsIs(root);
  const { record, manifest, env } = install;
  refuseMoved(root, record.folder);
  const folders = backupFolders(manifest, envValues(env));
  const own = {
    install,
    ...(await observeReceipts(root)),
    backups: (await observeBackups(root, folders)).map(({ path }) => path),
    ...keep({ units: await dropUnits(install) }),
    leftovers: leftoversOf(record.version, await observeLeftovers(root, hexOf(self))),
  };
  if (isSet(context.flags, 'no-start'))
    return { ...own, containers: [], networks: [], volumes: [], localImages: [], imageUsers: new Map(), foreignImages: pinnedOf(install) };
  const { project } = record;
  const [containers, networks, volumes, localImages] = await Promise.all([
    observeContainers(world, root, project),
    observeNetworks(world, root, project),
    observeVolumes(world, root, project),
    observeLocalImages(world, root, record.product),
  ]);
  refuseOtherFolder(containers, project, root);
  refuseInside(await observeOwnContainer(world, root, containers), 'uninstall');
  const references = [...localImages, ...pinnedOf(install)];
  return { ...own, containers, networks, volumes, localImages, imageUsers: await observeImageUsers(world, root, { project, references }) };
}

function pinnedOf({ manifest }: InstallFacts): string[] {
  return imagesToPull(manifest).map(({ pinned }) => pinned);
}

function recordAfter(record: InstallRecord, id: string, at: string): InstallRecord {
  const { launcher: _, runtime: __, schedule: ___, units: ____, ...kept } = record;
  const operation = { id, command: 'uninstall', from: record.version, to: record.version, outcome: 'uninstalled', at };
  return withOperation({ ...kept, uninstalled: at }, operation);
}

/** The second question: the name is typed, whatever --yes says. */
async function confirmPurge(context: Context, { record, root }: InstallFacts, { gone }: Uninstall): Promise<void> {
  const { terminal } = context.world;
  const given = textFlag(context.flags, 'confirm');
  const refuse = (message: string): ToolError =>
    new ToolError('E_NOT_CONFIRMED', `${message}; nothing was changed`, {
      hint: `To remove all data of ${record.product} at ${root}: --confirm ${record.product}`,
    });
  if (given === record.product) return;
  if (given !== undefined) throw refuse(`--confirm ${given} is not the product’s name`);
  if (!terminal.interactive) throw refuse('there is no terminal to confirm that the data goes');
  terminal.err(`For ever gone will be:\n${gone.map((text) => `  ${text}\n`).join('')}`);
  const answer = await terminal.ask(`Type ${record.product} to remove it with all its data: `);
  if (answer.trim() !== record.product) throw refuse('that is not the product’s name');
}

function refuseHalfDone(carried: Carried, root: string, self: Digest): void {
  if (carried.outcome !== 'failed') return;
  throw new ToolError('E_STEP_FAILED', `uninstall came to a halt: ${reasonOf(carried.cause)}`, {
    cause: carried.cause,
    hint: `Mend that, then go on: node ${join(operatorsFolder(root), hexOf(self))} uninstall --dir ${root}`,
  });
}

function nothingToDo({ record, root }: InstallFacts, { kept }: Uninstall): CommandResult {
  return {
    fields: { product: record.product, version: record.version, folder: root, outcome: 'nothing', kept },
    text: `${record.product} ${record.version} is uninstalled already; --purge-data removes what was kept\n`,
  };
}

function farewell({ manifest, root }: InstallFacts, { kept }: Uninstall, purge: string | undefined): string {
  const lines = [`${manifest.title} ${manifest.version} is uninstalled from ${root}`];
  if (kept.length > 0) lines.push('Kept:', ...kept.map((text) => `  ${text}`));
  if (purge !== undefined)
    lines.push(
      'A new install in this folder takes all of it up again. To remove the data, the settings and the backups too:',
      `  ${purge}`,
    );
  return `${lines.join('\n')}\n`;
}
