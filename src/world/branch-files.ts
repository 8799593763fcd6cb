// Small files on a branch of a forge: channel files, keys, install.sh. Rule: a change names the content it replaces, and whoever loses looks again.
import { CHANNEL_MAX_BYTES, parseSignedChannel } from '../model/channel.ts';
import { digestOf } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import type { NextChannel } from '../model/host.ts';
import { publishedDiffers } from '../model/published.ts';

/** The branch that installs read. */
export const CHANNELS_BRANCH = 'channels';

export interface BranchFile {
  /** What a change must name: the blob's id. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** A branch as the forge's API gives it. Reads throw unless the forge itself says that the file is absent. */
export interface BranchFiles {
  readonly label: string;
  readonly read: (path: string) => Promise<BranchFile | undefined>;
  /** Makes or replaces a file whose content is `before`; `lost` when it is another by now. An answer that was lost is E_NETWORK: look again. */
  readonly write: (path: string, bytes: Buffer, before: string | undefined) => Promise<'written' | 'lost'>;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

const MOST_TRIES = 50;

/** Replaces a channel file by what `next` makes of the current one, with its copies for people (see `ReleaseHost.changeChannel`). */
export async function changeBranchChannel(
  files: BranchFiles,
  channel: string,
  next: (current: string | undefined) => NextChannel | undefined,
): Promise<void> {
  const path = `channels/${channel}.signed.json`;
  await replace(files, path, (current) => {
    const made = next(current?.toString());
    return made === undefined ? undefined : Buffer.from(made.text);
  });
  for (let signed = await files.read(path); signed !== undefined; ) {
    const { payload, minisig } = parseSignedChannel(signed.bytes.toString(), path);
    await put(files, `channels/${channel}.json`, Buffer.from(payload));
    if (minisig !== null) await put(files, `channels/${channel}.json.minisig`, Buffer.from(minisig));
    const now = await files.read(path);
    if (now?.id === signed.id) return;
    signed = now; // changed meanwhile: whoever changed it may have written its copies before us
  }
}

/** Puts these bytes at the path, in place of whatever is there. */
export async function put(files: BranchFiles, path: string, bytes: Buffer): Promise<void> {
  await replace(files, path, (current) => (current?.equals(bytes) ? undefined : bytes));
}

/** Puts a text there for ever. Throws E_PUBLISHED_DIFFERS when something else is there. */
export async function putOnce(files: BranchFiles, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  await replace(files, path, (current) => {
    if (current !== undefined && !current.equals(bytes)) throw publishedDiffers(path, digestOf(current), digestOf(bytes));
    return current === undefined ? bytes : undefined;
  });
}

async function replace(files: BranchFiles, path: string, next: (current: Buffer | undefined) => Buffer | undefined): Promise<void> {
  let wanted: Buffer | undefined;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const current = await files.read(path);
    if (wanted !== undefined && current?.bytes.equals(wanted)) return; // ours got through, and its answer did not
    wanted = next(current?.bytes);
    if (wanted === undefined) return;
    if ((await writeOnce(files, path, { bytes: wanted, before: current?.id })) === 'written') return;
    await files.sleep(Math.min(2000, 50 * tries));
  }
  throw new ToolError('E_NETWORK', `${files.label}: others change ${path} all the time`, { hint: 'Run the same command again.' });
}

async function writeOnce(
  files: BranchFiles,
  path: string,
  { bytes, before }: { readonly bytes: Buffer; readonly before: string | undefined },
): Promise<'written' | 'lost'> {
  if (bytes.length > CHANNEL_MAX_BYTES * 2)
    throw new ToolError('E_TOO_LARGE', `${path} is too large for a branch`, { hint: 'Begin a new channel.' });
  try {
    return await files.write(path, bytes, before);
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return 'lost'; // it may have been written: reading tells
    throw error;
  }
}
