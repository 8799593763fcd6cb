// The first install of a release, as a list of steps (design §7). Rule: every step can be undone, so that a failed install leaves exactly what was there before.
import type { Digest } from '../model/digest.ts';
import { ownServerNotes, withoutOwnServers } from '../model/external.ts';
import type { ComposeFact, ContainerFact, FileFact } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ComposeProject, FileAfter, FileToWrite, Plan, Step } from '../model/plan.ts';
import { type CommandWish, commandSteps } from './command.ts';
import { decideFiles } from './files.ts';
import {
  healthStep,
  imagesToPull,
  loginSteps,
  migrationSteps,
  ownLinks,
  pristineStep,
  probesOf,
  startSteps,
  validationSteps,
  withRestorer,
} from './release-steps.ts';
import { decideServices } from './services.ts';

export interface InstallWish {
  readonly id: string;
  readonly at: string;
  readonly basedOn: Digest;
  readonly target: Manifest;
  /** Its compose file as it was signed, where the site re-homes its images. */
  readonly shippedCompose?: Digest;
  /** A registry that docker must log in to first. */
  readonly login?: string | undefined;
  /** bundle.json and its signature. */
  readonly extra: readonly FileToWrite[];
  /** The env files as they will be. */
  readonly settings: readonly FileToWrite[];
  readonly record: Digest;
  readonly features: readonly string[];
  readonly start: boolean;
  readonly launching?: CommandWish;
}

export interface InstallSiteFacts {
  readonly root: string;
  readonly rootExists: boolean;
  /** An uninstalled product left its `.slipway` here: it stays when this plan is undone. */
  readonly isKnown?: boolean;
  readonly project: ComposeProject;
  /** Files of the release that lie in the folder already. */
  readonly found: ReadonlyMap<string, FileFact>;
  readonly containers: readonly ContainerFact[];
  readonly next: ComposeFact;
}

/** The plan of a first install. Throws E_CONFLICT when files of the folder are in the way. */
export function planInstall(wish: InstallWish, facts: InstallSiteFacts): Plan {
  const target = withoutOwnServers(wish.target, wish.features);
  const { start } = wish;
  const tree = `.slipway/staged/${wish.id}/tree`;
  const files = decideFiles({ old: undefined, target, found: facts.found });
  const record: FileToWrite = { path: '.slipway/install.json', content: wish.record, mode: 0o600 };
  const swapped: FileAfter[] = [...files.swapped, ...wish.extra, ...wish.settings];
  const steps: Step[] = [
    ...(wish.launching === undefined ? [] : commandSteps(wish.launching)),
    ...loginSteps(wish.login),
    ...(start ? [{ kind: 'pull-images', why: 'the images of the release, by digest', images: imagesToPull(target) } as const] : []),
    ...folderSteps(target),
    {
      kind: 'stage-files',
      why: 'the files are prepared',
      to: tree,
      files: [...files.staged, ...wish.extra, ...wish.settings, record],
      links: ownLinks(target, files.linked),
    },
    pristineStep(target, wish.extra, wish.shippedCompose),
    ...(start ? validationSteps(target, facts.project, tree, Object.keys(facts.next.services)) : []),
    { kind: 'swap-files', why: `the files of ${target.version} get their places`, from: tree, files: swapped },
    ...(start ? startAll({ ...wish, target }, facts, swapped) : []),
    { kind: 'swap-files', why: `${target.version} is written down as installed`, from: tree, files: [record] },
  ];
  return {
    schema: 1,
    id: wish.id,
    operation: wish.id,
    command: 'install',
    basedOn: wish.basedOn,
    steps: withRestorer(steps),
    commitAfter: steps.length - 1,
    ...(facts.isKnown === true ? {} : { fresh: facts.rootExists ? 'state' : 'root' }),
    notes: notesOf(wish),
  };
}

function folderSteps(target: Manifest): Step[] {
  if (target.folders.length === 0) return [];
  return [{ kind: 'make-folders', why: 'the folders of the product', folders: target.folders.map((path) => ({ path, mode: 0o755 })) }];
}

function startAll(wish: InstallWish, facts: InstallSiteFacts, swapped: readonly FileAfter[]): Step[] {
  const { target } = wish;
  const { project, root, next } = facts;
  const engine = { containers: facts.containers, volumes: [], config: next };
  const services = decideServices({
    root,
    old: undefined,
    target,
    engine,
    next,
    swapped: swapped.map((file) => file.path),
    items: [],
    quiet: true,
  });
  const probes = probesOf(target, wish.features);
  const inside = probes.filter((probe) => services.entry.length === 0 || probe.after !== 'entry');
  const outside = probes.filter((probe) => !inside.includes(probe));
  const { probation } = target.upgrade;
  return [
    ...startSteps(project, services, services.dataStarted, 'data services first'),
    ...migrationSteps(
      project,
      target.upgrade.migrate.filter((migration) => migration.on.includes('install')),
      'the data gets its first shape',
    ),
    ...startSteps(project, services, services.rest, 'the services of the product'),
    healthStep({
      target,
      project,
      services,
      awaited: [...services.dataStarted, ...services.rest],
      probes: inside,
      probation,
      why: 'the product must be well',
    }),
    ...startSteps(project, services, services.entry, 'the door opens'),
    ...(services.entry.length === 0
      ? []
      : [
          healthStep({
            target,
            project,
            services,
            awaited: services.entry,
            probes: outside,
            probation: 0,
            why: 'the product answers at its door',
          }),
        ]),
  ];
}

function notesOf(wish: InstallWish): string[] {
  const notes: string[] = [];
  notes.push(...ownServerNotes(wish.target, wish.features));
  if (!wish.start) notes.push('--no-start: only files are written; pull and start is up to you');
  if (wish.target.hostPaths.length > 0) notes.push(`paths of this machine that services see: ${wish.target.hostPaths.join(', ')}`);
  return [...notes, ...(wish.launching?.notes ?? [])];
}
