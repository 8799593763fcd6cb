// An install that is a git checkout. Rule: its files come from git, so no release is put over them.
import { join } from 'node:path';
import type { ChannelRelease } from '../../model/channel.ts';
import { ToolError } from '../../model/error.ts';
import type { InstallFacts } from '../../model/facts.ts';
import type { InstallRecord } from '../../model/install.ts';
import type { Manifest } from '../../model/manifest.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { isThere } from '../../observe/install.ts';
import type { Context } from '../command.ts';

/** True while the install that was taken over from git still has its repository. */
export async function isSourceInstall(root: string, { adopted }: Pick<InstallRecord, 'adopted'>): Promise<boolean> {
  return adopted?.from === 'source' && (await isThere(join(root, '.git')));
}

/** A checkout goes one release at a time: throws E_POLICY when there is a stop on the way. */
export async function refuseStops(root: string, record: InstallRecord, path: readonly ChannelRelease[]): Promise<void> {
  const [first] = path;
  if (first === undefined || path.length === 1 || !(await isSourceInstall(root, record))) return;
  const way = path.map(({ version }) => version);
  throw new ToolError(
    'E_POLICY',
    `the way to ${way.at(-1)} leads by way of ${way.slice(0, -1).join(', ')}, and a checkout goes one release at a time`,
    {
      hint: `Upgrade with --to ${first.version} first, then again.`,
    },
  );
}

/** The images of a checkout are built of it, or are those of its commit: throws E_POLICY. */
export async function refuseImagesOnly(root: string, record: InstallRecord): Promise<void> {
  if (!(await isSourceInstall(root, record))) return;
  throw new ToolError('E_POLICY', 'a git checkout has the images of its commit, and none of another release', {
    hint: 'Upgrade without --images-only, with --use-registry for the images of the registry.',
  });
}

/** Data of another release needs that release's files and images: throws E_POLICY unless git was brought back to its commit. */
export async function refuseOtherCommit({ world }: Context, { root, record }: InstallFacts, backedUp: Manifest): Promise<void> {
  if (backedUp.version === record.version || !(await isSourceInstall(root, record))) return;
  const { commit } = await observeCheckout(root, world);
  if (commit !== null && commit === backedUp.commit) return;
  throw new ToolError('E_POLICY', `the backup is of ${backedUp.version}, and the checkout is at ${commit?.slice(0, 10) ?? 'no commit'}`, {
    hint: `Go back in git first, then restore again: in ${root}, git reset --keep ${backedUp.commit ?? 'COMMIT'} && docker compose build.`,
  });
}
