// Other images for some services, as a list of steps. Rule: pure; what is not named stays as it is and goes on running, and so does the data.
import type { Digest } from '../model/digest.ts';
import { withoutOwnServers } from '../model/external.ts';
import type { ComposeFact, EngineFacts, InstallFacts } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { FileToWrite, ImageToPull, Plan, Step } from '../model/plan.ts';
import type { FilesDecision } from './files.ts';
import { ownNotes, renewSteps } from './own-service.ts';
import { healthStep, loginSteps, ownLinks, probesOf, startSteps, validationSteps } from './release-steps.ts';
import { decideServices, type ServicesDecision } from './services.ts';

export interface ImagesPlanWish {
  readonly id: string;
  readonly basedOn: Digest;
  /** The release that the images are of. */
  readonly version: string;
  readonly services: readonly string[];
  /** The installed release as it will be used. */
  readonly target: Manifest;
  readonly images: readonly ImageToPull[];
  /** A registry that docker must log in to first. */
  readonly login: string | undefined;
  /** The env files as they are: the checks of the staged tree read them. */
  readonly settings: readonly FileToWrite[];
  /** install.json as it will be. */
  readonly record: Digest;
  /** False: nothing but files (`--no-start`). */
  readonly start: boolean;
}

export interface ImagesPlanFacts {
  readonly install: InstallFacts;
  readonly engine: EngineFacts;
  /** The project as the new compose file describes it. */
  readonly next: ComposeFact;
  readonly files: FilesDecision;
}

/** The plan of taking these images. Until its end everything goes back by itself, and no data is touched. */
export function planImages(wish: ImagesPlanWish, facts: ImagesPlanFacts): Plan {
  const { install, engine } = facts;
  const isUp = wish.start && engine.containers.some(({ oneOff }) => !oneOff); // some of a stopped product would start without the rest
  const services = servicesFor(wish, facts);
  const steps = stepsFor(wish, facts, isUp ? services : undefined);
  const after = isUp ? renewSteps(services.renewed, install.project) : [];
  const why = 'no data is changed or copied; the images of before are put back';
  return {
    ...{ schema: 1, id: wish.id, operation: wish.id, command: 'upgrade', basedOn: wish.basedOn },
    ...{ steps: [...steps, ...after], commitAfter: steps.length - 1 },
    wayBack: { kind: 'free', losesMinutes: 0, why },
    notes: [
      ...notesOf(wish, facts.files, install.record.version),
      ...(wish.start && !isUp ? ['nothing runs, so nothing is started'] : []),
      ...ownNotes(engine.own, false),
    ],
  };
}

function servicesFor(wish: ImagesPlanWish, { install, engine, next, files }: ImagesPlanFacts): ServicesDecision {
  const target = withoutOwnServers(wish.target, install.record.features);
  const swapped = files.swapped.map(({ path }) => path);
  return decideServices({
    ...{ root: install.root, old: undefined, target, engine, next, swapped, items: [], quiet: false, only: wish.services },
  });
}

/** `services` is undefined where nothing runs. */
function stepsFor(wish: ImagesPlanWish, { install, next, files }: ImagesPlanFacts, services: ServicesDecision | undefined): Step[] {
  const target = withoutOwnServers(wish.target, install.record.features);
  const tree = `.slipway/staged/${wish.id}/tree`;
  const written = { path: '.slipway/install.json', content: wish.record, mode: 0o600 };
  const around = services && { ...wish, named: wish.services, target, install, next, services };
  return [
    ...loginSteps(wish.login),
    ...(wish.start ? [{ kind: 'pull-images', why: 'all images are here before anything stops', images: wish.images } as const] : []),
    {
      kind: 'stage-files',
      why: 'new files are prepared beside the running ones',
      to: tree,
      files: [...files.staged, ...wish.settings, written],
      links: ownLinks(target, files.linked),
    },
    ...(around === undefined ? [] : stop(around, tree)),
    { kind: 'swap-files', why: `the compose file names the images of ${wish.version}`, from: tree, files: files.swapped },
    ...(around === undefined ? [] : bringUp(around)),
    { kind: 'swap-files', why: 'it is written down which service has which image', from: tree, files: [written] },
  ];
}

interface Around extends Omit<ImagesPlanWish, 'services'> {
  readonly named: readonly string[];
  readonly install: InstallFacts;
  readonly next: ComposeFact;
  readonly services: ServicesDecision;
}

function stop({ target, install, next, services, named }: Around, tree: string): Step[] {
  const { project, record, manifest } = install;
  const checked = Object.keys(next.services).filter((service) => named.includes(service));
  const stopped = [...services.writers, ...services.dataStopped];
  return [
    ...validationSteps(target, project, tree, checked),
    {
      kind: 'guard-health',
      why: 'going back ends as well as it is now',
      project,
      probes: probesOf(manifest, record.features),
      timeout: manifest.upgrade.timeout,
    },
    ...(stopped.length === 0 ? [] : [{ kind: 'stop-services', why: 'they get another image', project, services: stopped } as const]),
  ];
}

function bringUp({ target, install, services, version }: Around): Step[] {
  const { project, record } = install;
  const { dataStarted, rest, entry } = services;
  const awaited = [...dataStarted, ...rest, ...entry];
  // What may fail, and is not among them, says nothing of them.
  const isAsked = (service: string | undefined): boolean =>
    service === undefined || awaited.includes(service) || !services.optional.includes(service);
  const probes = probesOf(target, record.features).filter(({ service }) => isAsked(service));
  const why = 'the product must be well with them';
  return [
    ...startSteps(project, services, dataStarted, `data services, with images of ${version}`),
    ...startSteps(project, services, [...rest, ...entry], `the services, with images of ${version}`),
    healthStep({ target, project, services, awaited, probes, probation: target.upgrade.probation, why }),
  ];
}

function notesOf({ version, services, start }: ImagesPlanWish, files: FilesDecision, installed: string): string[] {
  return [
    `only the images of ${services.join(', ')} become those of ${version}; all else stays at ${installed}`,
    ...(files.merged.length > 0 ? [`your changes and these become one: ${files.merged.join(', ')}`] : []),
    ...(start ? [] : ['--no-start: only files change; pull and start is up to you']),
  ];
}
