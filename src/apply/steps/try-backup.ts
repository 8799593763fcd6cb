// A backup restored into a compose project of its own. Rule: the product is not touched, and whatever happens nothing of the try is left.
import { mkdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { DataToCopy, Step } from '../../model/plan.ts';
import { scratchProject } from '../../model/scratch-project.ts';
import { compose, docker, dockerIfThere } from '../../world/docker.ts';
import { removeCopier } from '../../world/volume-copy.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { undoFolder } from '../site.ts';
import { backupFolder, fileOf, placeOf, readBackup } from './backup.ts';
import { removeVolume, restoreItem } from './data.ts';
import { waitUntilReady } from './ready.ts';
import { removeContainers, removeScratch, serviceContainers } from './services.ts';

const tryBackup: Handler<'try-backup'> = {
  done: async () => false,
  run: async (step, site) => {
    try {
      await clear(step, site);
      const { items } = await readBackup(step.backup, site);
      const config = await compose(site, step.project, ['config', '--format', 'json']);
      const trial = {
        step,
        site,
        config: scratchProject(config, { ...step.project, folder: resolve(site.root, step.project.folder), services: step.services }),
      };
      await tryCopies(trial);
      for (const item of step.items)
        if (item.recipe !== undefined && items.some(({ name, kind }) => name === item.name && kind === 'dump'))
          await tryDump(item, item.recipe, trial);
    } finally {
      await clear(step, site);
    }
  },
  undo: async (step, _saved, site) => clear(step, site),
};

/** The handler of trying a backup. */
export const tryBackupSteps = { 'try-backup': tryBackup } satisfies Partial<Handlers>;

interface Trial {
  readonly step: Step<'try-backup'>;
  readonly site: Site;
  /** The project, shut off, as compose reads it from its input. */
  readonly config: string;
}

/** Unpacks every copy, compares, and starts the data services on them. */
async function tryCopies(trial: Trial): Promise<void> {
  const { step, site } = trial;
  for (const item of step.items) await restoreItem(item, { backup: step.backup, volumes: new Map(), project: step.project.name }, site);
  await start(trial, step.services);
}

/** Runs the recipe on an empty volume, and dumps what came of it again. */
async function tryDump(item: DataToCopy, recipe: NonNullable<DataToCopy['recipe']>, trial: Trial): Promise<void> {
  const { step, site } = trial;
  await removeContainers(site, await serviceContainers(site, step.project, step.services));
  if (item.volume !== undefined) await removeVolume(item.volume, site);
  else await rm(resolve(site.root, item.path ?? ''), { recursive: true, force: true });
  await start(trial, [recipe.service]);
  const [container] = await serviceContainers(site, step.project, [recipe.service]);
  if (container === undefined) throw new ToolError('E_UNHEALTHY', `${recipe.service} has no container`);
  const exec = ['exec', '--interactive', container.id, 'sh', '-c'];
  await docker(site, [...exec, recipe.restore], { input: { file: join(backupFolder(step.backup, site), fileOf(item, 'dump')) } });
  const again = join(undoFolder(site, 'try'), `${item.name}.dump`);
  await mkdir(undoFolder(site, 'try'), { recursive: true, mode: 0o700 });
  await docker(site, [...exec, recipe.dump], { output: { file: again } });
  const { size } = await stat(again);
  await rm(again, { force: true });
  if (size === 0)
    throw new ToolError('E_BACKUP', `the dump of ${item.name} was restored, and nothing can be dumped from it`, {
      hint: 'Tell the vendor.',
    });
}

async function start({ step, site, config }: Trial, services: readonly string[]): Promise<void> {
  if (services.length === 0) return;
  const argv = ['up', '--detach', '--no-deps', '--no-build', '--pull', 'never', ...services];
  await compose(site, { ...step.project, files: ['-'] }, argv, { input: config });
  await waitUntilReady(site, step.project.name, services);
}

async function clear(step: Step<'try-backup'>, site: Site): Promise<void> {
  for (const item of step.items) await removeCopier(site, placeOf(item, site));
  await removeScratch(step.project, site);
  for (const { volume, path } of step.items) {
    if (volume !== undefined) await dockerIfThere(site, ['volume', 'rm', volume]);
    if (path !== undefined) await rm(resolve(site.root, path), { recursive: true, force: true });
  }
}
