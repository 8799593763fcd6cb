// GitHub as a release host. Rule: nobody sees half a release, what is published stays, and every call may be repeated after any interruption.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelAsset } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import type { GithubAddress, ReleaseHost, ReleaseSource } from '../model/host.ts';
import { changeBranchChannel, put, putOnce } from './branch-files.ts';
import { type Github, openGithub } from './github-api.ts';
import { dropDrafts, listDraft, openDraft, uploadToDraft } from './github-drafts.ts';
import { githubFiles } from './github-files.ts';
import { githubProblems } from './github-preflight.ts';
import { publishDraft } from './github-publish.ts';
import { assetsOf, type GithubAsset, isInUse, measuredAssets, publishedRelease } from './github-releases.ts';
import { listTags, readReservation, reserveTag, unreserveTag } from './github-tags.ts';
import type { HttpWorld } from './http.ts';
import { inScratch } from './scratch.ts';

/** The releases of a repository on GitHub. Nothing is asked until it is used. */
export function githubHost(address: GithubAddress, world: HttpWorld): ReleaseHost {
  const github = openGithub(address, world);
  const files = githubFiles(github);
  return {
    label: github.web,
    read: async (path, maxBytes) => bounded((await files.read(path))?.bytes, maxBytes, `${github.web}: ${path}`),
    reservation: (tag) => readReservation(github, tag),
    tags: (prefix) => listTags(github, prefix),
    listRelease: (tag) => listRelease(github, tag),
    preflight: (wanted) => githubProblems(github, wanted),
    reserve: (wanted) => reserveTag(github, wanted),
    unreserve: async (wanted) => {
      if (!(await isInUse(github, wanted.tag))) await unreserveTag(github, wanted);
    },
    openDraft: (draft) => openDraft(github, draft),
    listDraft: (draft) => listDraft(github, draft),
    upload: (draft, asset, options) => uploadToDraft(github, draft, asset, options),
    dropDraft: (draft) => dropDrafts(github, draft),
    publish: (draft, publication) => publishDraft(github, draft, publication),
    changeChannel: (channel, next) => changeBranchChannel(files, channel, next),
    putAsset: async (tag, asset, path) => put(files, path, await assetBytes(github, tag, asset)),
    putText: (path, text) => putOnce(files, path, text),
  };
}

/** The releases of a private repository, for reading with a token: its pages take none. */
export function githubSource(address: GithubAddress, world: HttpWorld): ReleaseSource {
  const github = openGithub(address, world);
  const host = githubHost(address, world);
  return {
    label: github.web,
    read: host.read,
    assets: async (tag) => (await wholeAssets(github, tag))?.map(({ name, size }) => ({ name, size })),
    download: async (tag, asset, options) => {
      const found = (await wholeAssets(github, tag))?.find(({ name }) => name === asset);
      if (found === undefined)
        throw new ToolError('E_NOT_FOUND', `${github.web}: ${tag} has no ${asset}`, { hint: 'Choose another version.' });
      await github.forge.download(found.url, options);
    },
  };
}

async function wholeAssets(github: Github, tag: string): Promise<readonly GithubAsset[] | undefined> {
  const release = await publishedRelease(github, tag);
  return release && (await assetsOf(github, release)).filter(({ complete }) => complete);
}

async function listRelease(github: Github, tag: string): Promise<readonly ChannelAsset[] | undefined> {
  const release = await publishedRelease(github, tag);
  return release && measuredAssets(github, release);
}

async function assetBytes(github: Github, tag: string, asset: ChannelAsset): Promise<Buffer> {
  const found = (await wholeAssets(github, tag))?.find(({ name }) => name === asset.name);
  if (found === undefined) throw new ToolError('E_NOT_FOUND', `${github.name}: ${tag} has no ${asset.name}`, { hint: 'Publish it first.' });
  return inScratch(async (folder) => {
    const to = join(folder, 'asset');
    await github.forge.download(found.url, { to, maxBytes: asset.size, sha256: asset.sha256 });
    return readFile(to);
  });
}

function bounded(bytes: Buffer | undefined, maxBytes: number, where: string): Buffer | undefined {
  if (bytes === undefined || bytes.length <= maxBytes) return bytes;
  throw new ToolError('E_TOO_LARGE', `${where} has more than ${maxBytes} bytes`, { hint: 'Nothing was kept.' });
}
