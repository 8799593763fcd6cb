// A draft on GitHub from its making to its end. Rule: listings lag, so a draft that is not shown is waited for, and what was published meanwhile counts as done.

import type { ChannelAsset } from '../model/channel.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { contentsOf, type Draft, type UploadOptions } from '../model/host.ts';
import type { Github } from './github-api.ts';
import {
  createDraft,
  deleteDraft,
  draftsOf,
  type GithubRelease,
  isDraftOf,
  listReleases,
  measuredAssets,
  publishedRelease,
  uploadAsset,
} from './github-releases.ts';

const MOST_TRIES = 5;
/** With so many publishers at once that the list still changes, a draft may stay; it is in nobody's way. */
const MOST_LISTS = 20;

/** The draft's assets, as they are stored. One that is removed while it is looked at was a twin, or was published: then it is looked for anew. */
export async function listDraft(github: Github, draft: Draft): Promise<readonly ChannelAsset[] | undefined> {
  for (let tries = 1; ; tries += 1) {
    const release = await findDraft(github, draft);
    if (release === undefined) return undefined;
    try {
      return await measuredAssets(github, release);
    } catch (error) {
      if (tries === MOST_TRIES || !isToolError(error, 'E_NOT_FOUND')) throw error;
    }
  }
}

/** The draft that everybody with these contents goes on with, as far as the listing shows one. */
async function findDraft(github: Github, draft: Draft): Promise<GithubRelease | undefined> {
  return (await draftsOf(github, draft))[0];
}

/** Makes the draft unless the listing shows it. A twin, made because the listing lagged, goes when one of them is published. */
export async function openDraft(github: Github, draft: Draft): Promise<void> {
  github.mayWrite();
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    if ((await findDraft(github, draft)) !== undefined) return;
    try {
      await createDraft(github, draft);
      return;
    } catch (error) {
      if (!isToolError(error, 'E_NETWORK') || tries === MOST_TRIES) throw error;
      await github.world.sleep(1000 * tries); // it may have been made: looking tells, a little later
    }
  }
}

/** The draft, waited for up to half a minute. Throws E_NOT_FOUND when there is none. */
export async function awaitDraft(github: Github, draft: Draft): Promise<GithubRelease> {
  for (let tries = 1; tries <= MOST_TRIES + 1; tries += 1) {
    const release = await findDraft(github, draft);
    if (release !== undefined) return release;
    if (await isPublishedAs(github, draft)) break;
    await github.world.sleep(1500 * tries);
  }
  throw new ToolError('E_NOT_FOUND', `${github.name}: the draft of ${draft.tag} is gone`, { hint: 'Publish again.' });
}

/** Uploads one asset; nothing is left to do when others published the very same contents meanwhile. */
export async function uploadToDraft(github: Github, draft: Draft, asset: ChannelAsset, options: UploadOptions): Promise<void> {
  github.mayWrite();
  try {
    await uploadAsset(github, await awaitDraft(github, draft), asset, options);
  } catch (error) {
    const mayBeDone = isToolError(error, 'E_NOT_FOUND') || isToolError(error, 'E_NETWORK');
    if (!mayBeDone || !(await isPublishedAs(github, draft))) throw error;
  }
}

/** Removes the draft and its twins. None is left when two lists in a row are alike: what others remove while one is read hides a draft in it. */
export async function dropDrafts(github: Github, draft: Draft): Promise<void> {
  let before = '';
  for (let lists = 1; lists <= MOST_LISTS; lists += 1) {
    const all = await listReleases(github);
    const ours = all.filter((release) => isDraftOf(release, draft));
    for (const release of ours) await deleteDraft(github, release);
    const now = all.map(({ id }) => id).join(' ');
    if (ours.length === 0 && now === before) return;
    before = now;
  }
}

async function isPublishedAs(github: Github, { tag, contents }: Draft): Promise<boolean> {
  const release = await publishedRelease(github, tag);
  return release !== undefined && contentsOf(await measuredAssets(github, release)) === contents;
}
