// Back to a backup, on purpose. Rule: the present data is kept as a rescue backup first; files, settings, record and data go back together.
import type { Digest } from '../model/digest.ts';
import { withoutOwnServers } from '../model/external.ts';
import type { ComposeFact, EngineFacts, InstallFacts } from '../model/facts.ts';
import { pristineFolder } from '../model/layout.ts';
import type { Manifest } from '../model/manifest.ts';
import type { OwnService } from '../model/own-service.ts';
import type { ComposeProject, DataToCopy, FileAfter, FileToWrite, Plan, Step } from '../model/plan.ts';
import { closeBackupStep } from './data.ts';
import { ownNotes, refuseOwn, renewSteps } from './own-service.ts';
import { pageSteps } from './page.ts';
import { healthStep, imagesToPull, probesOf, startSteps } from './release-steps.ts';
import { holdsCopied, type ServicesDecision } from './services.ts';

export interface RestoreWish {
  readonly id: string;
  readonly basedOn: Digest;
  /** Where the backup can be read, relative to the install or absolute. */
  readonly backup: string;
  /** What it is called. */
  readonly name: string;
  /** The release it is of. */
  readonly target: Manifest;
  readonly items: readonly DataToCopy[];
  /** Where the present data is kept. */
  readonly rescue: string;
  /** The files of the backup, `.env` and install.json included. */
  readonly files: readonly FileToWrite[];
  readonly features: readonly string[];
}

export interface RestoreFacts {
  readonly install: InstallFacts;
  /** Services that have containers now. */
  readonly present: readonly string[];
  /** The project as the restored files describe it. */
  readonly next: ComposeFact;
  readonly presentItems: readonly DataToCopy[];
  readonly engine: EngineFacts;
}

/** The plan of going back. It can be undone until people reach the restored release: what they write then is never discarded. */
export function planRestore(asked: RestoreWish, facts: RestoreFacts): Plan {
  const wish = { ...asked, target: withoutOwnServers(asked.target, asked.features) };
  const { install, next } = facts;
  const { project } = install;
  const tree = `.slipway/staged/${wish.id}/tree`;
  const own = refuseOwnData(wish, facts);
  const present = facts.present.filter((service) => service !== own?.service);
  const page = pageSteps(install.manifest, project, present);
  const opening = openingOf(wish, next, project, own?.service);
  const inside = opening.isShut ? [...opening.inside, ...page.hide] : [...page.hide, ...opening.inside];
  const before: Step[] = [
    { kind: 'pull-images', why: 'the images of the restored release', images: imagesToPull(wish.target) },
    { kind: 'stage-files', why: 'the files of the backup are prepared', to: tree, files: wish.files },
    {
      kind: 'stage-files',
      why: 'its manifest is the base of later comparisons',
      to: pristineFolder(wish.target.version),
      files: wish.files.filter((file) => file.path === 'bundle.json'),
    },
    { kind: 'guard-health', why: 'going back ends as well as it is now', project, probes: [], timeout: wish.target.upgrade.timeout },
    ...(present.length === 0
      ? []
      : [{ kind: 'stop-services', why: 'nothing writes while data is exchanged', project, services: present } as const]),
    ...page.show,
    ...rescueSteps(wish, facts),
    {
      kind: 'swap-files',
      why: `the files become those of the backup (${wish.target.version})`,
      from: tree,
      files: filesAfter(wish, install),
    },
    ...(wish.items.length === 0
      ? []
      : [
          {
            kind: 'restore-data',
            why: 'the data becomes that of the backup',
            backup: wish.backup,
            rescue: wish.rescue,
            project,
            items: wish.items,
          } as const,
        ]),
  ];
  const shut = opening.isShut ? inside : [];
  return {
    schema: 1,
    id: wish.id,
    operation: wish.id,
    command: 'restore',
    basedOn: wish.basedOn,
    steps: [...before, ...inside, ...opening.door, ...renewSteps(own, project)],
    commitAfter: before.length + shut.length - 1,
    notes: [
      `what is there now is kept at ${wish.rescue}`,
      'rows written since the backup are only in that rescue backup afterwards',
      ...ownNotes(own, false),
    ],
  };
}

/** The own service, which runs on. Throws E_POLICY when it cannot. */
function refuseOwnData({ target, items }: RestoreWish, { install, engine, next, presentItems }: RestoreFacts): OwnService | undefined {
  const { own } = engine;
  if (own === undefined) return undefined;
  refuseOwn(own, {
    isGone: next.services[own.service] === undefined,
    holdsData: holdsCopied(own.service, { root: install.root, engine, items: [...items, ...presentItems] }),
    isNeeded: servicesOf(target, [own.service]).dataStarted.length > 0,
  });
  return own;
}

/** Data that only the backup's release declares is kept too: it is replaced all the same, and going back takes it from here. */
function rescueSteps(wish: RestoreWish, facts: RestoreFacts): Step[] {
  const { install, presentItems } = facts;
  const items = [...presentItems, ...wish.items.filter(({ name }) => !presentItems.some((item) => item.name === name))];
  const files = [...install.files.keys(), '.slipway/install.json'];
  const { manifest } = install;
  return [
    { kind: 'open-backup', why: 'what is there now is kept', backup: wish.rescue, files },
    ...(items.length === 0 ? [] : [{ kind: 'copy-data', why: 'the present data, as it is', backup: wish.rescue, items } as const]),
    closeBackupStep({
      backup: wish.rescue,
      manifest,
      manifestDigest: install.record.manifest,
      items,
      reason: `before going back to ${wish.name}`,
      rescue: true,
    }),
  ];
}

/** Files of the present release that the backup does not have go away; the person's own stay, and so do links (mode 0), which no backup gives back. */
function filesAfter(wish: RestoreWish, install: InstallFacts): FileAfter[] {
  const restored = new Set(wish.files.map((file) => file.path));
  const isThere = (path: string): boolean => (install.files.get(path)?.mode ?? 0) !== 0;
  const gone = install.manifest.files.filter((file) => file.owner === 'vendor' && isThere(file.path) && !restored.has(file.path));
  return [...wish.files, ...gone.map((file) => ({ path: file.path, content: null, mode: 0 }))];
}

export interface Opening {
  readonly inside: readonly Step[];
  readonly door: readonly Step[];
  /** Nobody outside can reach what starts before the door opens. */
  readonly isShut: boolean;
}

/** How the restored release starts: the door opens last, as in an upgrade. `own` runs already. */
export function openingOf(
  wish: Pick<RestoreWish, 'target' | 'features'>,
  next: ComposeFact,
  project: ComposeProject,
  own?: string,
): Opening {
  const { target } = wish;
  const active = Object.keys(next.services).filter((service) => service !== own);
  const services = servicesOf(target, active.sort());
  const probes = probesOf(target, wish.features);
  const { probation } = target.upgrade;
  const awaited = [...services.dataStarted, ...services.rest];
  const behind = probes.filter((probe) => services.entry.length === 0 || probe.after !== 'entry');
  const outside = probes.filter((probe) => !behind.includes(probe));
  const why = 'the restored release must be well';
  const answers = 'the restored release answers at its door';
  return {
    isShut: services.entry.length > 0 && awaited.every((service) => (next.services[service]?.publishes.length ?? 0) === 0),
    inside: [
      ...startSteps(project, services, services.dataStarted, 'data services with the restored data'),
      ...startSteps(project, services, services.rest, 'the rest of the restored release'),
      healthStep({ target, project, services, awaited, probes: behind, probation, why }),
    ],
    door: [
      ...startSteps(project, services, services.entry, 'the door opens'),
      ...(services.entry.length === 0
        ? []
        : [healthStep({ target, project, services, awaited: services.entry, probes: outside, probation: 0, why: answers })]),
    ],
  };
}

/** What starts when data was put back, and when. */
export function servicesOf(target: Manifest, active: readonly string[]): ServicesDecision {
  const isJob = (service: string): boolean => target.services[service]?.kind === 'job';
  const isEntry = (service: string): boolean => target.upgrade.entry.includes(service);
  const data = new Set([
    ...target.upgrade.migrate.flatMap((each) => each.needs),
    ...Object.values(target.data).flatMap((item) => item.backup?.service ?? []),
  ]);
  const others = active.filter((service) => !data.has(service) && !isJob(service));
  return {
    writers: [],
    dataStopped: [],
    dataStarted: active.filter((service) => data.has(service)),
    rest: others.filter((service) => !isEntry(service)),
    entry: others.filter(isEntry),
    recreate: [],
    jobs: [],
    optional: active.filter((service) => target.services[service]?.optional === true),
    lasting: active.filter((service) => !isJob(service)),
  };
}
