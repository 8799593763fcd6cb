// Services of a compose project: stop, start, run once. Rule: what is taken away is found by the engine's labels, not by a compose file that
// may be half-way between two releases.
import { ToolError } from '../../model/error.ts';
import type { ComposeProject, Step } from '../../model/plan.ts';
import { readComposeConfig } from '../../world/compose-config.ts';
import {
  type ListedContainer,
  listBriefly,
  listContainerIds,
  listContainers,
  listNetworks,
  listVolumes,
  notSo,
  removeContainer,
} from '../../world/containers.ts';
import { compose, dockerForSome, dockerIfThere, runCompose } from '../../world/docker.ts';
import { type Handler, type Handlers, lookingOnce, type Site } from '../handler.ts';
import { nameOf, textsOf } from './files.ts';
import { waitUntilReady } from './ready.ts';

const stopServices = lookingOnce<'stop-services', readonly ListedContainer[]>(containersOf, {
  done: (found) => found.length === 0,
  save: (found) => {
    const running = new Set(
      found.filter((container) => container.state === 'running' || container.state === 'restarting').map((container) => container.service),
    );
    return {
      running: [...running].sort(),
      stopped: [...new Set(found.map((container) => container.service))].filter((service) => !running.has(service)).sort(),
    };
  },
  run: async (found, _step, site) => removeContainers(site, found),
  undo: async (step, saved, site) => {
    const stopped = textsOf(saved, 'stopped');
    if (stopped.length > 0)
      await compose(site, step.project, ['up', '--no-start', '--no-deps', '--no-build', '--pull', 'never', ...stopped]);
    await startNow(site, step.project, textsOf(saved, 'running'));
  },
});

function containersOf({ project, services }: Step<'stop-services'>, site: Site): Promise<ListedContainer[]> {
  return serviceContainers(site, project, services);
}

const startServices = lookingOnce<'start-services', Around>(lookAround, {
  done: async ({ containers }, step, site) => {
    if (step.recreate.length > 0 || step.services.length === 0) return step.services.length === 0;
    const running = containers.filter((each) => each.state === 'running');
    const allRun = (wanted: (each: ListedContainer) => boolean): boolean =>
      step.services.every((service) => running.some((each) => each.service === service && wanted(each)));
    if (!allRun(() => true)) return false; // what Compose makes of the files need not be asked
    const { hashes } = await readComposeConfig(site, step.project);
    return allRun((each) => each.configHash === hashes[each.service]);
  },
  save: ({ belongings }) => belongings,
  run: async (_seen, step, site) => {
    const recreate = new Set(step.recreate);
    await startNow(
      site,
      step.project,
      step.services.filter((service) => recreate.has(service)),
      ['--force-recreate'],
    );
    await startNow(
      site,
      step.project,
      step.services.filter((service) => !recreate.has(service)),
    );
  },
  undo: async (step, saved, site) => {
    await removeContainers(site, await serviceContainers(site, step.project, step.services));
    await removeNewVolumes(site, step.project.name, textsOf(saved, 'volumes'));
    await removeNewNetworks(site, step.project.name, textsOf(saved, 'networks'));
  },
});

/** What stands where services are to be started. */
interface Around {
  readonly containers: readonly ListedContainer[];
  readonly belongings: Belongings;
}

async function lookAround({ project, services }: Step<'start-services'>, site: Site): Promise<Around> {
  const [containers, belongings] = await Promise.all([serviceContainers(site, project, services), listBelongings(project.name, site)]);
  return { containers, belongings };
}

/** Runs once, never twice by itself: rule 5 restores what a half-done one touched. */
const runJob: Handler<'run-job'> = {
  done: async () => false,
  save: (step, site) => listBelongings(step.project.name, site),
  run: async (step, site) => {
    await waitUntilReady(site, step.project.name, step.needs);
    await removeContainer(site, jobName(step));
    const argv = ['run', '--no-deps', '-T', '--name', jobName(step), step.service, ...step.command];
    const onLine = (line: string): void => site.world.report({ type: 'output', source: step.service, line });
    const timeout = step.timeout === null ? {} : { timeout: step.timeout };
    const result = await runCompose(site, step.project, argv, { onLine, ...timeout, ...(site.stop && { stop: site.stop }) });
    if (result.code !== 0) throw failedJob(step, `ended with exit code ${result.code}`, result.stderr);
    // The program that watched it may have lost sight of it: the engine's own word about the container counts.
    const job = (await listContainers(site, step.project.name)).find(({ name }) => name === jobName(step));
    if (job?.state !== 'exited' || job.exitCode !== 0) throw failedJob(step, `did not come to its end: ${job?.state ?? 'it never was'}`);
    await removeContainer(site, jobName(step));
  },
  undo: async (step, saved, site) => {
    await removeContainer(site, jobName(step));
    await removeNewVolumes(site, step.project.name, textsOf(saved, 'volumes'));
    await removeNewNetworks(site, step.project.name, textsOf(saved, 'networks'));
  },
};

/** Runs a vendor's check on the staged files, in the new image, under a project of its own that is gone afterwards. */
const validateFiles: Handler<'validate-files'> = {
  done: async () => false,
  run: async (step, site) => {
    try {
      const result = await runCompose(site, step.project, ['run', '--rm', '--no-deps', '-T', step.service, ...step.command], {
        timeout: 120,
      });
      if (result.code !== 0) throw refusedFiles(step, result.stderr || result.stdout);
    } finally {
      await removeScratch(step.project, site);
    }
  },
  undo: async (step, _saved, site) => removeScratch(step.project, site),
};

const removeProject: Handler<'remove-project'> = {
  done: async (step, site) => {
    const { name } = step.project;
    const left = await Promise.all([listContainers(site, name), listNetworks(site, name), listVolumes(site, name)]);
    const [containers, networks, volumes] = left;
    return containers.length === 0 && networks.length === 0 && !step.volumes.some((volume) => volumes.includes(volume));
  },
  run: async (step, site) => {
    await removeContainers(site, await listContainers(site, step.project.name));
    await removeNewNetworks(site, step.project.name, []);
    await removeVolumes(site, step.project.name, step.volumes);
  },
};

/** The handlers of everything that changes containers. */
export const serviceSteps = {
  'stop-services': stopServices,
  'start-services': startServices,
  'run-job': runJob,
  'validate-files': validateFiles,
  'remove-project': removeProject,
} satisfies Partial<Handlers>;

/** The containers of these services, one-off ones left out. */
export async function serviceContainers(site: Site, project: ComposeProject, services: readonly string[]): Promise<ListedContainer[]> {
  const wanted = new Set(services);
  return (await listBriefly(site, project.name)).filter((container) => wanted.has(container.service) && !container.oneOff);
}

/** Stops containers with their own grace time, then removes them, and looks that they are gone; volumes stay. */
export async function removeContainers(site: Site, containers: readonly ListedContainer[]): Promise<void> {
  const ids = containers.map((container) => container.id);
  if (ids.length === 0) return;
  await dockerForSome(site, ['stop', ...ids]);
  await dockerForSome(site, ['rm', '--force', ...ids]);
  const left = new Set(await listContainerIds(site));
  const still = ids.find((id) => left.has(id));
  if (still !== undefined) throw notSo(`the container ${still.slice(0, 12)} is gone`);
}

/** What a project has of volumes and networks now, to tell later which were made. */
type Belongings = { volumes: string[]; networks: string[] };

async function listBelongings(project: string, site: Site): Promise<Belongings> {
  const [volumes, networks] = await Promise.all([listVolumes(site, project), listNetworks(site, project)]);
  return { volumes, networks };
}

/** Starts these services as they are described now. */
export async function startNow(
  site: Site,
  project: ComposeProject,
  services: readonly string[],
  extra: readonly string[] = [],
): Promise<void> {
  if (services.length === 0) return;
  await compose(site, project, ['up', '--detach', '--no-deps', '--no-build', '--pull', 'never', ...extra, ...services]);
}

export async function removeNewVolumes(site: Site, project: string, before: readonly string[]): Promise<void> {
  const made = (await listVolumes(site, project)).filter((volume) => !before.includes(volume));
  await removeVolumes(site, project, made);
}

async function removeVolumes(site: Site, project: string, volumes: readonly string[]): Promise<void> {
  if (volumes.length === 0) return;
  for (const volume of volumes) await dockerIfThere(site, ['volume', 'rm', volume]);
  const still = (await listVolumes(site, project)).find((volume) => volumes.includes(volume));
  if (still !== undefined) throw notSo(`the volume ${still} is gone`);
}

export async function removeNewNetworks(site: Site, project: string, before: readonly string[]): Promise<void> {
  const made = (await listNetworks(site, project)).filter((network) => !before.includes(network));
  if (made.length === 0) return;
  for (const network of made) await dockerIfThere(site, ['network', 'rm', network]);
  const still = (await listNetworks(site, project)).find((network) => made.includes(network));
  if (still !== undefined) throw notSo(`the network ${still} is gone`);
}

/** A name of its own, so that a job whose starter was killed is found again. */
function jobName(step: Step<'run-job'>): string {
  return `${step.project.name}-${nameOf(step)}`;
}

function failedJob(step: Step<'run-job'>, what: string, output = ''): ToolError {
  return new ToolError('E_STEP_FAILED', `${step.service}: ${step.command.join(' ')} ${what}`, {
    hint: 'Its output above says why; the release may be broken, report it to its maintainer.',
    details: { output: output.split('\n').slice(-20).join('\n') },
  });
}

/** Removes all that a project has: it was there for one question. */
export async function removeScratch(project: ComposeProject, site: Site): Promise<void> {
  for (const container of await listContainers(site, project.name)) await removeContainer(site, container.id);
  await removeNewVolumes(site, project.name, []);
  await removeNewNetworks(site, project.name, []);
}

function refusedFiles(step: Step<'validate-files'>, output: string): ToolError {
  return new ToolError('E_STEP_FAILED', `${step.service} refuses the new files: ${output.trim().split('\n').slice(-3).join(' | ')}`, {
    hint: 'Nothing was stopped. Mend the file it names (your edit, or the release), then try again.',
  });
}
