// An install whose folder was moved takes up its work again, as a list of steps. Rule: the compose project and its volumes stay what they are; only paths change.
import type { Digest } from '../model/digest.ts';
import type { InstallFacts } from '../model/facts.ts';
import type { Plan, Step } from '../model/plan.ts';
import { type CommandWish, commandSteps } from './command.ts';

export interface RelocateWish {
  readonly id: string;
  readonly basedOn: Digest;
  /** install.json with the new folder. */
  readonly record: Digest;
  readonly launching: CommandWish;
}

export interface RelocateFacts {
  readonly install: InstallFacts;
  /** Services that have containers: these mount the old folder. */
  readonly present: readonly string[];
  /** Those that run, and will again. */
  readonly running: readonly string[];
  /** Variables of `.env` that still name the old folder. */
  readonly stale: readonly string[];
}

/** The plan that makes the folder, wherever it lies now, the install again. */
export function planRelocate({ id, basedOn, record, launching }: RelocateWish, facts: RelocateFacts): Plan {
  const { install, present, running, stale } = facts;
  const tree = `.slipway/staged/${id}/tree`;
  const file = { path: '.slipway/install.json', content: record, mode: 0o600 };
  const before: Step[] = [
    ...commandSteps(launching),
    ...(present.length === 0
      ? []
      : [
          {
            kind: 'stop-services',
            why: 'containers that look into the old folder go; volumes stay',
            project: install.project,
            services: present,
          } as const,
        ]),
    { kind: 'stage-files', why: 'the new place is prepared', to: tree, files: [file] },
    { kind: 'swap-files', why: `${install.root} is written down as the install`, from: tree, files: [file] },
    ...startSteps(install, running),
  ];
  const { former } = launching;
  const after: Step[] =
    former === undefined
      ? []
      : [{ kind: 'drop-runtime', why: 'the old place uses Node.js no more', ...former, user: install.record.folder }];
  return {
    schema: 1,
    ...{ id, operation: id, command: 'relocate', basedOn },
    steps: [...before, ...after],
    commitAfter: before.length - 1,
    notes: stale.map((name) => `${name} in .env still names ${install.record.folder}: look whether it is meant`),
  };
}

function startSteps({ project, manifest }: InstallFacts, running: readonly string[]): Step[] {
  if (running.length === 0) return [];
  const isJob = (service: string): boolean => manifest.services[service]?.kind === 'job';
  return [
    { kind: 'start-services', why: 'what ran before runs again', project, services: running, recreate: [] },
    {
      kind: 'check-health',
      why: 'they must be well',
      project,
      services: running.filter((service) => !isJob(service)),
      jobs: running.filter(isJob),
      optional: running.filter((service) => manifest.services[service]?.optional === true),
      probes: [],
      timeout: manifest.upgrade.timeout,
      probation: 0,
    },
  ];
}
