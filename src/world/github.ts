// GitHub as a release host. Rule: nobody sees half a release, what is published stays, and every call may be repeated after any interruption.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelAsset } from '../model/channel.ts';
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type Draft, type GithubAddress, MANIFEST_ASSET, type Publication, type ReleaseHost, type ReleaseSource } from '../model/host.ts';
import { publishedDiffers } from '../model/published.ts';
import { changeBranchChannel, put, putOnce } from './branch-files.ts';
import { type Github, openGithub } from './github-api.ts';
import { githubFiles } from './github-files.ts';
import { githubProblems } from './github-preflight.ts';
import {
  assetsOf,
  createDraft,
  deleteRelease,
  draftsOf,
  type GithubAsset,
  type GithubRelease,
  makePublic,
  measuredAssets,
  publishedRelease,
  refuseOtherSet,
  uploadAsset,
} from './github-releases.ts';
import { listTags, readReservation, reserveTag, unreserveTag } from './github-tags.ts';
import type { HttpWorld } from './http.ts';

const MOST_TRIES = 5;

/** The releases of a repository on GitHub. Nothing is asked until it is used. */
export function githubHost(address: GithubAddress, world: HttpWorld): ReleaseHost {
  const github = openGithub(address, world);
  const files = githubFiles(github);
  const made = new Map<Digest, GithubRelease>(); // a listing may lack what was just made
  const find = async (draft: Draft): Promise<GithubRelease | undefined> => (await draftsOf(github, draft))[0] ?? made.get(draft.contents);
  const there: Drafts = { github, find, made };
  return {
    label: github.web,
    read: async (path, maxBytes) => bounded((await files.read(path))?.bytes, maxBytes, `${github.web}: ${path}`),
    reservation: (tag) => readReservation(github, tag),
    tags: (prefix) => listTags(github, prefix),
    listRelease: (tag) => listRelease(github, tag),
    preflight: (wanted) => githubProblems(github, wanted),
    reserve: (wanted) => reserveTag(github, wanted),
    unreserve: async (wanted) => {
      if ((await publishedRelease(github, wanted.tag)) === undefined) await unreserveTag(github, wanted);
    },
    openDraft: (draft) => openDraft(there, draft),
    listDraft: async (draft) => {
      const release = await find(draft);
      return release && measuredAssets(github, release);
    },
    upload: async (draft, asset, options) => uploadAsset(github, await existing(there, draft), asset, options),
    dropDraft: (draft) => dropDraft(there, draft),
    publish: (draft, publication) => publish(there, draft, publication),
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

interface Drafts {
  readonly github: Github;
  readonly find: (draft: Draft) => Promise<GithubRelease | undefined>;
  readonly made: Map<Digest, GithubRelease>;
}

async function listRelease(github: Github, tag: string): Promise<readonly ChannelAsset[] | undefined> {
  const release = await publishedRelease(github, tag);
  return release && measuredAssets(github, release);
}

async function openDraft({ github, find, made }: Drafts, draft: Draft): Promise<void> {
  github.mayWrite();
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    if ((await find(draft)) !== undefined) return;
    try {
      made.set(draft.contents, await createDraft(github, draft));
      return;
    } catch (error) {
      if (!isToolError(error, 'E_NETWORK') || tries === MOST_TRIES) throw error;
      await github.world.sleep(1000 * tries); // it may have been made: looking tells, a little later
    }
  }
}

async function existing({ github, find }: Drafts, draft: Draft): Promise<GithubRelease> {
  const release = await find(draft);
  if (release !== undefined) return release;
  throw new ToolError('E_NOT_FOUND', `${github.name}: the draft of ${draft.tag} is gone`, { hint: 'Publish again.' });
}

async function dropDraft({ github, find, made }: Drafts, draft: Draft): Promise<void> {
  for (const release of await draftsOf(github, draft)) await deleteRelease(github, release);
  const last = made.has(draft.contents) ? await find(draft) : undefined;
  made.delete(draft.contents);
  if (last?.draft) await deleteUnlessPublished(github, last);
}

/** What a listing did not show may have become public meanwhile. */
async function deleteUnlessPublished(github: Github, release: GithubRelease): Promise<void> {
  if ((await publishedRelease(github, release.tag))?.id !== release.id) await deleteRelease(github, release);
}

async function publish(drafts: Drafts, draft: Draft, publication: Publication): Promise<'published' | 'already-published'> {
  const { github, made } = drafts;
  github.mayWrite();
  if (await isPublished(github, draft.tag, publication)) {
    await dropDraft(drafts, draft);
    return 'already-published';
  }
  const release = await existing(drafts, draft);
  await refuseOtherSet(github, release, publication.assets);
  if (publication.replaces !== null) await removeReplaced(github, draft.tag, publication.replaces);
  for (let tries = 1; ; tries += 1) {
    const refused = await tryPublic(github, release, publication);
    if (await isPublished(github, draft.tag, publication)) break;
    if (refused !== undefined || tries === MOST_TRIES) throw notPublished(github, release, refused);
    await github.world.sleep(1000 * tries); // a release may take a moment to be found by its tag
  }
  made.delete(draft.contents);
  await dropDraft(drafts, draft); // twins: another attempt of ours began at the same moment
  return 'published';
}

/** True when our manifest is public. Throws E_PUBLISHED_DIFFERS for another one, unless that is to be replaced. */
async function isPublished(github: Github, tag: string, { assets, replaces }: Publication): Promise<boolean> {
  const found = await listRelease(github, tag);
  if (found === undefined) return false;
  const theirs = manifestOf(found);
  if (theirs === manifestOf(assets)) return true;
  if (theirs !== undefined && theirs === replaces) return false;
  throw publishedDiffers(tag, theirs, manifestOf(assets));
}

/** Undefined when it was carried out, or nobody knows; else what GitHub said. */
async function tryPublic(github: Github, release: GithubRelease, publication: Publication): Promise<string | undefined> {
  try {
    const { status, text } = await makePublic(github, release, publication);
    return status < 300 || status === 404 ? undefined : text;
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return undefined;
    throw error;
  }
}

async function removeReplaced(github: Github, tag: string, manifest: Digest): Promise<void> {
  const release = await publishedRelease(github, tag);
  if (release === undefined || manifestOf(await measuredAssets(github, release)) !== manifest) return;
  if (!release.immutable) return deleteRelease(github, release);
  throw new ToolError('E_NOT_SUPPORTED', `${github.name}: ${tag} is an immutable release, and GitHub lets nobody replace it`, {
    hint: 'Publish the next version, and yank this one.',
  });
}

async function assetBytes(github: Github, tag: string, asset: ChannelAsset): Promise<Buffer> {
  const found = (await wholeAssets(github, tag))?.find(({ name }) => name === asset.name);
  if (found === undefined) throw new ToolError('E_NOT_FOUND', `${github.name}: ${tag} has no ${asset.name}`, { hint: 'Publish it first.' });
  const folder = await mkdtemp(join(tmpdir(), 'slipway-asset-'));
  try {
    const to = join(folder, 'asset');
    await github.forge.download(found.url, { to, maxBytes: asset.size, sha256: asset.sha256 });
    return await readFile(to);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function manifestOf(assets: readonly ChannelAsset[]): Digest | undefined {
  return assets.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
}

function bounded(bytes: Buffer | undefined, maxBytes: number, where: string): Buffer | undefined {
  if (bytes === undefined || bytes.length <= maxBytes) return bytes;
  throw new ToolError('E_TOO_LARGE', `${where} has more than ${maxBytes} bytes`, { hint: 'Nothing was kept.' });
}

function notPublished(github: Github, release: GithubRelease, text: string | undefined): ToolError {
  const said = /"message"\s*:\s*"([^"\\]{1,200})/.exec(text ?? '')?.[1] ?? 'it does not show up';
  return new ToolError('E_NETWORK', `${github.name} did not publish ${release.tag}: ${said}`, {
    hint: `Look at the tag rules of ${github.web}/settings/rules, then publish again: the draft is kept at ${release.page}.`,
  });
}
