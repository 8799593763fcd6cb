// backup.json: what a backup holds (contract: slipway/backup@1). Rule: it is written last, so a folder without it is no backup.
import { keep } from './description.ts';
import { type Digest, parseDigest } from './digest.ts';
import type { DumpRecipe } from './dump-recipe.ts';
import { prettyJson } from './json.ts';
import {
  parseCount,
  parseFields,
  parseFlag,
  parseJson,
  parseList,
  parseMoment,
  parseOptional,
  parseRelativePath,
  parseText,
  parseType,
} from './parse.ts';

export const BACKUP_TYPE = 'slipway/backup@1';

export interface BackupItem {
  readonly name: string;
  /** Relative to the backup's folder. */
  readonly file: string;
  readonly kind: 'copy' | 'dump';
  readonly volume?: string;
  readonly path?: string;
  readonly recipe?: DumpRecipe;
  readonly size: number;
  readonly sha256: Digest;
}

/** A file of the backup beside its items. */
export interface BackupPart {
  readonly file: string;
  readonly size: number;
  readonly sha256: Digest;
}

export interface Backup {
  readonly type: typeof BACKUP_TYPE;
  readonly product: string;
  readonly version: string;
  readonly manifest: Digest;
  readonly reason: string;
  /** A rescue backup holds data that a restore replaced; policy never prunes it. */
  readonly rescue: boolean;
  readonly at: string;
  readonly items: readonly BackupItem[];
  /** The other files, as far as they are written down: older backups have no such list. */
  readonly parts?: readonly BackupPart[];
  /** The public keys of age that all but backup.json and bundle.json are encrypted to. */
  readonly encryptedTo?: readonly string[];
}

export function parseBackup(text: string, where: string): Backup {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, BACKUP_TYPE, where);
  return keep({
    type: BACKUP_TYPE as typeof BACKUP_TYPE,
    product: parseText(f.product, `${where}: product`),
    version: parseText(f.version, `${where}: version`),
    manifest: parseDigest(f.manifest, `${where}: manifest`),
    reason: parseText(f.reason, `${where}: reason`),
    rescue: parseFlag(f.rescue, `${where}: rescue`),
    at: parseMoment(f.at, `${where}: at`),
    items: parseList(f.items, `${where}: items`, parseItem),
    parts: parseOptional(f.parts, `${where}: parts`, (value, at) => parseList(value, at, parsePart)),
    encryptedTo: parseOptional(f.encryptedTo, `${where}: encryptedTo`, (value, at) => parseList(value, at, parseText)),
  });
}

export function printBackup(backup: Backup): string {
  return prettyJson(backup);
}

/** True when only the owner of a secret key can read it. */
export function isSealed({ encryptedTo }: Pick<Backup, 'encryptedTo'>): boolean {
  return encryptedTo !== undefined && encryptedTo.length > 0;
}

function parsePart(value: unknown, where: string): BackupPart {
  const f = parseFields(value, where);
  return {
    file: parseRelativePath(f.file, `${where}.file`),
    size: parseCount(f.size, `${where}.size`),
    sha256: parseDigest(f.sha256, `${where}.sha256`),
  };
}

function parseItem(value: unknown, where: string): BackupItem {
  const f = parseFields(value, where);
  return keep({
    name: parseText(f.name, `${where}.name`),
    file: parseRelativePath(f.file, `${where}.file`),
    kind: f.kind === 'dump' ? ('dump' as const) : ('copy' as const),
    volume: parseOptional(f.volume, `${where}.volume`, parseText),
    path: parseOptional(f.path, `${where}.path`, parseText),
    size: parseCount(f.size, `${where}.size`),
    sha256: parseDigest(f.sha256, `${where}.sha256`),
  });
}
