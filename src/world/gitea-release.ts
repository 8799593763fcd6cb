// Drafts and releases on Gitea. Rule: a tag has room for one row, tag or draft or release, so a draft is ours only while its body says so.
import type { ChannelAsset } from '../model/channel.ts';
import { type Digest, hexOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import { type Draft, MANIFEST_ASSET, type Publication, type UploadOptions } from '../model/host.ts';
import { assetDifferences, publishedDiffers } from '../model/published.ts';
import type { ForgeAnswer } from './forge.ts';
import { attempt, failureOf, type Gitea, needToken, pathOf, pause } from './gitea-api.ts';
import { digestOfStored, measureAssets, removeTwins, uploadAsset } from './gitea-assets.ts';
import { type GiteaRelease, heldByDraft, markOf, releaseOf } from './gitea-row.ts';

const MOST_TRIES = 4;

/** The published assets with the digests of what is stored; never a draft's. */
export async function listPublished(gitea: Gitea, tag: string): Promise<readonly ChannelAsset[] | undefined> {
  return measureAssets(gitea, async () => {
    const release = await releaseOf(gitea, tag);
    return release?.draft === false ? release : undefined;
  });
}

/** Makes the draft unless it is there. Throws E_RESERVED_ELSEWHERE when a draft with other contents has the tag. */
export async function openDraft(gitea: Gitea, draft: Draft): Promise<void> {
  needToken(gitea);
  let tried: ForgeAnswer | ToolError | undefined;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const there = await releaseOf(gitea, draft.tag);
    if ((await ownDraft(gitea, draft, there)) !== undefined) return;
    if (there?.draft === true) throw heldByDraft(gitea, draft.tag);
    if (tries > 1) await pause(gitea, tries);
    const body = { tag_name: there === undefined ? draft.tag : asideName(draft), name: draft.tag, body: markOf(draft), draft: true };
    tried = await attempt(gitea, { method: 'POST', path: 'releases', body });
  }
  if ((await ownDraft(gitea, draft, await releaseOf(gitea, draft.tag))) !== undefined) return;
  throw failureOf(gitea, `making the draft of ${draft.tag}`, tried as ForgeAnswer | ToolError);
}

/** The draft's assets, or undefined when there is no draft with these contents. */
export async function listDraft(gitea: Gitea, draft: Draft): Promise<readonly ChannelAsset[] | undefined> {
  return measureAssets(gitea, async () => ownDraft(gitea, draft, await releaseOf(gitea, draft.tag)));
}

/** Puts one asset into the draft; asks before each try whether the draft is still ours. */
export async function uploadToDraft(gitea: Gitea, draft: Draft, asset: ChannelAsset, options: UploadOptions): Promise<void> {
  needToken(gitea);
  const reread = async (): Promise<GiteaRelease> => {
    const there = await releaseOf(gitea, draft.tag);
    const mine = (await ownDraft(gitea, draft, there)) ?? there;
    if (mine === undefined || (mine === there && mine.draft && mine.contents !== draft.contents)) throw noDraft(gitea, draft, there);
    return mine;
  };
  await uploadAsset(gitea, reread, asset, options);
}

/** Deletes the draft; the git tag stays. */
export async function dropDraft(gitea: Gitea, draft: Draft): Promise<void> {
  const mine = await ownDraft(gitea, draft, await releaseOf(gitea, draft.tag));
  if (mine === undefined) return;
  needToken(gitea);
  await gitea.forge.call({ method: 'DELETE', path: `${gitea.path}/releases/${mine.id}`, answers: [404] });
  if (mine.tag === draft.tag) return;
  const path = `${gitea.path}/tags/${pathOf(mine.tag)}`; // a row without a tag in git is left of it
  await gitea.forge.call({ method: 'DELETE', path, answers: [404, 409, 422] });
}

/** Publishes the draft; see `ReleaseHost.publish`. Asked again when somebody published it while it was looked at. */
export async function publishDraft(gitea: Gitea, draft: Draft, publication: Publication): Promise<'published' | 'already-published'> {
  needToken(gitea);
  for (;;) {
    const there = await releaseOf(gitea, draft.tag);
    const isPublished = there?.draft === false;
    if (isPublished && (await isSame(gitea, there, publication))) {
      await dropDraft(gitea, draft);
      return 'already-published';
    }
    const mine = await ownDraft(gitea, draft, there);
    if (mine === undefined) throw noDraft(gitea, draft, there);
    const differences = await differencesOf(gitea, mine, publication.assets);
    if (differences.length === 0) {
      if (isPublished && publication.replaces !== null) await moveAside(gitea, there, publication.replaces);
      await appear(gitea, draft, { mine, publication });
      return 'published';
    }
    if (isPublished || (await releaseOf(gitea, draft.tag))?.draft !== false) throw notAsUploaded(draft, differences);
  }
}

/** True when the published release has our manifest. Throws E_PUBLISHED_DIFFERS when it has another, unless that is the one to be replaced. */
async function isSame(gitea: Gitea, there: GiteaRelease, { assets, replaces }: Publication): Promise<boolean> {
  const ours = assets.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
  const theirs = await manifestOf(gitea, there);
  if (theirs !== undefined && theirs === ours) {
    await removeTwins(gitea, there, assets);
    return true;
  }
  if (theirs !== undefined && theirs === replaces) return false;
  throw publishedDiffers(there.tag, theirs, ours);
}

/** How the draft differs from what is to be published, once its twins are gone. */
async function differencesOf(gitea: Gitea, mine: GiteaRelease, wanted: readonly ChannelAsset[]): Promise<readonly string[]> {
  await removeTwins(gitea, mine, wanted);
  const found = await measureAssets(gitea, async () => {
    const now = await releaseOf(gitea, mine.tag);
    return now?.draft === true && now.id === mine.id && now.contents === mine.contents ? now : undefined;
  });
  return assetDifferences(found ?? [], wanted);
}

function notAsUploaded({ tag }: Draft, differences: readonly string[]): ToolError {
  return new ToolError('E_DIGEST', `the draft of ${tag} is not what was uploaded: ${differences.join(', ')}`, { hint: 'Publish again.' });
}

/**
 * One call makes it public. The notes take the place of the mark; an empty text would leave it there. Gitea has no "latest" but its newest release that
 * is no prerelease, so what must not be the latest is marked as one.
 */
async function appear(
  gitea: Gitea,
  draft: Draft,
  { mine, publication }: { readonly mine: GiteaRelease; readonly publication: Publication },
): Promise<void> {
  const { title, notes, prerelease, latest } = publication;
  const texts = { name: title === '' ? draft.tag : title, body: notes.trim() === '' ? draft.tag : notes };
  const body = { ...texts, tag_name: draft.tag, draft: false, prerelease: prerelease || !latest };
  let tried: ForgeAnswer | ToolError | undefined;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    if (tries > 1) await pause(gitea, tries * 4);
    tried = await attempt(gitea, { method: 'PATCH', path: `releases/${mine.id}`, body, answers: [404] });
    const shown = await releaseOf(gitea, draft.tag);
    if (shown?.draft !== false) continue;
    if (shown.id !== mine.id) throw publishedDiffers(draft.tag, await manifestOf(gitea, shown), undefined);
    await removeTwins(gitea, shown, publication.assets); // of an upload that was late
    return;
  }
  const failed = failureOf(gitea, `publishing ${draft.tag}`, tried as ForgeAnswer | ToolError);
  const hint = `The draft is kept at ${gitea.page}/releases: look whether the tag is protected (${gitea.page}/settings/tags), then publish again.`;
  throw new ToolError(failed.code, failed.message, { hint, cause: failed, details: failed.details });
}

/** Takes the published release away from its tag, as a draft under a name of its own: its files stay for people, and the tag in git stays as it is. */
async function moveAside(gitea: Gitea, release: GiteaRelease, manifest: Digest): Promise<void> {
  const body = { tag_name: `slipway-replaced-${release.tag}-${hexOf(manifest).slice(0, 16)}`, draft: true };
  const tried = await attempt(gitea, { method: 'PATCH', path: `releases/${release.id}`, body });
  if ((await releaseOf(gitea, release.tag))?.id === release.id) throw failureOf(gitea, `replacing ${release.tag}`, tried);
}

function noDraft(gitea: Gitea, { tag }: Draft, there: GiteaRelease | undefined): ToolError {
  if (there?.draft === true) return heldByDraft(gitea, tag);
  return new ToolError('E_NOT_FOUND', `${gitea.name}: the draft of ${tag} is gone`, { hint: 'Publish again.' });
}

/** The draft with these contents: under its tag, or, while a release has the tag, aside. */
async function ownDraft(gitea: Gitea, draft: Draft, there: GiteaRelease | undefined): Promise<GiteaRelease | undefined> {
  const isOurs = (release: GiteaRelease | undefined): boolean => release?.draft === true && release.contents === draft.contents;
  if (isOurs(there)) return there;
  const aside = await releaseOf(gitea, asideName(draft));
  return isOurs(aside) ? aside : undefined;
}

/** What a draft is called whose tag has a release already. */
function asideName({ tag, contents }: Draft): string {
  return `slipway-draft-${tag}-${hexOf(contents).slice(0, 16)}`;
}

async function manifestOf(gitea: Gitea, { assets }: GiteaRelease): Promise<Digest | undefined> {
  const manifest = assets.find(({ name }) => name === MANIFEST_ASSET);
  return manifest && digestOfStored(gitea, manifest);
}
