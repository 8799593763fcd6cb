// A backup on its own: everything declared, copied while nothing writes, and the services up again. Rule: what was made is verified before anything older goes.
import type { Digest } from '../model/digest.ts';
import { withoutOwnServers } from '../model/external.ts';
import type { EngineFacts, InstallFacts } from '../model/facts.ts';
import type { Plan, Step } from '../model/plan.ts';
import { closeBackupStep, dataToCopy } from './data.ts';
import { filesToBackUp } from './files.ts';
import { ownNotes } from './own-service.ts';
import { pageSteps } from './page.ts';
import { healthStep, imagesToPull, probesOf, startSteps } from './release-steps.ts';
import { decideServices, type ServicesDecision } from './services.ts';

export interface BackupWish {
  readonly id: string;
  readonly basedOn: Digest;
  /** Where it goes: relative to the install, or absolute. */
  readonly backup: string;
  readonly reason: string;
  /** What data takes on disk, by volume or path. */
  readonly sizes?: ReadonlyMap<string, number>;
  /** Public keys that it is encrypted to; none = it is not. */
  readonly encryptTo?: readonly string[];
  /** The person's own files beside those of the release. */
  readonly own?: readonly string[];
  /** Backups beside it that policy lets go. */
  readonly prune: readonly string[];
}

/** The plan. Going back means that the services run as before; a backup that has its name by then stays all the same. */
export function planBackup(wish: BackupWish, install: InstallFacts, engine: EngineFacts): Plan {
  const { record, project } = install;
  const manifest = withoutOwnServers(install.manifest, record.features);
  const image = imagesToPull(manifest)[0]?.pinned ?? '';
  const items = dataToCopy({ manifest, config: engine.config, volumes: engine.volumes, image, forUpgrade: false, sizes: wish.sizes });
  const services = whatRuns(
    decideServices({ root: install.root, old: manifest, target: manifest, engine, next: engine.config, swapped: [], items, quiet: true }),
    engine,
  );
  const stops = items.length > 0 && services.writers.length + services.dataStopped.length > 0;
  const stop = (names: readonly string[], why: string): Step[] =>
    stops && names.length > 0 ? [{ kind: 'stop-services', why, project, services: names }] : [];
  const dumped = items.filter(({ recipe }) => recipe !== undefined && isRunning(recipe.service, engine));
  const page = pageSteps(manifest, project, stops ? services.writers : []);
  const { backup, reason } = wish;
  const to = { backup, ...(wish.encryptTo !== undefined && wish.encryptTo.length > 0 && { encryptTo: wish.encryptTo }) };
  const before: Step[] = [
    ...(stops
      ? [
          {
            kind: 'guard-health',
            why: 'going back ends as well as it is now',
            project,
            probes: [],
            timeout: manifest.upgrade.timeout,
          } as const,
        ]
      : []),
    ...stop(services.writers, 'nothing writes while the backup is made'),
    ...page.show,
    {
      kind: 'open-backup',
      why: 'files, settings and record go into the backup',
      ...to,
      files: [...new Set([...filesToBackUp(install), ...(wish.own ?? [])])],
    },
    ...(dumped.length === 0
      ? []
      : [{ kind: 'dump-data', why: 'a dump that other hosts and versions can read', ...to, project, items: dumped } as const]),
    ...stop(services.dataStopped, 'data is copied while nothing holds it open'),
    ...(items.length === 0 ? [] : [{ kind: 'copy-data', why: 'the data as it is', ...to, items } as const]),
    closeBackupStep({ ...to, manifest, manifestDigest: record.manifest, items, reason, rescue: false }),
  ];
  const probes = probesOf(manifest, record.features);
  const awaited = [...services.dataStarted, ...services.rest, ...services.entry];
  const up: Step[] = stops
    ? [
        ...startSteps(project, services, services.dataStarted, 'data services first'),
        ...startSteps(project, services, services.rest, 'the services run again'),
        ...page.hide,
        ...startSteps(project, services, services.entry, 'the door opens again'),
        healthStep({ target: manifest, project, services, awaited, probes, probation: 0, why: 'the product must be well' }),
      ]
    : [];
  const prune: Step[] =
    wish.prune.length === 0 ? [] : [{ kind: 'remove-paths', why: 'backups beyond the number that is kept', paths: wish.prune }];
  return {
    schema: 1,
    ...{ id: wish.id, operation: wish.id, command: 'backup', basedOn: wish.basedOn },
    steps: [...before, ...up, ...prune],
    commitAfter: before.length + up.length - 1,
    notes: [
      ...(stops ? [`these services stop while their data is copied: ${awaited.join(', ')}`] : []),
      ...ownNotes(engine.own, manifest.services[engine.own?.service ?? '']?.writer !== false),
      ...(to.encryptTo === undefined ? [] : [`it is encrypted: only with a secret key of ${to.encryptTo.join(', ')} can it be restored`]),
    ],
  };
}

export interface Prunable {
  readonly path: string;
  readonly version: string;
  readonly rescue: boolean;
  /** False for one that is known to be damaged. */
  readonly good?: boolean;
}

/**
 * The backups (oldest first) that may go when a new one is made: all but the newest `keep` with the new one among them. Rescue backups stay, and
 * so does the newest one of another version than the new one's: `restore` goes back to it.
 */
export function backupsToPrune(
  backups: readonly Prunable[],
  { keep, version }: { readonly keep: number; readonly version: string },
): string[] {
  const ordinary = backups.filter(({ rescue }) => !rescue);
  const wayBack = ordinary.findLast((each) => each.version !== version && each.good !== false);
  const old = ordinary.slice(0, Math.max(0, ordinary.length - Math.max(0, keep - 1)));
  return old.filter((each) => each !== wayBack).map(({ path }) => path);
}

/** The newest backup that a person could restore: it stays, whatever else goes, until a whole one was made after it. */
export function lastGoodBackup<T extends { readonly rescue: boolean; readonly complete?: boolean }>(backups: readonly T[]): T | undefined {
  return backups.findLast(({ rescue, complete }) => !rescue && complete !== false);
}

/** Services that a person stopped stay stopped. */
function whatRuns(decided: ServicesDecision, engine: EngineFacts): ServicesDecision {
  const runs = (names: readonly string[]): string[] => names.filter((name) => isRunning(name, engine));
  const { writers, dataStopped, dataStarted, rest, entry } = decided;
  return {
    ...decided,
    ...{ writers: runs(writers), dataStopped: runs(dataStopped), recreate: [] },
    ...{ dataStarted: runs(dataStarted), rest: runs(rest), entry: runs(entry) },
  };
}

function isRunning(service: string, { containers }: EngineFacts): boolean {
  return containers.some((each) => each.service === service && !each.oneOff && each.state === 'running');
}
