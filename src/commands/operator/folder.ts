// Which install a command means. Rule: --dir, else the environment, else the folder this program lies in; a product's default only for a new one.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { journalPath, recordPath } from '../../model/layout.ts';
import { type Context, type FlagTable, textFlag } from '../command.ts';

export const FOLDER_FLAG = {
  dir: { type: 'string', value: 'FOLDER', help: 'the install; by default the one this command belongs to' },
} as const satisfies FlagTable;

/** The folder of an existing install. Throws E_NO_INSTALL. */
export function findInstall(context: Context): string {
  const folder = lookForInstall(context);
  if (folder !== undefined) return folder;
  throw new ToolError('E_NO_INSTALL', 'there is no install here', { hint: 'Name its folder with --dir, or install first.' });
}

/** The folder that was named, or that of the install around this program or the current folder; undefined when there is none. */
export function lookForInstall(context: Context): string | undefined {
  const named = textFlag(context.flags, 'dir') ?? context.world.env.SLIPWAY_DIR;
  if (named !== undefined && named !== '') return resolve(named);
  const own = dirname(context.file);
  const folder = [own, join(own, '..', '..'), process.cwd()].find((each) => existsSync(recordPath(each)) || existsSync(journalPath(each)));
  return folder === undefined ? undefined : resolve(folder);
}

/** Where a product is installed when nobody says otherwise: /opt as root, the home folder otherwise. */
export function defaultFolder(context: Context, product: string): string {
  const named = textFlag(context.flags, 'dir') ?? context.world.env.SLIPWAY_DIR;
  if (named !== undefined && named !== '') return resolve(named);
  return process.getuid?.() === 0 ? `/opt/${product}` : join(homedir(), product);
}
