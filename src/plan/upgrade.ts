// From one release to the next, as a list of steps (design §8). Rule: pure; the order below is the order of the upgrade, and each rule adds its steps or none.
import { hexOf } from '../model/digest.ts';
import { pristineFolder } from '../model/layout.ts';
import type { DataToCopy, FileAfter, FileToWrite, Plan, RescueWish, Step } from '../model/plan.ts';
import { lastGoodBackup } from './backup.ts';
import { commandSteps, formerRuntimeSteps } from './command.ts';
import { type Course, setCourse, swappedSettings, type UpgradeFacts, type UpgradeWish } from './course.ts';
import { closeBackupStep } from './data.ts';
import { dropSteps, dumpsToMove, measureSteps, moveNotes, moveSteps, presentItems } from './data-moves.ts';
import { filesToBackUp } from './files.ts';
import { ownNotes, renewSteps } from './own-service.ts';
import { type Page, pageSteps } from './page.ts';
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
import { editsToBackUp, moveSourceSteps, overrideFile, sourceNotes, stagedProject, stageSourceSteps } from './source-upgrade.ts';
import { wayBackOf } from './way-back.ts';

/** The plan of one hop. Throws E_CONFLICT, E_POLICY when the hop must not be taken at all. */
export function planUpgrade(wish: UpgradeWish, facts: UpgradeFacts): Plan {
  const course = setCourse(wish, facts);
  const { launching, onward = [] } = wish;
  const before = [
    ...(launching === undefined ? [] : commandSteps(launching)),
    ...loginSteps(wish.login),
    ...pull(course),
    ...stage(course),
    ...stageSourceSteps(course),
    ...validate(course),
    ...stopAndBackUp(course),
    ...swap(course),
    ...bringUp(course),
    ...judge(course),
    ...record(course),
    ...page(course).hide,
  ];
  const after = [
    ...openDoor(course),
    ...dropSteps(course),
    ...(wish.command === 'upgrade' && onward.length === 0 ? prune(course) : []),
    ...(launching === undefined ? [] : formerRuntimeSteps(launching)),
    ...(onward.length === 0 ? renewSteps(course.services.renewed, course.project) : []), // of several hops, the last one's
  ];
  return {
    schema: 1,
    id: wish.id,
    operation: wish.operation,
    command: wish.command,
    basedOn: wish.basedOn,
    steps: withRestorer([...before, ...after]),
    commitAfter: before.length - 1,
    wayBack: wayBackOf(course, doorIsWhole(course)),
    notes: notesOf(course),
    ...(onward.length === 0 ? {} : { onward }),
  };
}

function pull(course: Course): Step[] {
  const images = [...imagesToPull(course.target), ...(course.further ?? [])];
  if (!course.start || images.length === 0) return [];
  return [{ kind: 'pull-images', why: 'all images are here before anything stops', images }];
}

function stage(course: Course): Step[] {
  const { target, tree, files, extra, source } = course;
  const shown = source === undefined ? extra : [overrideFile(source)];
  const own: FileToWrite[] = [...course.settings, { path: '.slipway/install.json', content: course.record, mode: 0o600 }];
  const missing = target.folders.filter((folder) => !course.old.folders.includes(folder));
  return [
    ...(missing.length === 0
      ? []
      : [{ kind: 'make-folders', why: 'new folders of this release', folders: missing.map((path) => ({ path, mode: 0o755 })) } as const]),
    {
      kind: 'stage-files',
      why: 'new files are prepared beside the running ones',
      to: tree,
      files: [...files.staged, ...shown, ...own, ...course.bases],
      links: ownLinks(target, files.linked),
    },
    ...(course.command === 'upgrade' ? [pristineStep(source?.whole ?? target, extra, course.shippedCompose)] : []),
  ];
}

function validate(course: Course): Step[] {
  const { target, tree, source } = course;
  const project = source === undefined ? course.project : stagedProject(course);
  const folder = source === undefined ? tree : project.folder;
  return course.start ? validationSteps(target, project, folder, Object.keys(course.next.services)) : [];
}

function stopAndBackUp(course: Course): Step[] {
  if (!course.start) return [];
  const { project, services, items, backup, old } = course;
  const stop = (names: readonly string[], why: string): Step[] =>
    names.length === 0 ? [] : [{ kind: 'stop-services', why, project, services: names }];
  const guard: Step = {
    kind: 'guard-health',
    why: `going back ends with ${old.version} as well as it is now`,
    project,
    probes: probesOf(old, course.install.record.features),
    timeout: old.upgrade.timeout,
  };
  const writers = stop(services.writers, items.length > 0 ? 'nothing writes while the backup is made' : 'they change in this release');
  const data = stop(services.dataStopped, 'data is copied while nothing holds it open');
  const { show } = page(course);
  if (items.length === 0) return [guard, ...writers, ...data, ...show];
  const dumped = [...items, ...dumpsToMove(course)].filter(
    (item) =>
      item.recipe !== undefined &&
      course.engine.containers.some((each) => each.service === item.recipe?.service && each.state === 'running'),
  );
  return [
    guard,
    ...writers,
    ...show,
    {
      kind: 'open-backup',
      why: 'files, settings and record go into the backup',
      backup,
      files: [...new Set([...filesToBackUp(course.install), ...editsToBackUp(course)])],
    },
    ...measureSteps(course),
    ...(dumped.length === 0
      ? []
      : [{ kind: 'dump-data', why: 'a dump that other hosts and versions can read', backup, project, items: dumped } as const]),
    ...data,
    { kind: 'copy-data', why: 'the data as it is, to go back to exactly this', backup, items },
    closeBackupStep({
      backup,
      manifest: old,
      manifestDigest: course.install.record.manifest,
      items,
      reason: `before the upgrade to ${course.target.version}`,
      rescue: false,
    }),
  ];
}

function page({ start, old, project, services }: Course): Page {
  return pageSteps(old, project, start ? services.writers : []);
}

function swap(course: Course): Step[] {
  const files: FileAfter[] = [
    ...course.files.swapped,
    ...(course.source === undefined ? course.extra : []),
    ...swappedSettings(course.settings, course.install),
    ...course.bases,
  ];
  return [
    ...moveSourceSteps(course),
    { kind: 'swap-files', why: `the files become those of ${course.target.version}`, from: course.tree, files },
  ];
}

function bringUp(course: Course): Step[] {
  if (!course.start) return [];
  const { project, services, migrations, target } = course;
  const whyRest = course.door ? 'the rest starts, the door stays shut' : 'the services of the new release start';
  return [
    ...guardData(course),
    ...startSteps(project, services, services.dataStarted, 'data services of the new release'),
    ...migrationSteps(project, migrations, `the data is brought to ${target.version}`),
    ...startSteps(project, services, services.rest, whyRest),
    ...(course.door ? [] : startSteps(project, services, services.entry, 'the door of the new release')),
  ];
}

/**
 * With a door nobody outside has written before it opens; without one, data goes back only when a migration changed it, or it lies in another volume, and the
 * present data is kept. Old volumes that new ones stand beside are not touched.
 */
function guardData(course: Course): Step[] {
  const { items, door, project, backup, moves } = course;
  const isBeside = ({ name }: DataToCopy): boolean => moves.some(({ from, volume, to }) => from === name && volume !== to);
  const guarded = items.filter((item) => !isBeside(item));
  const isAtStake = items.length > 0 && (door || course.migrations.length > 0 || moves.length > 0);
  if (!isAtStake) return [];
  const rescue = doorIsWhole(course) ? null : rescueOf(course);
  const why = 'from here on the new release may write; going back puts this backup back';
  const guard: Step = { kind: 'guard-data', why, backup, project, items: guarded, rescue: moves.length === 0 ? rescue : null };
  const first = guarded.length === 0 ? [] : [guard];
  if (moves.length === 0 || rescue === null) return [...first, ...moveSteps(course)];
  const present = { ...rescue, items: presentItems(items, moves) };
  const whyKept = 'going back keeps what the new release wrote by then';
  return [...first, ...moveSteps(course), { kind: 'guard-data', why: whyKept, backup, project, items: [], rescue: present }];
}

/** True when nobody outside can reach a new service before the door opens. */
function doorIsWhole(course: Course): boolean {
  const open = [...course.services.rest, ...course.services.dataStarted].filter(
    (service) => (course.next.services[service]?.publishes.length ?? 0) > 0,
  );
  return course.door && open.length === 0;
}

function rescueOf(course: Course): RescueWish {
  const { product, version } = course.target;
  return { backup: `${course.backup}-rescue`, product, version, manifest: course.targetDigest };
}

function judge(course: Course): Step[] {
  if (!course.start) return [];
  const { services, project, target, door } = course;
  const probes = probesOf(target, course.features).filter((probe) => !door || probe.after !== 'entry');
  const awaited = [...services.rest, ...services.dataStarted, ...(door ? [] : services.entry)];
  const why = door ? 'the new release must be well before its door opens' : 'the new release must be well';
  return [healthStep({ target, project, services, awaited, probes, probation: target.upgrade.probation, why })];
}

function record(course: Course): Step[] {
  return [
    {
      kind: 'swap-files',
      why: `${course.target.version} is written down as installed`,
      from: course.tree,
      files: [{ path: '.slipway/install.json', content: course.record, mode: 0o600 }],
    },
  ];
}

function openDoor(course: Course): Step[] {
  if (!course.start || !course.door) return [];
  const { project, services, target } = course;
  const probes = probesOf(target, course.features).filter((probe) => probe.after === 'entry');
  const why = 'the product answers at its door';
  return [
    ...startSteps(project, services, services.entry, 'the door opens'),
    healthStep({ target, project, services, awaited: services.entry, probes, probation: 0, why }),
  ];
}

/** A copy without what upgrades leave alone (`onUpgrade: skip`) is no backup to go back to in every need. */
function makesWholeCopy({ items, old }: Course): boolean {
  return items.length > 0 && !Object.values(old.data).some(({ onUpgrade }) => onUpgrade === 'skip');
}

/** Keeps the release that runs and the one before it; backups by policy, rescue backups always. */
function prune(course: Course): Step[] {
  const keep = new Set([course.target.version, course.old.version, ...course.old.images.flatMap(({ version }) => version ?? [])]);
  const programs = new Set([course.target.operator, course.old.operator].map(hexOf));
  const spared = makesWholeCopy(course) ? undefined : lastGoodBackup(course.backups);
  const ordinary = course.backups.filter((backup) => !backup.rescue && backup !== spared).map((backup) => backup.path);
  const room = Math.max(0, course.target.backup.keep - (course.items.length > 0 ? 1 : 0));
  const paths = [
    '.slipway/cache',
    ...course.releases.filter((version) => !keep.has(version)).map(pristineFolder),
    ...course.operators.filter((name) => !programs.has(name)).map((name) => `.slipway/operators/${name}`),
    ...ordinary.slice(0, Math.max(0, ordinary.length - room)),
  ];
  const local = course.localImages.filter((tag) => !keep.has(tag.slice(tag.lastIndexOf(':') + 1)));
  const steps: Step[] = [];
  steps.push({ kind: 'remove-paths', why: 'downloads, older releases, and backups beyond the number that is kept', paths });
  if (course.start && local.length > 0) steps.push({ kind: 'remove-images', why: 'images of releases that are no longer kept', local });
  return steps;
}

function notesOf(course: Course): string[] {
  const { own } = course.engine;
  const writes = course.items.length > 0 && course.old.services[own?.service ?? '']?.writer !== false;
  const notes = [...course.ownServers, ...sourceNotes(course), ...moveNotes(course), ...ownNotes(own, writes)];
  if (course.files.merged.length > 0) notes.push(`your changes and the release's become one: ${course.files.merged.join(', ')}`);
  if (course.files.kept.length > 0) notes.push(`your changes stay: ${course.files.kept.join(', ')}`);
  if (!course.start) notes.push('--no-start: only files change; pull and start is up to you');
  if (course.target.hostPaths.length > 0) notes.push(`paths of this machine that services see: ${course.target.hostPaths.join(', ')}`);
  return [...notes, ...(course.launching?.notes ?? [])];
}
