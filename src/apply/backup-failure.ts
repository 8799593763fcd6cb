// Notes that a backup failed while nobody looked on. Rule: a note beside the record, never a reason to fail; the next success takes it away.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BACKUP_FAILURE_FILE, type BackupFailure, printBackupFailure } from '../model/backup-failure.ts';
import { stateFolder } from '../model/layout.ts';
import { writeDurably } from './durable.ts';

/** Writes the note. */
export async function noteBackupFailure(root: string, failure: BackupFailure): Promise<void> {
  await writeDurably(join(stateFolder(root), BACKUP_FAILURE_FILE), printBackupFailure(failure), 0o600);
}

/** Takes the note away. */
export async function forgetBackupFailure(root: string): Promise<void> {
  await rm(join(stateFolder(root), BACKUP_FAILURE_FILE), { force: true });
}
