// What a folder host shows publishers. Rule: looks only; a folder that is not there yet shows nothing.
import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseTag } from '../model/channel.ts';
import type { HostProblem, HostView, ReleaseWanted } from '../model/host.ts';
import { parseRelativePath } from '../model/parse.ts';
import { parseReservation, type Reservation } from '../model/reservation.ts';
import { sizeToText } from '../model/units.ts';
import { isThere, namesIn, readBounded } from './folder-files.ts';
import { measureFolder, releasePath } from './folder-source.ts';

const MOST_RESERVATION_BYTES = 64 * 1024;
/** What a file system needs besides the files themselves. */
const SPARE_BYTES = 4 * 1024 * 1024;

/** What is published in the folder at this absolute path. */
export function folderView(root: string): HostView {
  return {
    label: root,
    read: (path, maxBytes) => readBounded(join(root, parseRelativePath(path, 'path')), maxBytes),
    reservation: (tag) => readReservation(root, tag),
    tags: (prefix) => tagsOf(root, prefix),
    listRelease: (tag) => measureFolder(releasePath(root, tag)),
    preflight: (wanted) => preflight(root, wanted),
  };
}

/** Tags that are reserved or published. */
async function tagsOf(root: string, prefix: string): Promise<readonly string[]> {
  const reserved = ((await namesIn(join(root, 'reservations'))) ?? []).flatMap((name) =>
    name.endsWith('.json') ? [name.slice(0, -5)] : [],
  );
  const published = ((await namesIn(join(root, 'releases'))) ?? []).filter((name) => !name.startsWith('.'));
  return [...new Set([...reserved, ...published])].filter((name) => name.startsWith(prefix)).sort();
}

async function preflight(root: string, { assets }: ReleaseWanted): Promise<readonly HostProblem[]> {
  const place = await nearestFolder(root);
  const needed = assets.reduce((sum, { size }) => sum + size, 0) + SPARE_BYTES;
  const { bavail, bsize } = await statfs(place);
  const full: HostProblem = {
    severity: 'error',
    message: `${place} has ${sizeToText(bavail * bsize)} left, and the release needs ${sizeToText(needed)}`,
    hint: 'Make room, or choose another folder.',
  };
  const closed: HostProblem = {
    severity: 'error',
    message: `${place} cannot be written to`,
    hint: 'Give its owner’s account, or its permissions.',
  };
  const writable = await access(place, constants.W_OK).then(
    () => true,
    () => false,
  );
  return [...(bavail * bsize < needed ? [full] : []), ...(writable ? [] : [closed])];
}

async function nearestFolder(path: string): Promise<string> {
  return (await isThere(path)) || dirname(path) === path ? path : nearestFolder(dirname(path));
}

/** The reservation of a tag, or undefined. */
export async function readReservation(root: string, tag: string): Promise<Reservation | undefined> {
  const path = reservationPath(root, tag);
  const bytes = await readBounded(path, MOST_RESERVATION_BYTES);
  return bytes === undefined ? undefined : parseReservation(bytes.toString(), path);
}

/** Where a tag's reservation lies. */
export function reservationPath(root: string, tag: string): string {
  return join(root, 'reservations', `${parseTag(tag, 'tag')}.json`);
}
