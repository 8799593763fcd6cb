// When each backup was last found whole, or damaged: `.slipway/backup-checks.json`. Rule: a note; without it a backup is as good as when it was made.
import { prettyJson } from './json.ts';
import { parseFields, parseFlag, parseJson, parseMap, parseMoment, parseType } from './parse.ts';

export const BACKUP_CHECKS_FILE = 'backup-checks.json';
const TYPE = 'slipway/backup-checks@1';

export interface BackupCheck {
  readonly at: string;
  readonly whole: boolean;
  /** It was restored, too, not only read. */
  readonly restored: boolean;
}

/** By the backup's name. */
export type BackupChecks = Readonly<Record<string, BackupCheck>>;

export function printBackupChecks(checks: BackupChecks): string {
  return prettyJson({ type: TYPE, checks });
}

export function parseBackupChecks(text: string, where: string): BackupChecks {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, TYPE, where);
  return parseMap(f.checks, `${where}: checks`, (value, at) => {
    const check = parseFields(value, at);
    return { at: parseMoment(check.at, at), whole: parseFlag(check.whole, at), restored: parseFlag(check.restored, at) };
  });
}
