// Drafts and releases on GitHub. Rule: a draft is found by what is to be in it, an asset counts by the digest that GitHub computed, and an unclear answer is settled by looking.
import type { ChannelAsset } from '../model/channel.ts';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { isToolError, ToolError } from '../model/error.ts';
import type { Draft, Publication, UploadOptions } from '../model/host.ts';
import { type Fields, parseCount, parseFields, parseFlag, parseText } from '../model/parse.ts';
import { assetDifferences } from '../model/published.ts';
import { type Github, readIfThere } from './github-api.ts';

export interface GithubRelease {
  readonly id: number;
  readonly tag: string;
  readonly draft: boolean;
  readonly immutable: boolean;
  readonly body: string;
  /** Without its `{?name,label}`. */
  readonly uploadUrl: string;
  readonly page: string;
}

export interface GithubAsset {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  /** False for what an upload left behind that broke off: it blocks the name. */
  readonly complete: boolean;
  readonly sha256: Digest | undefined;
  readonly url: string;
}

const MOST_TRIES = 5;
/** GitHub's largest file. Bytes. */
export const MOST_ASSET_BYTES = 2 * 1024 ** 3 - 1;
const MOST_NOTES = 125_000;

/** The published release of a tag; drafts are never found so. */
export async function publishedRelease(github: Github, tag: string): Promise<GithubRelease | undefined> {
  const found = await readIfThere(github, `releases/tags/${encodeURIComponent(tag)}`);
  if (found === undefined) return undefined;
  const release = parseRelease(found, `${github.name}: release ${tag}`);
  return release.draft ? undefined : release;
}

/** True when a release or anybody's draft has the tag: without it, GitHub would publish that draft on whatever its main branch is. */
export async function isInUse(github: Github, tag: string): Promise<boolean> {
  if ((await publishedRelease(github, tag)) !== undefined) return true;
  const all = await github.forge.list(`${github.path}/releases?per_page=100`);
  return all.some((item) => parseRelease(item, `${github.name}: releases`).tag === tag);
}

/**
 * All drafts with these contents, the fullest first and then the oldest. More than one means that publishers began at once, or that a listing
 * did not show a fresh one; the order lets all of them go on with the same.
 */
export async function draftsOf(github: Github, draft: Draft): Promise<readonly GithubRelease[]> {
  const ours = (await listReleases(github)).filter((release) => isDraftOf(release, draft));
  if (ours.length < 2) return ours;
  const counted = await Promise.all(ours.map(async (release) => ({ release, files: await countFiles(github, release) })));
  return counted.sort((a, b) => b.files - a.files || a.release.id - b.release.id).map(({ release }) => release);
}

/** Everybody's releases and drafts, the newest first, as far as the pages show them: what others remove meanwhile moves the rest to the page before. */
export async function listReleases(github: Github): Promise<readonly GithubRelease[]> {
  await github.repository();
  const all = await github.forge.list(`${github.path}/releases?per_page=100`);
  return all.map((item) => parseRelease(item, `${github.name}: releases`));
}

/** True for a draft with these contents. */
export function isDraftOf(release: GithubRelease, draft: Draft): boolean {
  return release.draft && release.tag === draft.tag && release.body.includes(markOf(draft));
}

async function countFiles(github: Github, release: GithubRelease): Promise<number> {
  try {
    return (await assetsOf(github, release)).filter(({ complete }) => complete).length;
  } catch (error) {
    if (isToolError(error, 'E_NOT_FOUND')) return 0; // removed meanwhile
    throw error;
  }
}

/** Makes the draft. Whether an unclear answer made one is for the caller to look. */
export async function createDraft(github: Github, draft: Draft): Promise<GithubRelease> {
  const body = { tag_name: draft.tag, name: draft.name, body: `${markOf(draft)}\nBeing uploaded.`, draft: true, prerelease: false };
  const answer = await github.forge.call({ method: 'POST', path: `${github.path}/releases`, body });
  return parseRelease(answer.body, `${github.name}: draft of ${draft.tag}`);
}

/** Removes a draft. What is public by now stays, whatever a listing said: listings lag behind. */
export async function deleteDraft(github: Github, { id, tag }: GithubRelease): Promise<void> {
  const now = await readIfThere(github, `releases/${id}`);
  if (now !== undefined && !parseRelease(now, `${github.name}: release ${id}`).draft) return;
  if ((await publishedRelease(github, tag))?.id === id) return;
  await github.forge.call({ method: 'DELETE', path: `${github.path}/releases/${id}`, answers: [404] });
}

/** Takes a public release out of sight, as a draft under another name: its files stay for whoever publishes there. */
export async function setAside(github: Github, { id, tag, body }: GithubRelease, manifest: Digest): Promise<void> {
  const aside = { tag_name: tag, name: `Superseded: ${tag} ${manifest}`, body, draft: true, make_latest: 'false' };
  await github.forge.call({ method: 'PATCH', path: `${github.path}/releases/${id}`, body: aside });
}

/** Every asset, complete or not. */
export async function assetsOf(github: Github, { id }: GithubRelease): Promise<readonly GithubAsset[]> {
  const items = await github.forge.list(`${github.path}/releases/${id}/assets?per_page=100`);
  return items.map((item) => parseAsset(item, `${github.name}: assets`));
}

/** What is stored, by digest: GitHub's own, and where an old asset has none, of the bytes themselves. */
export async function measuredAssets(github: Github, release: GithubRelease): Promise<readonly ChannelAsset[]> {
  const found: ChannelAsset[] = [];
  for (const { name, size, sha256, complete, url } of await assetsOf(github, release)) {
    if (complete) found.push(sha256 === undefined ? { name, ...(await github.forge.measure(url, size)) } : { name, size, sha256 });
  }
  return found;
}

/** Uploads unless it is there; what is there under its name with other content, or broken off, goes first. */
export async function uploadAsset(github: Github, release: GithubRelease, asset: ChannelAsset, options: UploadOptions): Promise<void> {
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const found = (await assetsOf(github, release)).find(({ name }) => name === asset.name);
    if (found?.complete && (await digestOf(github, found)) === asset.sha256) return;
    if (found !== undefined)
      await github.forge.call({ method: 'DELETE', path: `${github.path}/releases/assets/${found.id}`, answers: [404] });
    if (await sendAsset(github, release, asset, options)) return;
    await github.world.sleep(1000 * tries); // a release that was just made may not be found for a moment
  }
  throw new ToolError('E_NETWORK', `${github.name}: ${asset.name} does not arrive`, {
    hint: 'Run the same command again: it goes on with this file.',
  });
}

/** True when GitHub says that it has these very bytes. */
async function sendAsset(github: Github, release: GithubRelease, asset: ChannelAsset, { from, onBytes }: UploadOptions): Promise<boolean> {
  const url = `${release.uploadUrl}?name=${encodeURIComponent(asset.name)}`;
  const headers = { ...github.authorization, 'content-type': 'application/octet-stream' };
  try {
    const progress = onBytes === undefined ? {} : { onBytes };
    const { status, body } = await github.forge.send({ url, file: from, asset, headers, answers: [404, 422], ...progress });
    if (status >= 300) return false;
    const made = parseAsset(body, `${github.name}: upload of ${asset.name}`);
    if (made.name !== asset.name) throw renamed(github, asset.name, made.name);
    return made.complete && (await digestOf(github, made)) === asset.sha256;
  } catch (error) {
    if (isToolError(error, 'E_NETWORK')) return false; // it may have arrived: looking tells
    throw error;
  }
}

async function digestOf(github: Github, { sha256, url, size }: GithubAsset): Promise<Digest> {
  return sha256 ?? (await github.forge.measure(url, size)).sha256;
}

/** Throws E_DIGEST unless the draft holds exactly these, whole. */
export async function refuseOtherSet(github: Github, release: GithubRelease, wanted: readonly ChannelAsset[]): Promise<void> {
  const broken = (await assetsOf(github, release)).filter(({ complete }) => !complete).map(({ name }) => `${name} broke off`);
  const differences = [...broken, ...assetDifferences(await measuredAssets(github, release), wanted)];
  if (differences.length === 0) return;
  throw new ToolError('E_DIGEST', `${github.name}: the draft of ${release.tag} is not what was uploaded: ${differences.join(', ')}`, {
    hint: `Publish again. The draft: ${release.page}`,
  });
}

/** The one call that makes a draft public. What it answers is settled by the caller, who looks. */
export async function makePublic(
  github: Github,
  { id, tag }: GithubRelease,
  publication: Publication,
): Promise<{ readonly status: number; readonly text: string }> {
  const { title, notes, prerelease, latest } = publication;
  const body = {
    ...{ tag_name: tag, name: title, body: notes.slice(0, MOST_NOTES), prerelease },
    ...{ draft: false, make_latest: latest ? 'true' : 'false' }, // a text, and never left to its default: that is true
  };
  return github.forge.call({ method: 'PATCH', path: `${github.path}/releases/${id}`, body, answers: [404, 409, 422] });
}

/** The line by which a draft is found again, from any machine. */
function markOf({ contents }: Draft): string {
  return `<!-- slipway-draft ${contents} -->`;
}

function parseRelease(value: unknown, where: string): GithubRelease {
  const f = parseFields(value, where);
  return {
    id: parseCount(f.id, `${where}.id`),
    tag: parseText(f.tag_name, `${where}.tag_name`),
    draft: parseFlag(f.draft, `${where}.draft`),
    immutable: f.immutable === true,
    body: typeof f.body === 'string' ? f.body : '',
    uploadUrl: parseText(f.upload_url, `${where}.upload_url`).replace(/\{.*$/, ''),
    page: typeof f.html_url === 'string' ? f.html_url : '',
  };
}

function parseAsset(value: unknown, where: string): GithubAsset {
  const f: Fields = parseFields(value, where);
  const digest = typeof f.digest === 'string' && f.digest.startsWith('sha256:') ? f.digest.slice('sha256:'.length) : undefined;
  return {
    id: parseCount(f.id, `${where}.id`),
    name: parseText(f.name, `${where}.name`),
    size: parseCount(f.size, `${where}.size`),
    complete: f.state === 'uploaded',
    sha256: digest === undefined ? undefined : digestFromHex(digest),
    url: parseText(f.url, `${where}.url`),
  };
}

function renamed(github: Github, wanted: string, made: string): ToolError {
  return new ToolError('E_CONFIG', `${github.name} keeps ${wanted} under the name ${made}, where nobody looks for it`, {
    hint: 'Name the asset with letters, digits, ., - and _, beginning with a letter or digit.',
  });
}

/** GitHub rewrites every other name. */
export function keepsName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]*[A-Za-z0-9_-]$/.test(name);
}
