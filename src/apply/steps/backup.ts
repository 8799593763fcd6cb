// Backups: opened beside the others, filled while nothing writes, verified and only then given their name. Rule: a folder with a backup.json is whole.
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { BACKUP_TYPE, type Backup, type BackupItem, type BackupPart, parseBackup, printBackup } from '../../model/backup.ts';
import { keep } from '../../model/description.ts';
import { digestOf, hexOf } from '../../model/digest.ts';
import { ToolError } from '../../model/error.ts';
import { momentOf } from '../../model/parse.ts';
import type { DataToCopy, Step } from '../../model/plan.ts';
import { digestOfFile, listNames, readTextIfThere, statIfThere } from '../../world/disk.ts';
import { runCompose } from '../../world/docker.ts';
import { copyOut, type DataPlace, readThrough, removeCopier } from '../../world/volume-copy.ts';
import { makeFolder, removeDurably, syncFolder, syncFoldersUpTo, writeDurably } from '../durable.ts';
import type { Handler, Handlers, Site } from '../handler.ts';
import { countSealedBytes, type Sealing, sealedName, sealingFor, writeBackupFile } from './backup-file.ts';

const ARCHIVE = 'files.tar.gz';
const MANIFEST = 'bundle.json';

/** Lie in a backup as they are, for whoever needs them without unpacking. */
const LOOSE_FILES = [
  ['.env', 'env'],
  ['.slipway/install.json', 'install.json'],
  ['bundle.json', MANIFEST],
] as const;

const openBackup: Handler<'open-backup'> = {
  done: async () => false,
  run: async (step, site) => {
    const folder = partialOf(step.backup, site);
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, 'data'), { recursive: true, mode: 0o700 });
    const sealing = await sealingFor(step.encryptTo);
    await packFiles(step, site, { file: join(folder, sealedName(ARCHIVE, step.encryptTo)), sealing });
    for (const [from, to] of LOOSE_FILES) {
      if ((await statIfThere(join(site.root, from))) === undefined) continue;
      const isOpen = to === MANIFEST; // published as it is, and the backup is known by it
      const file = join(folder, isOpen ? to : sealedName(to, step.encryptTo));
      await writeBackupFile(createReadStream(join(site.root, from)), file, isOpen ? undefined : sealing);
    }
    await makeFolder(folder, 0o700);
    await syncFoldersUpTo(dirname(folder), site.root);
  },
  undo: async (step, _saved, site) => removeDurably(partialOf(step.backup, site)),
};

const dumpData: Handler<'dump-data'> = {
  done: async () => false,
  run: async (step, site) => {
    const sealing = await sealingFor(step.encryptTo);
    for (const item of step.items) await dumpOne(step, item, { site, sealing });
  },
};

const copyData: Handler<'copy-data'> = {
  done: async () => false,
  run: async (step, site) => {
    const sealing = await sealingFor(step.encryptTo);
    const folder = partialOf(step.backup, site);
    let done = 0;
    for (const item of step.items) {
      const file = join(folder, sealedName(fileOf(item, 'copy'), step.encryptTo));
      await copyOut(site, placeOf(item, site), file, sealing?.encryptTo);
      if (sealing !== undefined) await readThrough(file, sealing.identity);
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
    if (step.encryptTo === undefined) await readThrough(join(partial, ARCHIVE)); // what is encrypted was read back by the step that wrote it
    const items: BackupItem[] = [];
    for (const item of step.items)
      for (const kind of ['copy', 'dump'] as const) {
        const file = sealedName(fileOf(item, kind), step.encryptTo);
        if (kind === 'copy' || (await statIfThere(join(partial, file))) !== undefined)
          items.push(await describeItem(partial, item, { kind, file, isSealed: step.encryptTo !== undefined }));
      }
    const { product, version, manifest, reason, rescue, encryptTo: encryptedTo } = step;
    const said = { product, version, manifest, reason, rescue, at: momentOf(site.world.now()) };
    const backup: Backup = { type: BACKUP_TYPE, ...said, items, parts: await describeParts(partial), ...keep({ encryptedTo }) };
    await writeDurably(join(partial, 'backup.json'), printBackup(backup), 0o600);
    const folder = backupFolder(step.backup, site);
    await syncFolder(join(partial, 'data'));
    await rename(partial, folder);
    await syncFolder(dirname(folder));
  },
  settle: (step, site) => syncFolder(dirname(backupFolder(step.backup, site))),
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
async function packFiles(
  step: Step<'open-backup'>,
  site: Site,
  { file, sealing }: { readonly file: string; readonly sealing: Sealing | undefined },
): Promise<void> {
  const { create } = await import('tar');
  const names = step.files.length > 0 ? [...step.files] : ['.slipway/install.json'];
  await writeBackupFile(Readable.from(create({ cwd: site.root, gzip: { level: 1 } }, names)), file, sealing);
  if (sealing !== undefined) await readThrough(file, sealing.identity);
}

async function dumpOne(
  step: Step<'dump-data'>,
  item: DataToCopy,
  { site, sealing }: { readonly site: Site; readonly sealing: Sealing | undefined },
): Promise<void> {
  if (item.recipe === undefined) return;
  const file = join(partialOf(step.backup, site), sealedName(fileOf(item, 'dump'), step.encryptTo));
  const argv = ['exec', '-T', item.recipe.service, 'sh', '-c', item.recipe.dump];
  const result = await runCompose(site, step.project, argv, { output: { file, ...(sealing && { encryptTo: sealing.encryptTo }) } });
  const size = sealing === undefined ? (await stat(file)).size : await countSealedBytes(file, sealing.identity);
  if (result.code === 0 && size > 0) return;
  throw new ToolError(
    'E_BACKUP',
    `the dump of ${item.name} failed: ${result.stderr.trim().split('\n').slice(-2).join(' | ') || 'it is empty'}`,
    {
      hint: `It runs \`${item.recipe.dump}\` in ${item.recipe.service}.`,
    },
  );
}

async function describeItem(
  partial: string,
  item: DataToCopy,
  { kind, file, isSealed }: { readonly kind: 'copy' | 'dump'; readonly file: string; readonly isSealed: boolean },
): Promise<BackupItem> {
  const path = join(partial, file);
  if (kind === 'copy' && !isSealed) await readThrough(path);
  const { name, volume, path: folder } = item;
  return keep({ name, file, kind, volume, path: folder, size: (await stat(path)).size, sha256: await digestOfFile(path) });
}

/** What lies in the backup beside its data. */
async function describeParts(partial: string): Promise<BackupPart[]> {
  const parts: BackupPart[] = [];
  for (const file of await listNames(partial)) {
    const stats = await stat(join(partial, file));
    if (stats.isFile() && file !== 'backup.json') parts.push({ file, size: stats.size, sha256: await digestOfFile(join(partial, file)) });
  }
  return parts;
}
