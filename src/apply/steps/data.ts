// Data put back from a backup. Rule: never over existing data: the present volume goes aside or away, a new empty one takes the copy, and the two are compared.
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isToolError, systemCode, ToolError } from '../../model/error.ts';
import type { Saved } from '../../model/journal.ts';
import { parseFields, parseMap, parseText } from '../../model/parse.ts';
import type { DataToCopy, RescueWish } from '../../model/plan.ts';
import { inspectVolume, LABEL, type Volume } from '../../world/containers.ts';
import { digestOfFile, listNames, statIfThere } from '../../world/disk.ts';
import { docker, dockerIfThere } from '../../world/docker.ts';
import { copyIn, copyOut, digestOfEntries, removeCopier } from '../../world/volume-copy.ts';
import { removeDurably, syncFolder } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { undoFolder } from '../site.ts';
import { backupFolder, backupSteps, fileOf, placeOf, readBackup } from './backup.ts';
import { textsOf } from './files.ts';

/** A gate: from here on the new release may write. Going back through it puts the data back as the backup has it. */
const guardData: Handler<'guard-data'> = {
  done: async () => false,
  save: async (step, site) => saveVolumes(step.items, site),
  run: async (step, site) => {
    if (step.rescue !== null) await setRescueAside(backupFolder(step.rescue.backup, site));
  },
  undo: async (step, saved, site) => {
    if (step.rescue !== null) await rescueData(step.rescue, step.rescue.items ?? step.items, site);
    for (const item of step.items)
      await restoreItem(item, { backup: step.backup, volumes: volumesIn(saved), project: step.project.name }, site);
  },
};

const restoreData: Handler<'restore-data'> = {
  done: async () => false,
  save: async (step, site) => (step.rescue === null ? saveNothing(step.items, site) : saveVolumes(step.items, site)),
  run: async (step, site) => {
    const volumes = volumesIn(await saveVolumes(step.items, site));
    for (const item of step.items) await restoreItem(item, { backup: step.backup, volumes, project: step.project.name }, site);
  },
  undo: async (step, saved, site) => {
    if (step.rescue === null) return removeItems(step.items, textsOf(saved, 'folders'), site);
    for (const item of step.items)
      await restoreItem(item, { backup: step.rescue, volumes: volumesIn(saved), project: step.project.name }, site);
  },
};

/** The handlers that put data back. */
export const dataSteps = { 'guard-data': guardData, 'restore-data': restoreData } satisfies Partial<Handlers>;

/** Nothing is there yet, and so nothing can be lost. Throws E_POLICY where something is; tells which folders are there, all of them empty. */
async function saveNothing(items: readonly DataToCopy[], site: Site): Promise<Saved> {
  const folders: string[] = [];
  for (const { volume, path } of items) {
    if (volume !== undefined && (await inspectVolume(site, volume)) !== undefined) throw inUse(`the volume ${volume} exists`);
    if (path === undefined || (await statIfThere(resolve(site.root, path))) === undefined) continue;
    if ((await listNames(resolve(site.root, path))).length > 0) throw inUse(`${resolve(site.root, path)} is not empty`);
    folders.push(path);
  }
  return { folders };
}

async function removeItems(items: readonly DataToCopy[], folders: readonly string[], site: Site): Promise<void> {
  for (const item of items) {
    await removeCopier(site, placeOf(item, site));
    if (item.volume !== undefined) await removeVolume(item.volume, site);
    if (item.path === undefined) continue;
    const path = resolve(site.root, item.path);
    await rm(asideOf(item, site), { recursive: true, force: true });
    await rm(path, { recursive: true, force: true });
    if (folders.includes(item.path)) await mkdir(path, { recursive: true });
  }
}

function inUse(what: string): ToolError {
  return new ToolError('E_POLICY', `${what} already: a backup is never put over data`, {
    hint: 'Give another project name (--project) and folder (--dir), or remove that data if nobody needs it.',
  });
}

/** Keeps what is there now: people may have written it while the door was open. */
async function rescueData(wish: RescueWish, items: readonly DataToCopy[], site: Site): Promise<void> {
  const steps = { backup: wish.backup, items };
  const closed = { kind: 'close-backup', why: '', reason: '', rescue: true, ...wish, ...steps } as const;
  if (await backupSteps['close-backup'].done(closed, site)) return backupSteps['close-backup'].settle?.(closed, site);
  await backupSteps['open-backup'].run({ kind: 'open-backup', why: '', backup: wish.backup, files: [] }, site);
  await backupSteps['copy-data'].run({ kind: 'copy-data', why: '', ...steps }, site);
  const reason = 'present data, kept before going back';
  await backupSteps['close-backup'].run({ kind: 'close-backup', why: '', reason, rescue: true, ...wish, ...steps }, site);
}

/** A way back that was taken before, in this very plan, has its own rescue backup: the next one must not take it for its own. */
async function setRescueAside(folder: string): Promise<void> {
  if ((await statIfThere(folder)) === undefined) return;
  let count = 1;
  while ((await statIfThere(`${folder}-${count}`)) !== undefined) count += 1;
  await rename(folder, `${folder}-${count}`);
  await syncFolder(dirname(folder));
}

export interface Restoring {
  readonly backup: string;
  /** What is known of the volumes. */
  readonly volumes: ReadonlyMap<string, Volume>;
  /** The compose project that they belong to. */
  readonly project: string;
}

/** Puts one item back: verified, into an empty place, and compared. */
export async function restoreItem(item: DataToCopy, { backup, volumes, project }: Restoring, site: Site): Promise<void> {
  const file = join(backupFolder(backup, site), fileOf(item, 'copy'));
  await verifyItem(item, backup, file, site);
  if (item.volume === undefined) await emptyFolder(item, site);
  else
    await emptyVolume(
      item.volume,
      volumes.get(item.volume) ?? (await inspectVolume(site, item.volume)) ?? lostVolume(item.volume, project),
      site,
    );
  await copyIn(site, placeOf(item, site), file);
  await compareWith(item, file, site);
  await flushDisks(site);
  if (item.volume === undefined) await removeDurably(asideOf(item, site));
}

/** Seconds until all that this machine has in memory must be on its disks. */
const FLUSH_WITHIN = 3600;

/** The engine syncs nothing of what it copies, and the former data goes now: sync(1). On an engine elsewhere nothing can be done about it. */
async function flushDisks({ world }: Site): Promise<void> {
  const flushed = await world.run(['sync'], { env: { PATH: world.env.PATH }, timeout: FLUSH_WITHIN }).catch((error: unknown) => {
    if (isToolError(error, 'E_COMMAND') && systemCode(error.cause) === 'ENOENT') return undefined; // a system without that command
    throw error;
  });
  if (flushed === undefined || flushed.code === 0) return;
  throw new ToolError('E_COMMAND', `sync failed: ${flushed.stderr.trim()}`, {
    hint: 'A disk does not take what is written to it. Look at its log.',
  });
}

async function verifyItem(item: DataToCopy, backup: string, file: string, site: Site): Promise<void> {
  const described = (await readBackup(backup, site)).items.find((each) => each.name === item.name && each.kind === 'copy');
  if (described !== undefined && (await digestOfFile(file)) === described.sha256) return;
  throw new ToolError('E_BACKUP', `the backup of ${item.name} at ${file} is not what was written there`, {
    hint: 'The present data was left alone. Check the disk.',
  });
}

/** A volume that is gone is made again as Compose would: without its labels nobody would count it to the project. */
function lostVolume(name: string, project: string): Volume {
  const key = name.startsWith(`${project}_`) ? name.slice(project.length + 1) : name;
  return { name, driver: 'local', labels: { [`${LABEL}.project`]: project, [`${LABEL}.volume`]: key }, options: {} };
}

async function emptyVolume(name: string, before: Volume, site: Site): Promise<void> {
  await removeVolume(name, site);
  const labels = Object.entries(before.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);
  const options = Object.entries(before.options).flatMap(([key, value]) => ['--opt', `${key}=${value}`]);
  await docker(site, ['volume', 'create', '--driver', before.driver, ...labels, ...options, name]);
}

/** Removes a volume. Containers that still hold it are this project's own, half-started; they go first. */
export async function removeVolume(name: string, site: Site): Promise<void> {
  const users = (await docker(site, ['ps', '--all', '--quiet', '--filter', `volume=${name}`])).split('\n').filter(Boolean);
  for (const id of users) await dockerIfThere(site, ['rm', '--force', id]);
  await dockerIfThere(site, ['volume', 'rm', name]);
  if ((await inspectVolume(site, name)) !== undefined)
    throw new ToolError('E_BACKUP', `the volume ${name} is there still, after the Docker Engine removed it`, {
      hint: 'Nothing is unpacked over data. Look at the logs of the Docker Engine, then run `recover`.',
    });
}

/** When the aside folder exists already, an earlier try was cut off: what lies in place is its half-unpacked copy. */
async function emptyFolder(item: DataToCopy, site: Site): Promise<void> {
  const path = resolve(site.root, item.path ?? '');
  const aside = asideOf(item, site);
  if ((await statIfThere(aside)) !== undefined) await rm(path, { recursive: true, force: true });
  else if ((await statIfThere(path)) !== undefined) await rename(path, aside);
  await mkdir(path, { recursive: true });
  await syncFolder(dirname(path));
}

async function compareWith(item: DataToCopy, file: string, site: Site): Promise<void> {
  const folder = undoFolder(site, 'compare');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = join(folder, `${item.name}.tar.gz`);
  await copyOut(site, placeOf(item, site), now);
  const [wanted, found] = [await digestOfEntries(file), await digestOfEntries(now)];
  await rm(now, { force: true });
  if (wanted !== found)
    throw new ToolError('E_BACKUP', `${item.name} was unpacked, but is not equal to the backup`, {
      hint: 'Check the disk, then run `recover`.',
    });
}

async function saveVolumes(items: readonly DataToCopy[], site: Site): Promise<Saved> {
  const volumes: Record<string, Volume> = {};
  for (const item of items) {
    const volume = item.volume === undefined ? undefined : await inspectVolume(site, item.volume);
    if (volume !== undefined) volumes[volume.name] = volume;
  }
  return { volumes };
}

function volumesIn(saved: Saved): ReadonlyMap<string, Volume> {
  return new Map(Object.entries(parseMap(saved.volumes, 'saved.volumes', parseVolume)));
}

function parseVolume(value: unknown, where: string): Volume {
  const f = parseFields(value, where);
  return {
    name: parseText(f.name, `${where}.name`),
    driver: parseText(f.driver, `${where}.driver`),
    labels: parseMap(f.labels, `${where}.labels`, parseText),
    options: parseMap(f.options, `${where}.options`, parseText),
  };
}

function asideOf(item: DataToCopy, site: Site): string {
  return `${resolve(site.root, item.path ?? '')}.slipway-aside`;
}
