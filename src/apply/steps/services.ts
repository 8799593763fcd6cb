// Services of a compose project: pull, stop, start, run once. Rule: what is taken away is found by the engine's labels, not by a compose file that
// may be half-way between two releases.
import { ToolError } from '../../model/error.ts';
import { parseFlag, parseMap } from '../../model/parse.ts';
import type { ComposeProject, ImageToPull, Step } from '../../model/plan.ts';
import { readComposeConfig } from '../../world/compose-config.ts';
import {
  imageIds,
  type ListedContainer,
  listBriefly,
  listContainers,
  listNetworks,
  listVolumes,
  notSo,
  removeContainer,
} from '../../world/containers.ts';
import { compose, docker, dockerForSome, dockerIfThere, runCompose } from '../../world/docker.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { nameOf, textsOf } from './files.ts';
import { waitUntilReady } from './ready.ts';

/** Images pulled at the same time: more than this slows most registries down. */
const PULLS_AT_ONCE = 3;

const pullImages: Handler<'pull-images'> = {
  done: async (step, site) => (await lookAtImages(step, site)).every((image) => image.ready),
  save: async (step, site) => {
    const found = await lookAtImages(step, site);
    return {
      present: Object.fromEntries(
        found.flatMap((image) => [
          [image.pinned, image.here],
          [image.local, image.tagged],
        ]),
      ),
    };
  },
  run: async (step, site) => {
    const missing = (await lookAtImages(step, site)).filter((image) => !image.ready);
    let pulled = 0;
    const next = async (): Promise<void> => {
      for (let image = missing.shift(); image !== undefined; image = missing.shift()) {
        await pullImage(image, site);
        pulled += 1;
        site.world.report({ type: 'progress', text: 'images', done: pulled, total: step.images.length, unit: 'items' });
      }
    };
    await Promise.all(Array.from({ length: PULLS_AT_ONCE }, next));
    const lacking = (await lookAtImages(step, site)).find((image) => !image.ready);
    if (lacking !== undefined) throw notSo(`${lacking.name} is here`);
  },
  undo: async (step, saved, site) => {
    const present = parseMap(saved.present, 'saved.present', parseFlag);
    for (const image of step.images) {
      if (present[image.local] === false) await removeImage(image.local, site);
      if (present[image.pinned] === false) await removeImage(image.pinned, site);
    }
  },
};

const stopServices: Handler<'stop-services'> = {
  done: async (step, site) => (await serviceContainers(site, step.project, step.services)).length === 0,
  save: async (step, site) => {
    const found = await serviceContainers(site, step.project, step.services);
    const running = new Set(
      found.filter((container) => container.state === 'running' || container.state === 'restarting').map((container) => container.service),
    );
    return {
      running: [...running].sort(),
      stopped: [...new Set(found.map((container) => container.service))].filter((service) => !running.has(service)).sort(),
    };
  },
  run: async (step, site) => removeContainers(site, await serviceContainers(site, step.project, step.services)),
  undo: async (step, saved, site) => {
    const stopped = textsOf(saved, 'stopped');
    if (stopped.length > 0)
      await compose(site, step.project, ['up', '--no-start', '--no-deps', '--no-build', '--pull', 'never', ...stopped]);
    await startNow(site, step.project, textsOf(saved, 'running'));
  },
};

const startServices: Handler<'start-services'> = {
  done: async (step, site) => {
    if (step.recreate.length > 0 || step.services.length === 0) return step.services.length === 0;
    const running = (await serviceContainers(site, step.project, step.services)).filter((each) => each.state === 'running');
    const allRun = (wanted: (each: ListedContainer) => boolean): boolean =>
      step.services.every((service) => running.some((each) => each.service === service && wanted(each)));
    if (!allRun(() => true)) return false; // what Compose makes of the files need not be asked
    const { hashes } = await readComposeConfig(site, step.project);
    return allRun((each) => each.configHash === hashes[each.service]);
  },
  save: (step, site) => listBelongings(step.project.name, site),
  run: async (step, site) => {
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
};

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

const removeImages: Handler<'remove-images'> = {
  done: async (step, site) => (await imageIds(site, step.local)).size === 0,
  run: async (step, site) => {
    for (const local of step.local) await removeImage(local, site);
  },
};

/** The handlers of everything that changes containers and images. */
export const serviceSteps = {
  'pull-images': pullImages,
  'stop-services': stopServices,
  'start-services': startServices,
  'run-job': runJob,
  'validate-files': validateFiles,
  'remove-project': removeProject,
  'remove-images': removeImages,
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
  const left = new Set((await docker(site, ['ps', '--all', '--quiet', '--no-trunc'])).split('\n'));
  const still = ids.find((id) => left.has(id));
  if (still !== undefined) throw notSo(`the container ${still.slice(0, 12)} is gone`);
}

/** What a project has of volumes and networks now, to tell later which were made. */
async function listBelongings(project: string, site: Site): Promise<{ volumes: string[]; networks: string[] }> {
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

interface FoundImage extends ImageToPull {
  /** Here by its digest. */
  readonly here: boolean;
  /** Its local tag names some image. */
  readonly tagged: boolean;
  /** Here, and its local tag names the same one. */
  readonly ready: boolean;
}

async function lookAtImages(step: Step<'pull-images'>, site: Site): Promise<FoundImage[]> {
  const ids = await imageIds(
    site,
    step.images.flatMap(({ pinned, local }) => [pinned, local]),
  );
  return step.images.map((image) => {
    const [id, local] = [ids.get(image.pinned), ids.get(image.local)];
    return { ...image, here: id !== undefined, tagged: local !== undefined, ready: id !== undefined && id === local };
  });
}

async function pullImage(image: FoundImage, site: Site): Promise<void> {
  site.world.report({ type: 'note', text: `pulling ${image.name}` });
  if (!image.here) await docker(site, ['pull', '--quiet', image.pinned], { ...(site.stop && { stop: site.stop }) });
  await docker(site, ['tag', image.pinned, image.local]);
}

/** An image that a container uses stays: somebody else may rely on it. */
async function removeImage(reference: string, site: Site): Promise<void> {
  try {
    await dockerIfThere(site, ['image', 'rm', reference]);
  } catch (error) {
    if (!(error instanceof ToolError) || !/conflict|being used|in use/i.test(error.message)) throw error;
    return;
  }
  if ((await imageIds(site, [reference])).size > 0) throw notSo(`the image ${reference} is gone`);
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
