// The moment of publishing on GitHub. Rule: one call makes a draft public; whether it did is read back, and no answer is believed.
import type { ChannelAsset } from '../model/channel.ts';
import type { Digest } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import { type Draft, MANIFEST_ASSET, type Publication } from '../model/host.ts';
import { publishedDiffers } from '../model/published.ts';
import type { Github } from './github-api.ts';
import { awaitDraft, dropDrafts } from './github-drafts.ts';
import { type GithubRelease, makePublic, measuredAssets, publishedRelease, refuseOtherSet, setAside } from './github-releases.ts';

const MOST_TRIES = 5;

interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** Publishes the draft (see `ReleaseHost.publish`). What is to be replaced is set aside as a draft under another name. */
export async function publishDraft(github: Github, draft: Draft, publication: Publication): Promise<'published' | 'already-published'> {
  github.mayWrite();
  const release = await readyDraft(github, draft, publication);
  if (release === undefined) {
    await dropDrafts(github, draft);
    return 'already-published';
  }
  if (publication.replaces !== null) await giveWay(github, draft.tag, publication.replaces);
  await makePublicForSure(github, release, publication);
  await dropDrafts(github, draft); // twins: another publisher of the same contents began at the same moment
  return 'published';
}

/** The complete draft; undefined when our manifest is public already. */
async function readyDraft(github: Github, draft: Draft, publication: Publication): Promise<GithubRelease | undefined> {
  if (await isPublished(github, draft.tag, publication)) return undefined;
  try {
    const release = await awaitDraft(github, draft);
    await refuseOtherSet(github, release, publication.assets);
    return release;
  } catch (error) {
    if (await isPublished(github, draft.tag, publication)) return undefined; // meanwhile, and the draft is gone or an empty twin
    throw error;
  }
}

async function makePublicForSure(github: Github, release: GithubRelease, publication: Publication): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const refused = await tryPublic(github, release, publication);
    if (await isPublished(github, release.tag, publication)) return;
    if (tries === MOST_TRIES || (refused !== undefined && refused.status !== 404)) throw notPublished(github, release, refused);
    await github.world.sleep(1000 * tries); // a release may take a moment to be found by its tag
  }
}

/** True when our manifest is public. Throws E_PUBLISHED_DIFFERS for another one, unless that is to be replaced. */
async function isPublished(github: Github, tag: string, { assets, replaces }: Publication): Promise<boolean> {
  const found = await publishedRelease(github, tag);
  if (found === undefined) return false;
  const theirs = manifestOf(await measuredAssets(github, found));
  if (theirs === manifestOf(assets)) return true;
  if (theirs !== undefined && theirs === replaces) return false;
  throw publishedDiffers(tag, theirs, manifestOf(assets));
}

/** Undefined when it was carried out, or nobody knows; else what GitHub said. */
async function tryPublic(github: Github, release: GithubRelease, publication: Publication): Promise<Refusal | undefined> {
  try {
    const { status, text } = await makePublic(github, release, publication);
    return status < 300 ? undefined : { status, text };
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return undefined;
    throw error;
  }
}

async function giveWay(github: Github, tag: string, manifest: Digest): Promise<void> {
  const release = await publishedRelease(github, tag);
  if (release === undefined || manifestOf(await measuredAssets(github, release)) !== manifest) return;
  if (release.immutable) throw burned(github, tag);
  await setAside(github, release, manifest);
}

function manifestOf(assets: readonly ChannelAsset[]): Digest | undefined {
  return assets.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
}

function burned(github: Github, tag: string): ToolError {
  return new ToolError('E_NOT_SUPPORTED', `${github.name}: ${tag} is an immutable release, and GitHub lets nobody replace it`, {
    hint: 'Burn and bump: yank this version, and publish the next one.',
  });
}

function notPublished(github: Github, { tag, page }: GithubRelease, refused: Refusal | undefined): ToolError {
  if (/immutable release/i.test(refused?.text ?? '')) return burned(github, tag);
  const said = /"message"\s*:\s*"([^"\\]{1,200})/.exec(refused?.text ?? '')?.[1] ?? 'it does not show up';
  const byRule = /rule|reference update|protected/i.test(said);
  const rules = `Look at the tag rules of ${github.web}/settings/rules`;
  const workflows = 'A token without the right to workflows cannot publish a commit that changes them: tag it with git';
  const advice = byRule ? rules : refused?.status === 404 ? workflows : 'Look at the draft';
  return new ToolError(byRule ? 'E_AUTH' : 'E_NETWORK', `${github.name} did not publish ${tag}: ${said}`, {
    hint: `${advice}, then publish again. The draft: ${page}`,
  });
}
