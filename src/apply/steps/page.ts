// The vendor's page while the door is shut. Rule: a page that cannot be shown stops nothing, and none is left in any end.

import { runCompose } from '../../world/docker.ts';
import type { Handler, Handlers } from '../handler.ts';
import { removeContainers, serviceContainers } from './services.ts';

const showPage: Handler<'show-page'> = {
  done: async ({ project, service }, site) => (await serviceContainers(site, project, [service])).some(({ state }) => state === 'running'),
  run: async ({ project, service }, site) => {
    const argv = ['up', '--detach', '--no-deps', '--no-build', '--pull', 'never', service];
    const { code, stderr } = await runCompose(site, project, argv);
    if (code === 0) return;
    await removeContainers(site, await serviceContainers(site, project, [service]));
    site.world.report({ type: 'warning', text: `${service} cannot show its page: ${stderr.trim().split('\n').at(-1) ?? ''}` });
  },
  undo: async ({ project, service }, _saved, site) => removeContainers(site, await serviceContainers(site, project, [service])),
};

const hidePage: Handler<'hide-page'> = {
  done: async ({ project, service }, site) => (await serviceContainers(site, project, [service])).length === 0,
  run: async ({ project, service }, site) => removeContainers(site, await serviceContainers(site, project, [service])),
};

/** The handlers of the page. */
export const pageSteps = { 'show-page': showPage, 'hide-page': hidePage } satisfies Partial<Handlers>;
