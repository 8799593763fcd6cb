// Gitea and Forgejo as a release host. Rule: everything is decided by what is read back; nothing published is changed unless it is to be replaced.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelAsset } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import type { GiteaAddress, ReleaseHost } from '../model/host.ts';
import { type BranchFile, put, putOnce } from './branch-files.ts';
import { type Gitea, type GiteaWorld, openGitea } from './gitea-api.ts';
import { changeGiteaChannel, giteaFiles } from './gitea-files.ts';
import { giteaProblems } from './gitea-preflight.ts';
import { dropDraft, listDraft, listPublished, openDraft, publishDraft, uploadToDraft } from './gitea-release.ts';
import { releaseOf } from './gitea-row.ts';
import { readReservation, reserveTag, tagsWith, unreserveTag } from './gitea-tags.ts';
import { inScratch } from './scratch.ts';

/** The releases of a repository on Gitea, for publishing. Nothing is asked until it is used. */
export function giteaHost(address: GiteaAddress, world: GiteaWorld): ReleaseHost {
  const gitea = openGitea(address, world);
  const files = giteaFiles(gitea);
  return {
    label: gitea.page,
    read: async (path, maxBytes) => bounded(await files.read(path), maxBytes, `${gitea.page}: ${path}`),
    reservation: (tag) => readReservation(gitea, tag),
    tags: (prefix) => tagsWith(gitea, prefix),
    listRelease: (tag) => listPublished(gitea, tag),
    preflight: (wanted) => giteaProblems(gitea, wanted),
    reserve: (wanted) => reserveTag(gitea, wanted),
    unreserve: (wanted) => unreserveTag(gitea, wanted),
    openDraft: (draft) => openDraft(gitea, draft),
    listDraft: (draft) => listDraft(gitea, draft),
    upload: (draft, asset, options) => uploadToDraft(gitea, draft, asset, options),
    dropDraft: (draft) => dropDraft(gitea, draft),
    publish: (draft, publication) => publishDraft(gitea, draft, publication),
    changeChannel: (channel, next) => changeGiteaChannel(gitea, channel, next),
    putAsset: async (tag, asset, path) => put(files, path, await publishedBytes(gitea, tag, asset)),
    putText: (path, text) => putOnce(files, path, text),
  };
}

async function publishedBytes(gitea: Gitea, tag: string, asset: ChannelAsset): Promise<Buffer> {
  const release = await releaseOf(gitea, tag);
  const stored = release?.draft === false ? release.assets.find(({ name, size }) => name === asset.name && size === asset.size) : undefined;
  if (stored === undefined)
    throw new ToolError('E_NOT_FOUND', `${gitea.name}: ${tag} has no such ${asset.name}`, { hint: 'Publish it first.' });
  return inScratch(async (folder) => {
    const to = join(folder, 'asset');
    await gitea.forge.download(`${gitea.web}/attachments/${encodeURIComponent(stored.uuid)}`, {
      to,
      maxBytes: asset.size,
      sha256: asset.sha256,
    });
    return readFile(to);
  });
}

function bounded(file: BranchFile | undefined, maxBytes: number, where: string): Buffer | undefined {
  if (file === undefined || file.bytes.length <= maxBytes) return file?.bytes;
  throw new ToolError('E_TOO_LARGE', `${where} has more than ${maxBytes} bytes`, { hint: 'Nothing was kept.' });
}
