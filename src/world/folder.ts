// A folder as a place to publish releases to. Rule: rename() and link() decide who wins, and reading back tells who did; nothing published is touched.
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ChannelAsset } from '../model/channel.ts';
import { type Digest, digestOf, hexOf } from '../model/digest.ts';
import { systemCode, ToolError } from '../model/error.ts';
import { type Draft, MANIFEST_ASSET, type Publication, type ReleaseHost, type UploadOptions } from '../model/host.ts';
import { parseFileName } from '../model/manifest.ts';
import { parseRelativePath } from '../model/parse.ts';
import { assetDifferences, publishedDiffers } from '../model/published.ts';
import { printReservation, type Reservation } from '../model/reservation.ts';
import type { World } from '../model/seams.ts';
import { changeFolderChannel } from './folder-channel.ts';
import {
  changeMode,
  claimName,
  copyStreamed,
  FOLDER_MODE,
  isThere,
  makeFolder,
  measureFile,
  readBounded,
  renameIfThere,
  syncFolder,
  writeNew,
} from './folder-files.ts';
import { measureFolder, releasePath } from './folder-source.ts';
import { folderView, readReservation, reservationPath } from './folder-view.ts';
import { cannotWrite } from './http-download.ts';

const DRAFT = '.slipway-tmp-';
const ABANDONED = '.slipway-old-';
/** A draft in which nothing was written for so long belongs to a publisher that is dead. */
const DRAFT_LIFE_MS = 24 * 60 * 60 * 1000;
const MOST_TEXT_BYTES = 256 * 1024;

interface Folder {
  readonly root: string;
  readonly nonce: () => string;
}

/** The folder host at this absolute path, for publishing. The folder is made when something is first written. */
export function folderHost(root: string, world: Pick<World, 'random'>): ReleaseHost {
  const folder = { root, nonce: () => world.random(8).toString('hex') };
  return {
    ...folderView(root),
    reserve: (wanted) => telling(root, reserve(folder, wanted)),
    unreserve: (wanted) => telling(root, unreserve(root, wanted)),
    openDraft: (draft) => telling(root, openDraft(folder, draft)),
    listDraft: (draft) => measureFolder(draftPath(root, draft)),
    upload: (draft, asset, options) => telling(root, upload(draftPath(root, draft), asset, options)),
    dropDraft: (draft) => telling(root, dropFolder(folder, draftPath(root, draft))),
    publish: (draft, publication) => telling(root, publish(folder, draft, publication)),
    changeChannel: (channel, next) => telling(root, changeFolderChannel(root, channel, next, folder.nonce)),
    putAsset: (tag, asset, path) => telling(root, putAsset(folder, { tag, asset, path })),
    putText: (path, text) => telling(root, putText(folder, parseRelativePath(path, 'path'), text)),
  };
}

/** What the file system refuses, as our error: a full disk, no permission, read-only. */
async function telling<T>(root: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw ['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS'].includes(systemCode(error) ?? '') ? cannotWrite(root, error) : error;
  }
}

async function reserve({ root, nonce }: Folder, wanted: Reservation): Promise<Reservation> {
  const path = reservationPath(root, wanted.tag);
  const mine = join(root, 'reservations', `${DRAFT}${nonce()}`);
  await makeFolder(join(root, 'reservations'));
  await writeNew(mine, printReservation(wanted));
  try {
    for (let tries = 1; tries <= 10; tries += 1) {
      await claimName(mine, path);
      const found = await readReservation(root, wanted.tag);
      if (found !== undefined) return found; // otherwise it was given free again in this very moment
    }
  } finally {
    await rm(mine, { force: true });
  }
  throw new ToolError('E_NETWORK', `${path} comes and goes`, { hint: 'Run the same command again.' });
}

async function unreserve(root: string, wanted: Reservation): Promise<void> {
  const found = await readReservation(root, wanted.tag);
  if (found?.nonce !== wanted.nonce || (await isThere(releasePath(root, wanted.tag)))) return;
  await rm(reservationPath(root, wanted.tag), { force: true });
  await syncFolder(join(root, 'reservations'));
}

async function openDraft(folder: Folder, draft: Draft): Promise<void> {
  await makeFolder(folder.root);
  try {
    await mkdir(draftPath(folder.root, draft), { mode: 0o700 }); // a web server shows it when it is published, not before
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  await changeMode(draftPath(folder.root, draft), 0o700);
  await syncFolder(folder.root);
  const { mtimeMs } = await stat(draftPath(folder.root, draft)); // the file system's own clock, which the drafts' times come from
  for (const place of ['.', 'channels', 'reservations']) await removeAbandoned(folder, join(folder.root, place), mtimeMs);
}

async function upload(draft: string, asset: ChannelAsset, { from, onBytes }: UploadOptions): Promise<void> {
  const to = join(draft, parseFileName(asset.name, 'asset'));
  if ((await isThere(to)) && (await measureFile(to)).sha256 === asset.sha256) return;
  const part = join(draft, `.part-${asset.name}`);
  const copied = await copyStreamed({ from, to: part, mode: 0o644, maxBytes: asset.size, ...(onBytes === undefined ? {} : { onBytes }) });
  if (copied.sha256 !== asset.sha256) {
    await rm(part, { force: true });
    throw new ToolError('E_DIGEST', `${from} changed since it was packed`, { hint: 'Pack again, then publish.' });
  }
  await rename(part, to);
  await syncFolder(draft);
}

async function publish(folder: Folder, draft: Draft, publication: Publication): Promise<'published' | 'already-published'> {
  const { tag } = draft;
  const from = draftPath(folder.root, draft);
  const to = releasePath(folder.root, tag);
  const found = await measureFolder(from);
  if (found === undefined && (await isThere(to))) return settle(folder, draft, publication);
  const differences = assetDifferences(found ?? [], publication.assets);
  if (differences.length > 0) {
    throw new ToolError('E_DIGEST', `the draft of ${tag} is not what was uploaded: ${differences.join(', ')}`, { hint: 'Publish again.' });
  }
  await changeMode(from, FOLDER_MODE);
  await syncFolder(from);
  await makeFolder(join(folder.root, 'releases'));
  if (publication.replaces !== null) await moveReplaced(folder.root, tag, publication.replaces);
  try {
    await rename(from, to); // fails when a release is there: a folder only takes the place of an empty one
  } catch (error) {
    if (await isThere(to)) return settle(folder, draft, publication);
    throw error;
  }
  await syncFolder(join(folder.root, 'releases'));
  await syncFolder(folder.root);
  return 'published';
}

/** The replaced bytes stay, under a name that no tag can have. */
async function moveReplaced(root: string, tag: string, manifest: Digest): Promise<void> {
  const from = releasePath(root, tag);
  if ((await publishedManifest(root, tag)) !== manifest) return;
  await renameIfThere(from, join(root, 'releases', `.superseded-${tag}-${hexOf(manifest)}`));
}

/** Somebody published this tag: ours is dropped, and the manifest tells whether that is success. */
async function settle(folder: Folder, draft: Draft, { assets }: Publication): Promise<'already-published'> {
  await dropFolder(folder, draftPath(folder.root, draft));
  const ours = assets.find(({ name }) => name === MANIFEST_ASSET)?.sha256;
  const published = await publishedManifest(folder.root, draft.tag);
  if (published !== undefined && published === ours) return 'already-published';
  throw publishedDiffers(draft.tag, published, ours);
}

async function publishedManifest(root: string, tag: string): Promise<Digest | undefined> {
  const manifest = join(releasePath(root, tag), MANIFEST_ASSET);
  return (await isThere(manifest)) ? (await measureFile(manifest)).sha256 : undefined;
}

async function putText({ root, nonce }: Folder, path: string, text: string): Promise<void> {
  const to = join(root, path);
  const part = join(root, `${DRAFT}${nonce()}`);
  await makeFolder(dirname(to));
  await writeNew(part, text);
  try {
    await claimName(part, to);
  } finally {
    await rm(part, { force: true });
  }
  await syncFolder(dirname(to));
  const found = await readBounded(to, MOST_TEXT_BYTES);
  if (found?.toString() !== text) throw publishedDiffers(path, found && digestOf(found), digestOf(text));
}

async function putAsset(
  { root, nonce }: Folder,
  { tag, asset, path }: { readonly tag: string; readonly asset: ChannelAsset; readonly path: string },
): Promise<void> {
  const from = join(releasePath(root, tag), parseFileName(asset.name, 'asset'));
  const to = join(root, parseRelativePath(path, 'path'));
  const part = join(root, `${DRAFT}${nonce()}`);
  await makeFolder(dirname(to));
  try {
    const copied = await copyStreamed({ from, to: part, mode: 0o644, maxBytes: asset.size });
    if (copied.sha256 !== asset.sha256) {
      throw new ToolError('E_DIGEST', `${from} is not what was published`, { hint: 'This host is damaged: restore that file.' });
    }
    await rename(part, to);
  } finally {
    await rm(part, { force: true });
  }
  await syncFolder(dirname(to));
}

/** Drafts and temporary files in which nothing was written for a day. Renamed first, so that an owner who wakes up publishes nothing of it. */
async function removeAbandoned(folder: Folder, place: string, now: number): Promise<void> {
  for (const name of await ownNames(place)) {
    const path = join(place, name);
    if (name.startsWith(ABANDONED)) await rm(path, { recursive: true, force: true });
    else if (now - (await newestChange(path)) > DRAFT_LIFE_MS) await dropFolder(folder, path);
  }
}

async function dropFolder({ root, nonce }: Folder, path: string): Promise<void> {
  const away = join(root, `${ABANDONED}${nonce()}`);
  if (await renameIfThere(path, away)) await rm(away, { recursive: true, force: true });
}

async function newestChange(path: string): Promise<number> {
  const times = await Promise.all([path, ...(await namesBelow(path))].map(changeTime));
  return Math.max(...times);
}

async function changeTime(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

async function ownNames(place: string): Promise<readonly string[]> {
  const names = await namesBelow(place);
  return names.map((path) => path.slice(place.length + 1)).filter((name) => name.startsWith(DRAFT) || name.startsWith(ABANDONED));
}

async function namesBelow(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).map((name) => join(folder, name));
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

function draftPath(root: string, { name }: Pick<Draft, 'name'>): string {
  return join(root, `${DRAFT}${parseFileName(name, 'draft')}`);
}
