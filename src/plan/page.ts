// The vendor's page for the time in which the door is shut. Rule: shown once the door's services are gone, taken away before they come back, and by every way back.
import type { Manifest } from '../model/manifest.ts';
import type { ComposeProject, Step } from '../model/plan.ts';

export interface Page {
  readonly show: readonly Step[];
  readonly hide: readonly Step[];
}

/** The steps around the work; none without such a service, or while the door stays open. `stopped` are the services that were stopped by then. */
export function pageSteps({ upgrade }: Manifest, project: ComposeProject, stopped: readonly string[]): Page {
  const { maintenance: service, entry } = upgrade;
  if (service === undefined || !entry.some((name) => stopped.includes(name))) return { show: [], hide: [] };
  return {
    show: [{ kind: 'show-page', why: 'people see a page while the door is shut', project, service }],
    hide: [{ kind: 'hide-page', why: 'the page goes, so that the door can open', project, service }],
  };
}
