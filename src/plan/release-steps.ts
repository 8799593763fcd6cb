// What installing and upgrading have in common. Rule: pure; each function gives the steps for one concern.
import type { Migration, Probe } from '../model/description.ts';
import type { Digest } from '../model/digest.ts';
import { pristineFolder } from '../model/layout.ts';
import type { Manifest, ManifestFile } from '../model/manifest.ts';
import type { ComposeProject, FileToWrite, ImageToPull, Kind, Step } from '../model/plan.ts';
import { COMPOSE_FILE } from '../model/site-registry.ts';
import type { ServicesDecision } from './services.ts';

/** The images of a release with the local tags that protect them from an administrator's `image prune`. */
export function imagesToPull(manifest: Manifest): ImageToPull[] {
  return manifest.images.map((image) => ({
    name: image.name,
    pinned: `${image.reference}@${image.digest}`,
    local: `slipway.local/${manifest.product}/${image.name.toLowerCase()}:${image.version ?? manifest.version}`,
  }));
}

/** Docker logs in before it pulls, where its own login does not suffice. */
export function loginSteps(registry: string | undefined): Step[] {
  return registry === undefined ? [] : [{ kind: 'log-in', why: `docker keeps the login for ${registry}, for later pulls too`, registry }];
}

/** The probes of health that apply to these features. */
export function probesOf(manifest: Manifest, features: readonly string[]): Probe[] {
  return activeProbes(manifest, features).filter(({ after }) => after !== 'finished');
}

/** The probes that say when a release has ended what it does in the background: before that nobody leaves it. */
export function finishedProbesOf(manifest: Manifest, features: readonly string[]): Probe[] {
  return activeProbes(manifest, features).filter(({ after }) => after === 'finished');
}

function activeProbes({ upgrade }: Manifest, features: readonly string[]): Probe[] {
  return upgrade.health.filter((probe) => probe.when === undefined || features.includes(probe.when.replace(/^features\./, '')));
}

const RESTORERS: readonly Kind[] = ['guard-data', 'carry-data', 'import-data', 'start-services'];

/** Rule 5: a migration that was cut off is taken back to the step that restores the data: its gate, or, where there was no data yet, the start that made it. */
export function withRestorer(steps: readonly Step[]): Step[] {
  const restores = ({ kind }: Step): boolean => RESTORERS.includes(kind);
  const restorerOf = (job: number): number => steps.findIndex((step, index) => index === job || restores(step));
  return steps.map((step, index) => (step.kind === 'run-job' ? { ...step, restoredBy: restorerOf(index) } : step));
}

export interface HealthWish {
  readonly target: Manifest;
  readonly project: ComposeProject;
  readonly services: ServicesDecision;
  /** The services to wait for. */
  readonly awaited: readonly string[];
  readonly probes: readonly Probe[];
  /** Seconds. */
  readonly probation: number;
  readonly why: string;
}

/** The step that judges services and probes. */
export function healthStep(wish: HealthWish): Step<'check-health'> {
  const { services, project, target, awaited, probes, probation, why } = wish;
  return {
    kind: 'check-health',
    why,
    project,
    services: awaited.filter((service) => services.lasting.includes(service)),
    jobs: awaited.filter((service) => services.jobs.includes(service)),
    optional: services.optional,
    probes,
    timeout: target.upgrade.timeout,
    probation,
  };
}

/** Starts these services, in one step; none gives no step. */
export function startSteps(project: ComposeProject, services: ServicesDecision, names: readonly string[], why: string): Step[] {
  if (names.length === 0) return [];
  return [{ kind: 'start-services', why, project, services: names, recreate: names.filter((name) => services.recreate.includes(name)) }];
}

/** Migrations as one-shots of the new images. */
export function migrationSteps(project: ComposeProject, migrations: readonly Migration[], why: string): Step[] {
  return migrations.map(({ service, command, needs, timeout }) => ({ kind: 'run-job', why, project, service, command, needs, timeout }));
}

/** The vendor's own checks of the staged files, in the new images, under a project name of their own. */
export function validationSteps(target: Manifest, project: ComposeProject, tree: string, active: readonly string[]): Step[] {
  const scratch = { name: `${project.name}-check`, folder: tree, files: project.files };
  return target.validate
    .filter((check) => active.includes(check.service))
    .map((check) => ({
      kind: 'validate-files',
      why: `${check.service} must accept the new files before anything stops`,
      project: scratch,
      ...check,
    }));
}

/** The person's own files and links, seen by the checks of the staged tree. */
export function ownLinks(target: Manifest, linked: readonly string[]): string[] {
  return [...target.userOwned.map((path) => path.replace(/\/$/, '')), 'docker-compose.override.yml', ...linked];
}

/** The release as it was shipped: the base of every later comparison. */
export function pristineStep(target: Manifest, extra: readonly FileToWrite[], compose?: Digest): Step {
  const contentOf = ({ path, sha256 }: ManifestFile): Digest => (path === COMPOSE_FILE ? (compose ?? sha256) : sha256);
  const files = target.files.map((file) => ({ path: file.path, content: contentOf(file), mode: Number.parseInt(file.mode, 8) }));
  return {
    kind: 'stage-files',
    why: 'the release is kept as it was shipped, to compare with later',
    to: pristineFolder(target.version),
    files: [...files, ...extra],
  };
}
