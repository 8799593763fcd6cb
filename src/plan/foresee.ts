// What an install will be when a plan has been carried out: the ground that the plan of the next hop is made on before anything has changed. Rule: pure; what cannot be known is
// taken to go well, for a plan that does not go well ends the upgrade.
import type { ContainerFact, EngineFacts } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Plan, Step } from '../model/plan.ts';
import type { UpgradeFacts } from './course.ts';

/** The facts of a next hop that are no files. */
export type Foreseen = Pick<UpgradeFacts, 'engine' | 'backups' | 'releases' | 'localImages' | 'sizes'>;

/** The engine and what is kept, after this plan. */
export function foresee(plan: Plan, facts: UpgradeFacts, target: Manifest): Foreseen {
  const backups = plan.steps.filter((step) => step.kind === 'close-backup').map(({ backup, rescue }) => ({ path: backup, rescue }));
  const pulled = plan.steps.filter((step) => step.kind === 'pull-images').flatMap(({ images }) => images.map(({ local }) => local));
  return {
    engine: engineAfter(facts, target),
    ...(facts.sizes && { sizes: facts.sizes }),
    backups: [...facts.backups, ...backups],
    releases: [...new Set([...facts.releases, target.version])],
    localImages: [...new Set([...facts.localImages, ...pulled])],
  };
}

function engineAfter({ engine, next }: UpgradeFacts, target: Manifest): EngineFacts {
  const containers = Object.entries(next.services).map(([service, { image, mounts, publishes }]): ContainerFact => {
    const isJob = target.services[service]?.kind === 'job';
    const present = engine.containers.find((each) => each.service === service && !each.oneOff);
    if (present !== undefined && service === engine.own?.service) return present; // replaced when all hops are done
    const volumes = mounts.filter(({ type }) => type === 'volume').map(({ source }) => next.volumes[source] ?? source);
    return {
      ...(present ?? newContainer(service, next.name)),
      ...{ state: isJob ? 'exited' : 'running', exitCode: 0, configHash: next.hashes[service] ?? '' },
      ...{ image, volumes, published: publishes },
    };
  });
  const volumes = [...new Set([...engine.volumes, ...Object.values(next.volumes)])];
  return { containers, volumes, config: next, ...(engine.own && { own: engine.own }) };
}

function newContainer(service: string, project: string): ContainerFact {
  const name = `${project}-${service}-1`;
  return {
    ...{ id: name, name, project, service, oneOff: false, state: 'running', health: undefined, exitCode: 0, restarts: 0 },
    ...{ startedAt: '', image: '', imageId: '', configHash: '', workingFolder: '', volumes: [] },
  };
}

/** What a person must have seen before it is done: data, migrations, and services that go down or up. */
const WEIGHTY = [
  'stop-services',
  'open-backup',
  'dump-data',
  'copy-data',
  'swap-files',
  'guard-data',
  'carry-data',
  'import-data',
  'drop-volumes',
  'run-job',
  'start-services',
] as const;

/** True when both plans do the same to the product, step by step; how many files or services each step has is not compared. */
export function isSameCourse(shown: Plan, made: Plan): boolean {
  const weighty = ({ steps }: Plan): string => steps.flatMap((step) => weightOf(step) ?? []).join('\n');
  return weighty(shown) === weighty(made);
}

function weightOf(step: Step): string | undefined {
  if (step.kind === 'run-job') return `${step.kind} ${step.service} ${step.command.join(' ')}`;
  return WEIGHTY.find((kind) => kind === step.kind);
}
