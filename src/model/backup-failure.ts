// What a backup that was made by itself failed of: `.slipway/backup-failure.json`. Rule: there until one succeeds; `status` tells it.
import { prettyJson } from './json.ts';
import { parseFields, parseJson, parseMoment, parseText, parseType } from './parse.ts';

export const BACKUP_FAILURE_TYPE = 'slipway/backup-failure@1';
export const BACKUP_FAILURE_FILE = 'backup-failure.json';

export interface BackupFailure {
  readonly at: string;
  readonly code: string;
  readonly message: string;
}

export function printBackupFailure({ at, code, message }: BackupFailure): string {
  return prettyJson({ type: BACKUP_FAILURE_TYPE, at, code, message });
}

export function parseBackupFailure(text: string, where: string): BackupFailure {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, BACKUP_FAILURE_TYPE, where);
  const at = (key: string): string => `${where}: ${key}`;
  return { at: parseMoment(f.at, at('at')), code: parseText(f.code, at('code')), message: parseText(f.message, at('message')) };
}
