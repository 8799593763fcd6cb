// Is the product well? Rule: our own judgement, not Compose's: running, healthy, probes right, and it stays so without a restart.
import { join } from 'node:path';
import type { Probe } from '../../model/description.ts';
import { ToolError } from '../../model/error.ts';
import type { ContainerFact as Container } from '../../model/facts.ts';
import { parseMap, parseText } from '../../model/parse.ts';
import { fillPlaceholders } from '../../model/placeholder.ts';
import type { Step } from '../../model/plan.ts';
import { type ListedContainer, listBriefly, listContainers } from '../../world/containers.ts';
import { runCompose } from '../../world/docker.ts';
import { probeHttp, probeTcp } from '../../world/probe.ts';
import { type EnvironmentValues, readValues } from '../../world/values.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { textsOf } from './files.ts';
import { lastLog, POLL_EVERY, pause, troubleOf } from './ready.ts';
import { startNow } from './services.ts';

/** A probe that fails so often in a row has failed, as with an engine's own health checks; once may be a machine that is busy. */
const PROBE_RETRIES = 3;

type Expectation = Omit<Step<'check-health'>, 'kind' | 'why'>;

const checkHealth: Handler<'check-health'> = {
  done: async () => false,
  run: async (step, site) => {
    const well = await waitUntilWell(step, site);
    await watch(step, site, well);
  },
};

const guardHealth: Handler<'guard-health'> = {
  done: async () => false,
  save: async (step, site) => {
    const containers = (await listContainers(site, step.project.name)).filter(
      (container) => !container.oneOff && container.state === 'running',
    );
    const services = [...new Set(containers.map((container) => container.service))].filter(
      (service) => troubleOf(service, containers) === undefined,
    );
    const troubled = await Promise.all(step.probes.map((probe) => probeTrouble(probe, step, site)));
    return {
      services,
      images: imagesOf(containers),
      probes: step.probes.flatMap((_, index) => (troubled[index] === undefined ? [String(index)] : [])),
    };
  },
  run: async () => undefined,
  undo: async (step, saved, site) => {
    const well = new Set(textsOf(saved, 'probes'));
    const probes = step.probes.filter((_, index) => well.has(String(index)));
    const services = textsOf(saved, 'services');
    // What was started on the way back may have ended since, at a restart of the machine or of the engine.
    const found = await listContainers(site, step.project.name);
    const isUp = (service: string): boolean => found.some((each) => each.service === service && !each.oneOff && each.state === 'running');
    await startNow(
      site,
      step.project,
      services.filter((service) => !isUp(service)),
    );
    const expected = { project: step.project, services, jobs: [], optional: [], probes, timeout: step.timeout, probation: 0 };
    const now = imagesOf(await waitUntilWell(expected, site));
    const before = parseMap(saved.images, 'saved.images', parseText);
    const other = services.find((service) => now[service] !== before[service]);
    if (other !== undefined)
      throw new ToolError('E_UNHEALTHY', `${other} does not run the image it ran before`, { hint: 'Run `recover` again.' });
  },
};

/** The handlers that ask whether the product is well. */
export const healthSteps = { 'check-health': checkHealth, 'guard-health': guardHealth } satisfies Pick<
  Handlers,
  'check-health' | 'guard-health'
>;

/**
 * Asks again and again until nothing is wrong; throws E_UNHEALTHY with the last trouble and the end of the log. A list says what is wrong, and a look at each
 * container that nothing is: the lists of some engines tell no health.
 */
async function waitUntilWell(step: Expectation, site: Site): Promise<readonly Container[]> {
  const begun = site.world.now().getTime();
  for (;;) {
    const listed = await listBriefly(site, step.project.name);
    let trouble = findIll(step, listed);
    if (trouble === undefined) {
      const containers = await listContainers(site, step.project.name);
      trouble = await findTrouble(step, site, containers);
      if (trouble === undefined) return containers;
    }
    const waited = (site.world.now().getTime() - begun) / 1000;
    if (site.interrupted()) throw new ToolError('E_INTERRUPTED', 'interrupted');
    if (waited > step.timeout || trouble.final === true) throw await unhealthy(trouble, site, listed);
    site.world.report({ type: 'progress', text: `waiting: ${trouble.text}`, done: waited, total: step.timeout, unit: 'seconds' });
    await pause(site, begun);
  }
}

/** Probation: well for so many seconds, and no container started anew meanwhile. It does not end on a probe that failed last. */
async function watch(step: Expectation, site: Site, well: readonly Container[]): Promise<void> {
  const begun = site.world.now().getTime();
  const births = new Map(well.map((container) => [container.id, container.startedAt]));
  let failures = 0;
  for (let waited = 0; waited < step.probation || failures > 0; waited = (site.world.now().getTime() - begun) / 1000) {
    await site.world.sleep(POLL_EVERY);
    const containers = await listContainers(site, step.project.name);
    const trouble = (await findTrouble(step, site, containers)) ?? findRestart(step, containers, births);
    failures = trouble?.probe === true ? failures + 1 : 0;
    if (trouble !== undefined && (trouble.probe !== true || failures === PROBE_RETRIES)) throw await unhealthy(trouble, site, containers);
    site.world.report({ type: 'progress', text: 'probation', done: waited, total: step.probation, unit: 'seconds' });
  }
}

interface Trouble {
  readonly text: string;
  readonly service?: string;
  /** Waiting longer will not help. */
  readonly final?: boolean;
  /** A vendor's probe found it, and may find otherwise when it is run again. */
  readonly probe?: boolean;
}

async function findTrouble(step: Expectation, site: Site, containers: readonly ListedContainer[]): Promise<Trouble | undefined> {
  const ill = findIll(step, containers);
  if (ill !== undefined) return ill;
  for (const probe of step.probes) {
    const text = await probeTrouble(probe, step, site);
    if (text !== undefined) return { text, probe: true, ...(probe.service === undefined ? {} : { service: probe.service }) };
  }
  return undefined;
}

/** What the containers themselves tell: a job that failed or still runs, a service that is down or ill. */
function findIll(step: Expectation, containers: readonly ListedContainer[]): Trouble | undefined {
  const optional = new Set(step.optional);
  for (const service of step.jobs) {
    const job = containers.find((container) => container.service === service && !container.oneOff);
    if (job?.state === 'exited' && job.exitCode !== 0) return { text: `${service} ended with code ${job.exitCode}`, service, final: true };
    if (job?.state !== 'exited') return { text: `${service} has not ended yet`, service };
  }
  for (const service of step.services) {
    const text = optional.has(service) ? undefined : troubleOf(service, containers);
    if (text !== undefined) return { text, service };
  }
  return undefined;
}

function findRestart(step: Expectation, containers: readonly Container[], births: ReadonlyMap<string, string>): Trouble | undefined {
  const watched = new Set(step.services.filter((service) => !step.optional.includes(service)));
  const again = containers.find(
    (container) => watched.has(container.service) && !container.oneOff && births.get(container.id) !== container.startedAt,
  );
  return again === undefined ? undefined : { text: `${again.service} was restarted during probation`, service: again.service };
}

/** What a vendor's probe finds wrong, or undefined. */
export async function probeTrouble(
  probe: Probe,
  step: Pick<Expectation, 'project'>,
  site: Pick<Site, 'root' | 'world'>,
): Promise<string | undefined> {
  const values = await readValues(join(site.root, step.project.folder, '.env'));
  if (probe.service !== undefined) return commandTrouble(probe, step, site);
  const trouble = await socketTrouble(probe, values);
  if (probe.refused !== true) return trouble;
  const address = fillPlaceholders(probe.http ?? probe.tcp ?? '', values, 'upgrade.health');
  return trouble === undefined ? `${address} answers, but should not` : undefined;
}

async function socketTrouble(probe: Probe, values: EnvironmentValues): Promise<string | undefined> {
  if (probe.http !== undefined)
    return probeHttp({ url: fillPlaceholders(probe.http, values, 'upgrade.health'), status: probe.status ?? 200, json: probe.json ?? {} });
  return probeTcp(fillPlaceholders(probe.tcp ?? '', values, 'upgrade.health'));
}

async function commandTrouble(
  probe: Probe,
  step: Pick<Expectation, 'project'>,
  site: Pick<Site, 'root' | 'world'>,
): Promise<string | undefined> {
  const result = await runCompose(site, step.project, ['exec', '-T', probe.service ?? '', ...(probe.command ?? [])], { timeout: 30 });
  return result.code === 0 ? undefined : `${probe.service}: ${(probe.command ?? []).join(' ')} ended with code ${result.code}`;
}

function imagesOf(containers: readonly Container[]): Record<string, string> {
  return Object.fromEntries(containers.filter((container) => !container.oneOff).map((container) => [container.service, container.imageId]));
}

async function unhealthy(trouble: Trouble, site: Site, containers: readonly ListedContainer[]): Promise<ToolError> {
  const log = trouble.service === undefined ? '' : await lastLog(site, trouble.service, containers);
  return new ToolError('E_UNHEALTHY', trouble.text, { hint: 'The log of the service says more.', details: { log } });
}
