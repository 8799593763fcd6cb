// The secret key at hand, seen by its public half. Rule: nothing of the secret leaves this function.
import { parseSecretKey } from '../model/minisign.ts';
import type { World } from '../model/seams.ts';
import { readTextIfThere } from '../world/disk.ts';

/** The public key of --key FILE or $SLIPWAY_SECRET_KEY; undefined when there is neither. Throws E_CONFIG for what is no secret key. */
export async function observeHeldKey(file: string | null, env: World['env']): Promise<string | undefined> {
  const text = file === null ? env.SLIPWAY_SECRET_KEY : await readTextIfThere(file, 64 * 1024);
  if (text === undefined || text.trim() === '') return undefined;
  return parseSecretKey(text, file ?? '$SLIPWAY_SECRET_KEY').publicKey.text;
}
