// Backups: opened beside the others, filled while nothing writes, verified and only then given their name. Rule: a folder with a backup.json is whole.
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { BACKUP_TYPE, type Backup, type BackupItem, parseBackup, printBackup } from '../../model/backup.ts';
import { keep } from '../../model/description.ts';
import { digestOf, hexOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { momentOf } from '../../model/parse.ts';
import type { DataToCopy, Step } from '../../model/plan.ts';
import { digestOfFile, readTextIfThere, statIfThere } from '../../world/disk.ts';
import { runCompose } from '../../world/docker.ts';
import { diskError } from '../../world/tarball.ts';
import { copyOut, type DataPlace, readThrough, removeCopier } from '../../world/volume-copy.ts';
import { copyDurably, makeFolder, syncFolder, writeDurably } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';

/** Lie in a backup as they are, for whoever needs them without unpacking. */
const LOOSE_FILES = [
  ['.env', 'env'],
  ['.slipway/install.json', 'install.json'],
  ['bundle.json', 'bundle.json'],
] as const;

const openBackup: Handler<'open-backup'> = {
  done: async () => false,
  run: async (step, site) => {
    const folder = partialOf(step.backup, site);
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, 'data'), { recursive: true, mode: 0o700 });
    await packFiles(step, site, join(folder, 'files.tar.gz'));
    for (const [from, to] of LOOSE_FILES) {
      if ((await statIfThere(join(site.root, from))) !== undefined) await copyDurably(join(site.root, from), join(folder, to), 0o600);
    }
    await makeFolder(folder, 0o700);
  },
  undo: async (step, _saved, site) => rm(partialOf(step.backup, site), { recursive: true, force: true }),
};

const dumpData: Handler<'dump-data'> = {
  done: async () => false,
  run: async (step, site) => {
    for (const item of step.items) await dumpOne(step, item, site);
  },
};

const copyData: Handler<'copy-data'> = {
  done: async () => false,
  run: async (step, site) => {
    let done = 0;
    for (const item of step.items) {
      await copyOut(site, placeOf(item, site), join(partialOf(step.backup, site), fileOf(item, 'copy')));
      done += 1;
      site.world.report({ type: 'progress', text: 'data items', done, total: step.items.length, unit: 'items' });
    }
  },
  undo: async (step, _saved, site) => {
    for (const item of step.items) await removeCopier(site, placeOf(item, site));
  },
};

const closeBackup: Handler<'close-backup'> = {
  done: async (step, site) => (await statIfThere(join(backupFolder(step.backup, site), 'backup.json'))) !== undefined,
  run: async (step, site) => {
    const partial = partialOf(step.backup, site);
    await readThrough(join(partial, 'files.tar.gz'));
    const items: BackupItem[] = [];
    for (const item of step.items) {
      items.push(await describeItem(partial, item, 'copy'));
      if (item.recipe !== undefined && (await statIfThere(join(partial, fileOf(item, 'dump')))) !== undefined)
        items.push(await describeItem(partial, item, 'dump'));
    }
    const { product, version, manifest, reason, rescue } = step;
    const backup: Backup = { type: BACKUP_TYPE, product, version, manifest, reason, rescue, at: momentOf(site.world.now()), items };
    await writeDurably(join(partial, 'backup.json'), printBackup(backup), 0o600);
    const folder = backupFolder(step.backup, site);
    await syncFolder(join(partial, 'data'));
    await rename(partial, folder);
    await syncFolder(dirname(folder));
  },
};

/** The handlers of making a backup. */
export const backupSteps = {
  'open-backup': openBackup,
  'dump-data': dumpData,
  'copy-data': copyData,
  'close-backup': closeBackup,
} satisfies Partial<Handlers>;

/** The folder of a backup that a step names relative to the install, or absolutely. */
export function backupFolder(backup: string, site: Site): string {
  return resolve(site.root, backup);
}

/** Reads a backup's description; throws E_BACKUP when it is not there. */
export async function readBackup(backup: string, site: Site): Promise<Backup> {
  const path = join(backupFolder(backup, site), 'backup.json');
  const text = await readTextIfThere(path);
  if (text === undefined)
    throw new ToolError('E_BACKUP', `there is no backup at ${backupFolder(backup, site)}`, {
      hint: 'Was it moved or removed? Put it back, then run `recover`.',
    });
  return parseBackup(text, path);
}

/** The engine's view of a data item. */
export function placeOf(item: DataToCopy, site: Site): DataPlace {
  const source = item.volume ?? resolve(site.root, item.path ?? '');
  return { source, image: item.image, container: `slipway-copy-${hexOf(digestOf(`${site.root}\0${source}`)).slice(0, 20)}` };
}

/** The file of an item inside a backup. */
export function fileOf(item: DataToCopy, kind: 'copy' | 'dump'): string {
  return `data/${item.name}${kind === 'copy' ? '.tar.gz' : '.dump'}`;
}

function partialOf(backup: string, site: Site): string {
  return `${backupFolder(backup, site)}.partial`;
}

/** The person's files as they are on disk, links and modes included. */
async function packFiles(step: Step<'open-backup'>, site: Site, out: string): Promise<void> {
  const { create } = await import('tar');
  const files = step.files.length > 0 ? [...step.files] : ['.slipway/install.json'];
  try {
    await create({ file: out, cwd: site.root, gzip: { level: 1 }, mode: 0o600 }, files);
  } catch (error) {
    throw diskError(error, out);
  }
}

async function dumpOne(step: Step<'dump-data'>, item: DataToCopy, site: Site): Promise<void> {
  if (item.recipe === undefined) return;
  const file = join(partialOf(step.backup, site), fileOf(item, 'dump'));
  const result = await runCompose(site, step.project, ['exec', '-T', item.recipe.service, 'sh', '-c', item.recipe.dump], {
    output: { file },
  });
  if (result.code === 0 && (await stat(file)).size > 0) return;
  throw new ToolError(
    'E_BACKUP',
    `the dump of ${item.name} failed: ${result.stderr.trim().split('\n').slice(-2).join(' | ') || 'it is empty'}`,
    {
      hint: `It runs \`${item.recipe.dump}\` in ${item.recipe.service}.`,
    },
  );
}

async function describeItem(partial: string, item: DataToCopy, kind: 'copy' | 'dump'): Promise<BackupItem> {
  const file = fileOf(item, kind);
  const path = join(partial, file);
  if (kind === 'copy') await readThrough(path);
  const { name, volume, path: folder } = item;
  return keep({ name, file, kind, volume, path: folder, size: (await stat(path)).size, sha256: await digestOfFile(path) });
}
