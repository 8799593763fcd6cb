// Releases in a registry, for reading. Rule: a channel file is the one with the highest sequence among the tags, so that it never seems to fall.
import { open, rename, rm } from 'node:fs/promises';
import { parseTag } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import type { DownloadOptions, ReleaseSource } from '../model/host.ts';
import { channelSequences, isReleaseTag, ociTag } from '../model/oci-artifact.ts';
import { parseRelativePath } from '../model/parse.ts';
import { cannotWrite } from './http-download.ts';
import { artifactAt, bytesOf, type OciStore, type OciWorld, openOciStore, type StoredArtifact, tagsOf } from './oci-store.ts';

/** What is released at `oci://registry/name`. */
export function ociSource(repository: string, world: OciWorld): ReleaseSource {
  const store = openOciStore(repository, world);
  return {
    label: store.label,
    read: (path, maxBytes) => readOciFile(store, path, maxBytes),
    assets: async (tag) => (await releaseAt(store, parseTag(tag, 'tag')))?.files,
    download: (tag, asset, options) => download(store, { tag: parseTag(tag, 'tag'), asset }, { ...options, random: world.random }),
  };
}

/** The published release at a tag, or undefined. */
export async function releaseAt(store: OciStore, tag: string): Promise<StoredArtifact | undefined> {
  if (!isReleaseTag(tag)) return undefined;
  const found = await artifactAt(store, tag);
  return found?.kind === 'release' ? found : undefined;
}

/** A small file below the root, or undefined. */
export async function readOciFile(store: OciStore, path: string, maxBytes: number): Promise<Buffer | undefined> {
  const [, name = path] = parseRelativePath(path, 'path').split('/');
  const channel = /^channels\/(.+?)(\.signed\.json|\.json|\.json\.minisig)$/.exec(path)?.[1];
  const found = channel === undefined ? await artifactAt(store, ociTag.file(path)) : (await newestChannel(store, channel))?.artifact;
  const file = found?.files.find((each) => each.name === name);
  return file && bytesOf(store, file, maxBytes);
}

/** The artifact of a channel's newest file. */
export async function newestChannel(
  store: OciStore,
  name: string,
): Promise<{ readonly sequence: number; readonly artifact: StoredArtifact } | undefined> {
  const [sequence] = channelSequences(await tagsOf(store), name);
  if (sequence === undefined) return undefined;
  const artifact = await artifactAt(store, ociTag.channel(name, sequence));
  return artifact && { sequence, artifact };
}

async function download(
  store: OciStore,
  { tag, asset }: { readonly tag: string; readonly asset: string },
  { to, maxBytes, sha256, onBytes, random }: DownloadOptions & Pick<OciWorld, 'random'>,
): Promise<void> {
  const file = (await releaseAt(store, tag))?.files.find(({ name }) => name === asset);
  if (file === undefined) throw absent(store, `${tag}: ${asset}`);
  if (file.size > maxBytes) throw new ToolError('E_TOO_LARGE', `${store.label}: ${asset} has more than ${maxBytes} bytes`);
  if (sha256 !== undefined && file.sha256 !== sha256) {
    throw new ToolError('E_DIGEST', `${store.label}: ${asset} of ${tag} is ${file.sha256}, expected ${sha256}`, {
      hint: 'Nothing was kept. This copy was replaced: try another host, or tell the vendor.',
    });
  }
  const part = `${to}.part-${random(6).toString('hex')}`;
  try {
    await storeChunks(store.registry.readBlob(store.ref, { digest: file.sha256, size: file.size }), part, onBytes);
    await rename(part, to);
  } finally {
    await rm(part, { force: true });
  }
}

async function storeChunks(chunks: AsyncIterable<Buffer>, to: string, onBytes?: (done: number) => void): Promise<void> {
  const refuse = (cause: unknown): never => {
    throw cannotWrite(to, cause);
  };
  const file = await open(to, 'wx', 0o600).catch(refuse);
  try {
    let done = 0;
    for await (const chunk of chunks) {
      await file.writeFile(chunk).catch(refuse);
      done += chunk.length;
      onBytes?.(done);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

function absent({ label }: OciStore, what: string): ToolError {
  return new ToolError('E_NOT_FOUND', `${label} has no ${what}`, { hint: 'Choose a version that is published there.' });
}
