// An install that is a git checkout. Rule: its files come from git, so no release is put over them.
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { InstallRecord } from '../../model/install.ts';
import { isThere } from '../../observe/install.ts';

/** True while the install that was taken over from git still has its repository. */
export async function isSourceInstall(root: string, { adopted }: Pick<InstallRecord, 'adopted'>): Promise<boolean> {
  return adopted?.from === 'source' && (await isThere(join(root, '.git')));
}

/** Throws E_POLICY for a source install, with the way to go on in git and the way to releases. */
export async function refuseSourceInstall(root: string, record: InstallRecord): Promise<void> {
  if (!(await isSourceInstall(root, record))) return;
  throw new ToolError('E_POLICY', `${root} is a source install: its files come from git, not from releases`, {
    hint: `To go on with git: git -C ${root} pull --ff-only, then docker compose build && docker compose up -d there. To follow releases from now on, move ${join(root, '.git')} away and upgrade again.`,
  });
}
