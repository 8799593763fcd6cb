// What the notes of a release are made from: the release before it, and why there may be no text. Rule: a host that cannot be read is a warning.
import { ToolError } from '../../model/error.ts';
import { addressOf } from '../../model/host.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Version } from '../../model/version.ts';
import { observePrevious } from '../../observe/previous.ts';
import { type Context, type FlagTable, textFlag } from '../command.ts';
import type { ProductFile } from './product-file.ts';

/** For every command that needs the notes of a release. */
export const NOTES_FLAGS = {
  'no-notes': { type: 'string', value: 'REASON', help: 'why the version needs no text, for example a hotfix' },
} as const satisfies FlagTable;

/** The reason of --no-notes, for `planNotes`. */
export function withoutNotes({ flags }: Context): { readonly withoutReason?: string } {
  const reason = textFlag(flags, 'no-notes');
  return reason === undefined || reason.trim() === '' ? {} : { withoutReason: reason };
}

/** The manifest of the release before this one in its channel, as the authority has it. */
export async function previousManifest(
  context: Context,
  { product, root }: ProductFile,
  { channel }: Manifest,
  below: Version,
): Promise<Manifest | undefined> {
  const host = product.release.hosts.find(({ name }) => name === product.release.authority);
  if (host === undefined) return undefined;
  const publicKey = product.release.publicKey ?? null;
  try {
    return await observePrevious({ host: addressOf(host, root), product: product.product, channel, below, publicKey }, context.world);
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    context.world.report({ type: 'warning', text: `the release before was not looked at: ${error.message}` });
    return undefined;
  }
}
