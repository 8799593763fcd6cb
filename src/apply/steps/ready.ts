// Waiting for services, by the engine's own word. Rule: a service with a health check must be healthy, one without must run; nothing waits for ever.
import { ToolError } from '../../model/error.ts';
import { type ListedContainer as Container, listBriefly, listContainers } from '../../world/containers.ts';
import { docker } from '../../world/docker.ts';
import type { Site } from '../handler.ts';

/** How often the engine is asked when nothing is expected at any moment. Milliseconds. */
export const POLL_EVERY = 300;
/** How long data services may take to answer. Seconds; a database may have a long log to replay. */
const READY_WITHIN = 300;

/** Waits until these services run and are healthy; throws E_UNHEALTHY naming the ones that are not. */
export async function waitUntilReady(site: Site, project: string, services: readonly string[]): Promise<void> {
  const begun = site.world.now().getTime();
  const deadline = begun + READY_WITHIN * 1000;
  for (;;) {
    const listed = await listBriefly(site, project);
    // The lists of some engines tell no health: that all are ready is only believed of a look at each container.
    const containers = troubled(services, listed).length > 0 ? listed : await listContainers(site, project);
    const waiting = troubled(services, containers);
    if (waiting.length === 0) return;
    const dead = waiting.find((service) => isDead(service, containers));
    if (dead !== undefined || site.world.now().getTime() > deadline) throw await notReady(site, dead ?? waiting[0] ?? '', containers);
    await pause(site, begun);
  }
}

/** Waits a tenth of what was waited already: what is soon well is soon seen, and nothing slow is asked all the time. `begun` in milliseconds. */
export function pause({ world }: Site, begun: number): Promise<void> {
  const waited = world.now().getTime() - begun;
  return world.sleep(Math.min(Math.max(waited / 10, POLL_EVERY / 3), 2 * POLL_EVERY));
}

/** What is wrong with a long-running service, or undefined when it is well. */
export function troubleOf(service: string, containers: readonly Container[]): string | undefined {
  const own = containers.filter((container) => container.service === service && !container.oneOff);
  if (own.length === 0) return `${service} has no container`;
  for (const container of own) {
    if (container.state !== 'running')
      return `${service} is ${container.state}${container.state === 'exited' ? ` with code ${container.exitCode}` : ''}`;
    if (container.health !== undefined && container.health !== 'healthy' && container.health !== 'none')
      return `${service} is ${container.health}`;
  }
  return undefined;
}

/** The last lines of a service's log, for an error's details. */
export async function lastLog(site: Site, service: string, containers: readonly Container[]): Promise<string> {
  const container = containers.find((each) => each.service === service);
  if (container === undefined) return '';
  const lines: string[] = [];
  await docker(site, ['logs', '--tail', '20', container.id], { onLine: (line) => lines.push(line) });
  return lines.join('\n');
}

function troubled(services: readonly string[], containers: readonly Container[]): string[] {
  return services.filter((service) => troubleOf(service, containers) !== undefined);
}

function isDead(service: string, containers: readonly Container[]): boolean {
  return containers.some((container) => container.service === service && (container.state === 'exited' || container.state === 'dead'));
}

async function notReady(site: Site, service: string, containers: readonly Container[]): Promise<ToolError> {
  return new ToolError('E_UNHEALTHY', troubleOf(service, containers) ?? `${service} is not ready`, {
    hint: `Its log: docker logs of service ${service}.`,
    details: { service, log: await lastLog(site, service, containers) },
  });
}
