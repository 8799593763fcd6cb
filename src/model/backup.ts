// backup.json: what a backup holds (contract: slipway/backup@1). Rule: it is written last, so a folder without it is no backup.
import { type DumpRecipe, keep } from './description.ts';
import { type Digest, parseDigest } from './digest.ts';
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
}

export function parseBackup(text: string, where: string): Backup {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, BACKUP_TYPE, where);
  return {
    type: BACKUP_TYPE,
    product: parseText(f.product, `${where}: product`),
    version: parseText(f.version, `${where}: version`),
    manifest: parseDigest(f.manifest, `${where}: manifest`),
    reason: parseText(f.reason, `${where}: reason`),
    rescue: parseFlag(f.rescue, `${where}: rescue`),
    at: parseMoment(f.at, `${where}: at`),
    items: parseList(f.items, `${where}: items`, parseItem),
  };
}

export function printBackup(backup: Backup): string {
  return prettyJson(backup);
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
