// The container that this program runs in is replaced by a helper: a one-shot container of the same service, which waits for this program to end. Rule: the step is done when the
// helper is ready, never when it has worked, for then there is nobody left to say so.
import { join } from 'node:path';
import { hexOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { operatorsFolder } from '../../model/layout.ts';
import { HELPER_READY, helperWords } from '../../model/own-service.ts';
import type { Step } from '../../model/plan.ts';
import { inspectContainer, listContainers, removeContainer } from '../../world/containers.ts';
import { compose, docker } from '../../world/docker.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { pause } from './ready.ts';

/** Seconds until a helper must be ready: it starts Node.js and looks at the engine. */
const READY_WITHIN = 120;

const renewSelf: Handler<'renew-self'> = {
  /** Another container than the one that was found was made from the new files. */
  done: async (step, site) => {
    const own = (await listContainers(site, step.project.name)).filter((each) => each.service === step.service && !each.oneOff);
    return own.some(({ state }) => state === 'running') && own.every(({ id }) => id !== step.container);
  },
  run: async (step, site) => {
    await removeContainer(site, helperName(step)); // one of a run that was cut off
    await compose(site, step.project, helperArguments(step, site));
    await awaitHelper(step, site);
  },
};

/** The handler of the last step of those who run inside of what they change. */
export const ownServiceSteps = { 'renew-self': renewSelf } satisfies Partial<Handlers>;

function helperArguments(step: Step<'renew-self'>, { root, operator }: Site): string[] {
  if (operator === undefined) throw new Error('nobody said which program carries this plan out');
  const words = helperWords(join(operatorsFolder(root), hexOf(operator)), { service: step.service, root });
  const kind = ['--detach', '--rm', '--no-deps', '--name', helperName(step), '--user', step.user, '--entrypoint', step.node];
  return ['run', ...kind, step.service, ...words];
}

/** A name of its own, so that there is never more than one. */
function helperName({ project, service }: Step<'renew-self'>): string {
  return `${project.name}-renew-${service}`;
}

/** The new image may not be able to do it: then it is known now, and the present container stays. */
async function awaitHelper(step: Step<'renew-self'>, site: Site): Promise<void> {
  const begun = site.world.now().getTime();
  for (let log = ''; ; await pause(site, begun)) {
    const helper = await inspectContainer(site, helperName(step));
    if (helper?.state === 'running') log = await logOf(helper.id, site);
    if (log.includes(HELPER_READY)) return;
    const isLate = site.world.now().getTime() - begun > READY_WITHIN * 1000;
    if (helper !== undefined && helper.state !== 'exited' && !isLate) continue;
    if (helper !== undefined) await removeContainer(site, helper.id);
    throw notReady(step, log);
  }
}

async function logOf(id: string, site: Site): Promise<string> {
  const lines: string[] = [];
  await docker(site, ['logs', '--tail', '20', id], { onLine: (line) => lines.push(line) });
  return lines.join('\n');
}

function notReady({ service }: Step<'renew-self'>, log: string): ToolError {
  return new ToolError('E_UNHEALTHY', `${service} still runs as before: its new container cannot run this command`, {
    hint: `Run \`restart ${service}\` on the machine itself. The image needs Node.js, docker and docker compose.`,
    details: { service, log },
  });
}
