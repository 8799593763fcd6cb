// Data carried from one volume into another. Rule: only volumes that this plan made are filled or removed; where a new one takes an old one's place, the
// plan's own backup has the old one.
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataToImport } from '../../model/data-steps.ts';
import { ToolError } from '../../model/error.ts';
import type { ComposeProject, Step } from '../../model/plan.ts';
import { inspectVolume, listNetworks, listVolumes } from '../../world/containers.ts';
import { compose, dockerIfThere, runCompose } from '../../world/docker.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { undoFolder } from '../site.ts';
import { backupFolder } from './backup.ts';
import { removeVolume, restoreItem } from './data.ts';
import { textsOf } from './files.ts';
import { waitUntilReady } from './ready.ts';
import { removeContainers, removeNewNetworks, removeNewVolumes, serviceContainers } from './services.ts';

const measureData: Handler<'measure-data'> = {
  done: async () => false,
  run: async (step, site) => {
    await mkdir(undoFolder(site, 'measured'), { recursive: true, mode: 0o700 });
    for (const { name, service, command } of step.items) {
      const argv = ['exec', '-T', service, 'sh', '-c', command];
      const result = await runCompose(site, step.project, argv, { output: { file: measuredFile(name, site) } });
      if (result.code !== 0) throw failed(`what ${name} holds could not be read`, result.stderr, command);
    }
  },
};

const carryData: Handler<'carry-data'> = {
  done: async () => false,
  save: async (step, site) => {
    await refuseExisting(
      step.items.flatMap(({ volume }) => volume ?? []),
      site,
    );
    return {};
  },
  run: async (step, site) => {
    for (const item of step.items) await restoreItem(item, { backup: step.backup, volumes: new Map(), project: step.project.name }, site);
  },
  undo: async (step, _saved, site) => {
    for (const { volume } of step.items) if (volume !== undefined) await removeVolume(volume, site);
  },
};

/** Safe to repeat: every try begins with an empty volume. Going back past a volume that was replaced, its copy is put back by the gate before. */
const importData: Handler<'import-data'> = {
  done: async () => false,
  save: async (step, site) => {
    await refuseExisting(
      step.items.flatMap(({ volume, replaces }) => (replaces ? [] : volume)),
      site,
    );
    return { volumes: await listVolumes(site, step.project.name), networks: await listNetworks(site, step.project.name) };
  },
  run: async (step, site) => {
    for (const item of step.items) {
      await removeVolume(item.volume, site);
      await compose(site, step.project, ['up', '--detach', '--no-deps', '--no-build', '--pull', 'never', item.service]);
      await waitUntilReady(site, step.project.name, [item.service]);
      await restoreDump(step, item, site);
      await compareImported(step.project, item, site);
      await removeContainers(site, await serviceContainers(site, step.project, [item.service])); // at rest, as all data is between two steps
    }
  },
  undo: async (step, saved, site) => {
    const services = step.items.map(({ service }) => service);
    await removeContainers(site, await serviceContainers(site, step.project, services));
    await removeNewVolumes(site, step.project.name, textsOf(saved, 'volumes'));
    await removeNewNetworks(site, step.project.name, textsOf(saved, 'networks'));
  },
};

const dropVolumes: Handler<'drop-volumes'> = {
  done: async (step, site) => {
    for (const volume of step.volumes) if ((await inspectVolume(site, volume)) !== undefined) return false;
    return true;
  },
  run: async (step, site) => {
    for (const volume of step.volumes) await dockerIfThere(site, ['volume', 'rm', volume]);
  },
};

/** The handlers of data that changes its volume. */
export const dataMoveSteps = {
  'measure-data': measureData,
  'carry-data': carryData,
  'import-data': importData,
  'drop-volumes': dropVolumes,
} satisfies Partial<Handlers>;

/** What was there before the plan is never filled, and never removed by going back. */
async function refuseExisting(volumes: readonly string[], site: Site): Promise<void> {
  for (const volume of volumes) {
    if ((await inspectVolume(site, volume)) === undefined) continue;
    throw new ToolError('E_POLICY', `the volume ${volume} is there already, and would be filled with other data`, {
      hint: `Look at what it holds. If nothing needs it, remove it: docker volume rm ${volume}`,
    });
  }
}

async function restoreDump(
  { backup, project }: Step<'import-data'>,
  { name, dump, service, restore }: DataToImport,
  site: Site,
): Promise<void> {
  const file = join(backupFolder(backup, site), `data/${dump}.dump`);
  const result = await runCompose(site, project, ['exec', '-T', service, 'sh', '-c', restore], { input: { file } });
  if (result.code !== 0) throw failed(`${name} could not be restored from its dump`, result.stderr, restore);
}

async function compareImported(project: ComposeProject, { name, dump, service, compare }: DataToImport, site: Site): Promise<void> {
  if (compare === undefined) return;
  const before = await readFile(measuredFile(dump, site), 'utf8');
  const { code, stdout, stderr } = await runCompose(site, project, ['exec', '-T', service, 'sh', '-c', compare]);
  if (code !== 0) throw failed(`what ${name} holds could not be read`, stderr, compare);
  if (stdout.trim() === before.trim()) return;
  throw new ToolError('E_STEP_FAILED', `${name} is not the same after its dump was restored: ${firstDifference(before, stdout)}`, {
    hint: 'The dump does not hold everything; report it to the maintainer. Nothing was lost: the data is as it was.',
  });
}

/** What differs, without the amounts themselves: `role ann`, `app public.notes`. */
function firstDifference(before: string, after: string): string {
  const [had, has] = [before.trim().split('\n'), after.trim().split('\n')];
  const line = had.find((each) => !has.includes(each)) ?? has.find((each) => !had.includes(each)) ?? 'the order of lines';
  return (line.startsWith('role ') ? line : line.replace(/\s*\S+$/, '')).slice(0, 100);
}

function measuredFile(name: string, site: Site): string {
  return join(undoFolder(site, 'measured'), name);
}

function failed(what: string, stderr: string, command: string): ToolError {
  const said = stderr.trim().split('\n').slice(-2).join(' | ').slice(0, 300);
  return new ToolError('E_STEP_FAILED', `${what}: ${said || 'its command failed and said nothing'}`, {
    hint: `It runs \`${command.split('\n')[0]}\`; report it to the maintainer.`,
  });
}
