// Services get new containers, as a list of steps. Rule: nothing of the install changes, so there is nothing to go back to; whoever is cut off goes on.
import type { Digest } from '../model/digest.ts';
import { withoutOwnServers } from '../model/external.ts';
import type { EngineFacts, InstallFacts } from '../model/facts.ts';
import type { Plan, Step } from '../model/plan.ts';
import { ownNotes, renewSteps } from './own-service.ts';
import { healthStep } from './release-steps.ts';
import { servicesOf } from './restore.ts';

export interface RestartWish {
  readonly id: string;
  readonly basedOn: Digest;
  readonly services: readonly string[];
}

/** The plan: data services first, the door last, and the container that this program runs in when it has ended. */
export function planRestart({ id, basedOn, services: wanted }: RestartWish, install: InstallFacts, { own }: EngineFacts): Plan {
  const { project, record } = install;
  const target = withoutOwnServers(install.manifest, record.features);
  const others = wanted.filter((service) => service !== own?.service).sort();
  const jobs = others.filter((service) => target.services[service]?.kind === 'job');
  const services = { ...servicesOf(target, others), jobs };
  const { dataStarted, rest, entry } = services;
  const again = (names: readonly string[], why: string): Step[] =>
    names.length === 0 ? [] : [{ kind: 'start-services', why, project, services: names, recreate: names }];
  const steps: Step[] = [
    ...again(dataStarted, 'data services first'),
    ...again([...rest, ...jobs], 'you asked for it'),
    ...again(entry, 'the door last'),
    ...(others.length === 0
      ? []
      : [healthStep({ target, project, services, awaited: others, probes: [], probation: 0, why: 'they must be well' })]),
    ...renewSteps(wanted.includes(own?.service ?? '') ? own : undefined, project),
  ];
  const notes = wanted.includes(own?.service ?? '') ? [] : ownNotes(own, false);
  return { schema: 1, id, operation: id, command: 'restart', basedOn, steps, commitAfter: -1, notes };
}
