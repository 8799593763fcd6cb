// Channel files in a registry: one artifact for each sequence, under a tag with its number. Rule: none is overwritten, so whoever is cut off or
// late, the highest one is there.
import { parseSignedChannel } from '../model/channel.ts';
import { digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { NextChannel } from '../model/host.ts';
import { ociTag } from '../model/oci-artifact.ts';
import { newestChannel, readOciFile } from './oci-source.ts';
import { artifactAt, type OciStore, putArtifact, putBytes } from './oci-store.ts';

const MOST_TRIES = 50;
const MOST_CHANNEL_BYTES = 4 * 1024 * 1024;

/** See `ReleaseHost.changeChannel`. */
export async function changeOciChannel(
  store: OciStore,
  channel: string,
  next: (current: string | undefined) => NextChannel | undefined,
): Promise<void> {
  const path = `channels/${channel}.signed.json`;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const made = next((await readOciFile(store, path, MOST_CHANNEL_BYTES))?.toString());
    if (made === undefined) return;
    const newest = await newestChannel(store, channel);
    if ((newest?.sequence ?? 0) >= made.sequence) continue; // somebody was quicker
    if (await putSequence(store, channel, made)) return;
  }
  throw new ToolError('E_NETWORK', `${store.label}: ${path} changes all the time`, { hint: 'Run the same command again.' });
}

/** True when the sequence is ours; a tag that is there is left as it is. */
async function putSequence(store: OciStore, channel: string, { sequence, text }: NextChannel): Promise<boolean> {
  const tag = ociTag.channel(channel, sequence);
  const { payload, minisig } = parseSignedChannel(text, `channel ${channel}`);
  const contents: readonly (readonly [string, string])[] = [
    [`${channel}.signed.json`, text],
    [`${channel}.json`, payload],
    ...(minisig === null ? [] : ([[`${channel}.json.minisig`, minisig]] as const)),
  ];
  const files = contents.map(([name, content]) => ({ name, size: Buffer.byteLength(content), sha256: digestOf(content) }));
  for (const [index, { size, sha256: digest }] of files.entries()) {
    await putBytes(store, { digest, size }, Buffer.from(contents[index]?.[1] ?? ''));
  }
  if ((await artifactAt(store, tag)) !== undefined) return false;
  return putArtifact(store, tag, { kind: 'channel', files });
}
