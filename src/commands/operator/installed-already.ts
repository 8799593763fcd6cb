// install where there is an install already. Rule: the same version is done, another one is an upgrade, and a second install needs a folder of its own.
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { InstallRecord } from '../../model/install.ts';
import { refuseOpenJournal } from '../carry-out.ts';
import { type CommandResult, type Context, textFlag } from '../command.ts';

/** The result for the version that is there; throws E_POLICY for any other wish. */
export async function installedAlready(context: Context, root: string, record: InstallRecord): Promise<CommandResult> {
  const wanted = textFlag(context.flags, 'release-version');
  await refuseOpenJournal(root, context.world);
  const project = textFlag(context.flags, 'project');
  if (project !== undefined && project !== record.project)
    throw new ToolError(
      'E_POLICY',
      `${root} is the install of the compose project ${record.project} already, and a project never changes`,
      {
        hint: `A second install needs a folder of its own: --project ${project} --dir FOLDER`,
      },
    );
  if (wanted === undefined || wanted === record.version) {
    return {
      fields: { product: record.product, version: record.version, folder: root, outcome: 'installed-already' },
      text: `${record.product} ${record.version} is installed at ${root}\n`,
    };
  }
  throw new ToolError('E_POLICY', `${record.product} ${record.version} is installed at ${root} already`, {
    hint: `To go to ${wanted}: ${join(root, context.program)} upgrade --to ${wanted}`,
  });
}
