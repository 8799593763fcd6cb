// Which data a backup copies, and where it goes. Rule: everything declared and not ephemeral; what upgrades skip is still in a backup that a person asks for.

import { keep } from '../model/description.ts';
import type { ComposeFact } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import { fillPlaceholders } from '../model/placeholder.ts';
import type { DataToCopy, Step } from '../model/plan.ts';
import { parseRecipients } from '../model/recipient.ts';

const OWN_FOLDER = '.slipway/backups';
/** A site's own line in `.env`, for products that do not ask for keys. */
const SITE_RECIPIENTS = 'BACKUP_ENCRYPT_TO';

export interface DataWish {
  /** The release whose data it is: the installed one. */
  readonly manifest: Manifest;
  readonly config: ComposeFact;
  /** Volumes that exist. */
  readonly volumes: readonly string[];
  /** An image that is present; nothing in it is run. */
  readonly image: string;
  readonly forUpgrade: boolean;
  /** Bytes on disk by volume or path, as far as they could be measured. */
  readonly sizes?: ReadonlyMap<string, number> | undefined;
}

/** Bytes in a minute, for a rough word on the time: a guess at a slow disk and one core. */
const COPIED_A_MINUTE = 50e6 * 60;

/** The data items to copy now, in the order of the manifest. A volume that was never made has nothing to copy. */
export function dataToCopy(wish: DataWish): DataToCopy[] {
  const items: DataToCopy[] = [];
  for (const [name, item] of Object.entries(wish.manifest.data)) {
    if (item.ephemeral === true || (wish.forUpgrade && item.onUpgrade === 'skip')) continue;
    const place = item.path === undefined ? volumeOf(name, wish) : { path: item.path };
    if (place !== undefined) items.push(keep({ name, ...place, image: wish.image, recipe: item.backup, ...sizeOf(place, wish) }));
  }
  return items;
}

function sizeOf(place: { volume?: string; path?: string }, { sizes }: DataWish): Pick<DataToCopy, 'bytes' | 'minutes'> {
  const bytes = sizes?.get(place.volume ?? place.path ?? '');
  return bytes === undefined ? {} : { bytes, minutes: Math.max(1, Math.ceil(bytes / COPIED_A_MINUTE)) };
}

/** The folder of the backups that are asked for, relative to the install or absolute. */
export function backupsFolder(manifest: Manifest, values: ReadonlyMap<string, string>): string {
  const folder = manifest.backup.to === undefined ? '' : fillPlaceholders(manifest.backup.to, values, 'backup.to');
  return folder === '' ? OWN_FOLDER : folder.replace(/\/$/, '');
}

/** Where data is kept to go back to by itself. That needs no key, so it stays on this host, beside the data that it is a copy of, when backups are encrypted. */
export function copiesFolder(manifest: Manifest, values: ReadonlyMap<string, string>): string {
  return recipientsText(manifest, values).trim() === '' ? backupsFolder(manifest, values) : OWN_FOLDER;
}

/** All folders with backups of this install. */
export function backupFolders(manifest: Manifest, values: ReadonlyMap<string, string>): string[] {
  return [...new Set([copiesFolder(manifest, values), backupsFolder(manifest, values)])];
}

/** The public keys that backups are encrypted to: what the product asks for, else what the site has in its `.env`. Throws E_ANSWER. */
export function recipientsOf(manifest: Manifest, values: ReadonlyMap<string, string>): string[] {
  return parseRecipients(recipientsText(manifest, values), manifest.backup.encryptTo ?? SITE_RECIPIENTS);
}

function recipientsText({ backup }: Manifest, values: ReadonlyMap<string, string>): string {
  if (backup.encryptTo === undefined) return values.get(SITE_RECIPIENTS) ?? '';
  return fillPlaceholders(backup.encryptTo, values, 'backup.encryptTo');
}

/** The name of a backup made now, in its folder. */
export function backupPath(folder: string, at: string, label: string): string {
  return `${folder}/${at.replace(/[-:]/g, '')}-${label}`;
}

export interface BackupStepsWish {
  readonly backup: string;
  readonly manifest: Manifest;
  readonly manifestDigest: Step<'close-backup'>['manifest'];
  readonly items: readonly DataToCopy[];
  readonly reason: string;
  readonly rescue: boolean;
  readonly encryptTo?: readonly string[];
}

/** The last step of every backup. */
export function closeBackupStep(wish: BackupStepsWish): Step<'close-backup'> {
  return {
    kind: 'close-backup',
    why: `the backup is read back and gets its name, ${wish.backup}`,
    backup: wish.backup,
    product: wish.manifest.product,
    version: wish.manifest.version,
    manifest: wish.manifestDigest,
    reason: wish.reason,
    rescue: wish.rescue,
    items: wish.items,
    ...keep({ encryptTo: wish.encryptTo }),
  };
}

function volumeOf(name: string, wish: DataWish): { volume: string } | undefined {
  const volume = wish.config.volumes[name];
  return volume !== undefined && wish.volumes.includes(volume) ? { volume } : undefined;
}
