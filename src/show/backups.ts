// The list of backups. Rule: what a person needs to choose one: how old, how large, for whom it is readable, and when it was last seen whole.
import { type Backup, isSealed } from '../model/backup.ts';
import type { BackupCheck } from '../model/backup-checks.ts';
import { sizeToText } from '../model/units.ts';
import { columnsToText } from './columns.ts';
import { ageToText } from './status.ts';

export interface ListedBackup extends Backup {
  readonly name: string;
  /** Every file is there in its size. */
  readonly complete: boolean;
  readonly check: BackupCheck | undefined;
}

/** A line for each, oldest first. */
export function backupsToText(backups: readonly ListedBackup[], now: string): string {
  if (backups.length === 0) return 'no backups\n';
  const rows = backups.map((each) => [
    ...[each.name, each.version, sizeToText(sizeOf(each)), ageToText(each.at, now)],
    ...[verifiedToText(each, now), isSealed(each) ? 'yes' : 'no', each.rescue ? `rescue, ${each.reason}` : each.reason],
  ]);
  return columnsToText([['NAME', 'VERSION', 'SIZE', 'AGE', 'VERIFIED', 'ENCRYPTED', 'WHY'], ...rows]);
}

/** Bytes of all its files, as far as they are written down. */
export function sizeOf({ items, parts = [] }: Backup): number {
  return [...items, ...parts].reduce((total, { size }) => total + size, 0);
}

/** Every backup was read back when it was made. */
function verifiedToText({ complete, check }: ListedBackup, now: string): string {
  if (!complete || check?.whole === false) return 'DAMAGED';
  if (check === undefined) return 'when made';
  const age = ageToText(check.at, now);
  return `${check.restored ? 'restored ' : ''}${/^\d/.test(age) ? `${age} ago` : age}`;
}
