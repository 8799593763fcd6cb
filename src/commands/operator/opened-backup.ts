// A backup made ready to be read: decrypted where it is encrypted. Rule: the secret key comes from a file, is never written anywhere, and what it opened is gone afterwards.
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { removeIfEmpty } from '../../apply/work.ts';
import { isSealed } from '../../model/backup.ts';
import { ToolError } from '../../model/error.ts';
import { journalPath, openedFolder } from '../../model/layout.ts';
import { readIdentities } from '../../observe/age-keys.ts';
import { isThere } from '../../observe/install.ts';
import type { KeptBackup } from '../../observe/kept.ts';
import { openSealedBackup } from '../../observe/opened-backup.ts';
import { type Context, type FlagTable, textFlag } from '../command.ts';

export const IDENTITY_FLAG = {
  identity: { type: 'string', value: 'FILE', help: 'the secret key of an encrypted backup, as age-keygen writes it' },
} as const satisfies FlagTable;

export interface Ready {
  readonly root: string;
  /** The plan that reads it. */
  readonly planId: string;
  readonly backup: KeptBackup;
}

/** Does the work with the backup as it can be read. Throws E_USAGE when a key is needed and none was given. */
export async function withOpenBackup<T>(
  context: Context,
  { root, planId, backup }: Ready,
  work: (backup: KeptBackup) => Promise<T>,
): Promise<T> {
  if (!isSealed(backup)) return work(backup);
  const path = openedFolder(planId);
  const identities = await readIdentities(await identityFile(context, backup));
  context.world.report({ type: 'phase', text: 'Decrypting the backup' });
  await rm(join(root, '.slipway/cache/opened'), { recursive: true, force: true }); // of a command that was killed
  await mkdir(root, { recursive: true }); // with the usual mode; only what is ours is private
  try {
    const opened = await openSealedBackup({ folder: resolve(root, backup.path), backup, identities, into: join(root, path) });
    return await work({ ...opened, path, complete: true });
  } finally {
    if (!(await isThere(journalPath(root)))) await clear(root, path);
  }
}

/** On a host without an install nothing else is there: the folders around it go, too. */
async function clear(root: string, path: string): Promise<void> {
  await rm(join(root, path), { recursive: true, force: true });
  for (const folder of ['.slipway/cache/opened', '.slipway/cache', '.slipway', '.']) await removeIfEmpty(join(root, folder));
}

async function identityFile({ flags, world }: Context, backup: KeptBackup): Promise<string> {
  const name = backup.path.slice(backup.path.lastIndexOf('/') + 1);
  const given = textFlag(flags, 'identity');
  if (given !== undefined) return resolve(given);
  const asked = world.terminal.interactive ? (await world.terminal.ask(`${name} is encrypted. The file with its secret key: `)).trim() : '';
  if (asked !== '') return resolve(asked);
  throw new ToolError('E_USAGE', `${name} is encrypted, and its secret key was not given`, {
    hint: `Bring the key that belongs to ${(backup.encryptedTo ?? []).join(' or ')}, and give its file: --identity FILE.`,
  });
}
