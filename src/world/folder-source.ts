// A folder as a place to read releases from. Rule: only what was published is seen, and every read has a maximum.
import { randomBytes } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelAsset } from '../model/channel.ts';
import { parseTag } from '../model/channel.ts';
import { systemCode, ToolError } from '../model/error.ts';
import type { DownloadOptions, ReleaseSource } from '../model/host.ts';
import { parseFileName } from '../model/manifest.ts';
import { parseRelativePath } from '../model/parse.ts';
import { copyStreamed, measureFile, namesIn, readBounded } from './folder-files.ts';

/** The folder host at this absolute path, for reading. A folder that is not there counts as unreachable. */
export function folderSource(root: string): ReleaseSource {
  return {
    label: root,
    read: async (path, maxBytes) => {
      const bytes = await readBounded(join(root, parseRelativePath(path, 'path')), maxBytes);
      if (bytes === undefined) await refuseMissingRoot(root);
      return bytes;
    },
    assets: async (tag) => {
      const names = await namesIn(releasePath(root, tag));
      if (names === undefined) await refuseMissingRoot(root);
      return names && Promise.all(names.map(async (name) => ({ name, size: (await stat(join(releasePath(root, tag), name))).size })));
    },
    download: (tag, asset, options) => download(root, join(releasePath(root, tag), parseFileName(asset, 'asset')), options),
  };
}

/** Where a published release lies. */
export function releasePath(root: string, tag: string): string {
  return join(root, 'releases', parseTag(tag, 'tag'));
}

/** What a folder of assets holds, measured; undefined when there is no such folder. */
export async function measureFolder(folder: string): Promise<readonly ChannelAsset[] | undefined> {
  const names = await namesIn(folder);
  if (names === undefined) return undefined;
  const assets: ChannelAsset[] = [];
  for (const name of names) assets.push({ name, ...(await measureAsset(join(folder, name))) });
  return assets;
}

async function measureAsset(path: string): Promise<Omit<ChannelAsset, 'name'>> {
  if ((await stat(path)).isFile()) return measureFile(path);
  throw new ToolError('E_FORMAT', `${path} is not a file`, { hint: 'A release holds files only; move this away.' });
}

async function download(root: string, from: string, { to, maxBytes, sha256, onBytes }: DownloadOptions): Promise<void> {
  const part = `${to}.part-${randomBytes(6).toString('hex')}`;
  try {
    const copied = await copyStreamed({ from, to: part, mode: 0o600, maxBytes, ...(onBytes === undefined ? {} : { onBytes }) });
    if (sha256 !== undefined && copied.sha256 !== sha256) throw differs(from, copied.sha256, sha256);
    await rename(part, to);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    await refuseMissingRoot(root);
    throw new ToolError('E_NOT_FOUND', `${from} does not exist`, { cause: error, hint: 'Choose a version that is published there.' });
  } finally {
    await rm(part, { force: true });
  }
}

async function refuseMissingRoot(root: string): Promise<void> {
  try {
    await stat(root);
  } catch (cause) {
    throw new ToolError('E_NETWORK', `there is no folder ${root}`, { cause, hint: 'Is the path right, and the disk mounted?' });
  }
}

function differs(path: string, found: string, expected: string): ToolError {
  return new ToolError('E_DIGEST', `${path} is not what was published: found ${found}, expected ${expected}`, {
    hint: 'Nothing was kept. This copy is damaged or was replaced: try another host, or tell the vendor.',
  });
}
