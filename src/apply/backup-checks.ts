// Notes what was found when backups were verified. Rule: a note beside the record, about backups that are still there.
import { join } from 'node:path';
import { BACKUP_CHECKS_FILE, type BackupChecks, printBackupChecks } from '../model/backup-checks.ts';
import { stateFolder } from '../model/layout.ts';
import { writeDurably } from './durable.ts';

/** Writes the note anew. */
export async function noteBackupChecks(root: string, checks: BackupChecks): Promise<void> {
  await writeDurably(join(stateFolder(root), BACKUP_CHECKS_FILE), printBackupChecks(checks), 0o600);
}
