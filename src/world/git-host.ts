// A git remote that decides who has a version and keeps the channel files. Rule: whose object the tag's name points to decides; it holds no releases.
import { CHANNEL_MAX_BYTES, parseSignedChannel, parseTag } from '../model/channel.ts';
import { digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { GitAddress, HostProblem, NextChannel, ReleaseHost, ReleaseWanted } from '../model/host.ts';
import { parseFileName } from '../model/manifest.ts';
import { publishedDiffers } from '../model/published.ts';
import { parseReservation, printReservation, type Reservation } from '../model/reservation.ts';
import type { World } from '../model/seams.ts';
import { type BranchView, changeBranch, type GitRemote, viewBranch } from './git-branch.ts';
import { exchange, fetchCommit, listRemote, pushTag, removeTag, type TagObject, tagObjectId, withoutPassword } from './git-remote.ts';
import { foreignTag } from './github-tags.ts';
import { inScratch } from './scratch.ts';

const MOST_TEXT_BYTES = 256 * 1024;

interface Deciding extends GitRemote {
  /** Tag objects by id, as far as they were read or made: what an id names never changes. */
  readonly objects: Map<string, string>;
}

/** The remote; nothing is asked until it is used. Credentials are git's own affair, and nobody is ever asked for them. */
export function gitHost(address: GitAddress, world: Pick<World, 'run' | 'env' | 'sleep'>): ReleaseHost {
  const git: Deciding = { remote: { url: address.url }, world, sleep: world.sleep, objects: new Map() };
  const none = async (): Promise<never> => {
    throw new ToolError('E_NOT_SUPPORTED', `${address.name} is a git remote: it decides who has a version, and holds no releases`, {
      hint: 'Publish to another host as well, and leave the authority to this one.',
    });
  };
  return {
    label: withoutPassword(address.url),
    read: async (path, maxBytes) => {
      const text = await viewBranch(git, (view) => view.read(path, maxBytes));
      return text === undefined ? undefined : Buffer.from(text);
    },
    reservation: (tag) => readReservation(git, tag),
    tags: (prefix) => listTags(git, prefix),
    listRelease: async () => undefined,
    preflight: (wanted) => preflight(git, address.name, wanted),
    reserve: (wanted) => reserve(git, address.name, wanted),
    unreserve: async (wanted) => {
      const found = await readReservation(git, wanted.tag);
      if (found?.nonce === wanted.nonce) await inScratch((folder) => removeTag(folder, git.remote, tagObjectOf(wanted), world));
    },
    openDraft: none,
    listDraft: async () => undefined,
    upload: none,
    dropDraft: async () => {},
    publish: none,
    changeChannel: (channel, next) => changeChannel(git, parseFileName(channel, 'channel'), next),
    putAsset: none,
    putText: (path, text) => putOnce(git, path, text),
  };
}

async function readReservation({ remote, world, objects }: Deciding, tag: string): Promise<Reservation | undefined> {
  const name = `refs/tags/${parseTag(tag, 'tag')}`;
  const refs = await listRemote(remote, [name, `${name}^{}`], world);
  const id = refs.get(name);
  if (id === undefined) return undefined;
  const commit = refs.get(`${name}^{}`);
  if (commit === undefined) return foreignTag(tag, { id, commit: id, at: undefined }); // not annotated: it can say nothing
  const fetchObject = (cwd: string): Promise<string> => readTagObject(cwd, { id, name }, { remote, world });
  const text = objects.get(id) ?? (await inScratch(fetchObject));
  if (tagObjectId(text) === id) objects.set(id, text); // another's when the tag was moved meanwhile
  return reservationIn(text) ?? foreignTag(tag, { id, commit, at: undefined });
}

async function readTagObject(
  cwd: string,
  { id, name }: { readonly id: string; readonly name: string },
  { remote, world }: Pick<Deciding, 'remote' | 'world'>,
): Promise<string> {
  const place = { world, cwd };
  await exchange(['init', '-q', '--bare', '--template=', ...(id.length === 64 ? ['--object-format=sha256'] : []), '.'], remote, place);
  await exchange(['fetch', '-q', '--depth=1', '--filter=tree:0', remote.url, `+${name}:${name}`], remote, place);
  return exchange(['cat-file', 'tag', name], remote, place);
}

/** The message of a tag object, when it is a reservation of ours. */
function reservationIn(text: string): Reservation | undefined {
  const message = text.slice(text.indexOf('\n\n') + 2);
  if (!message.startsWith('{')) return undefined;
  try {
    return parseReservation(message, 'tag');
  } catch {
    return undefined; // some other JSON: a tag like any other
  }
}

async function reserve(git: Deciding, name: string, wanted: Reservation): Promise<Reservation> {
  const { commit, tag } = wanted;
  if (commit === null) {
    throw new ToolError('E_CONFIG', `${name} reserves ${tag} as a tag, and a tag needs a commit`, {
      hint: 'Run this in a git repository.',
    });
  }
  const found = await readReservation(git, tag);
  if (found !== undefined) return found;
  const refused = await inScratch(async (folder) => {
    if (!(await fetchCommit(folder, git.remote, commit, git.world))) throw unknownCommit(name, commit);
    const made = tagObjectOf(wanted);
    git.objects.set(tagObjectId(made.object), made.object);
    return pushTag(folder, git.remote, made, git.world).catch((error: unknown) => error);
  });
  const now = await readReservation(git, tag);
  if (now !== undefined) return now;
  throw (
    refused ?? new ToolError('E_NETWORK', `${name}: the tag ${tag} was pushed, and cannot be read`, { hint: 'Run the same command again.' })
  );
}

/** The annotated tag that stands for the reservation: the same bytes each time it is written. */
function tagObjectOf(reservation: Reservation): TagObject {
  const { tag, commit, at } = reservation;
  const seconds = Math.floor(Date.parse(at) / 1000);
  const head = [`object ${commit}`, 'type commit', `tag ${tag}`, `tagger slipway <slipway@localhost> ${seconds} +0000`];
  return { tag, object: `${head.join('\n')}\n\n${printReservation(reservation)}` };
}

async function listTags({ remote, world }: GitRemote, prefix: string): Promise<readonly string[]> {
  const refs = await listRemote(remote, ['refs/tags/*'], world);
  const names = [...refs.keys()]
    .filter((name) => name.startsWith('refs/tags/') && !name.endsWith('^{}'))
    .map((name) => name.slice('refs/tags/'.length));
  return names.filter((name) => name.startsWith(prefix)).sort();
}

async function preflight(git: GitRemote, name: string, { commit }: ReleaseWanted): Promise<readonly HostProblem[]> {
  if (commit === null)
    return [
      {
        severity: 'error',
        message: 'the release has no commit, and git tags commits',
        hint: 'Pack it in a git repository, from a commit.',
      },
    ];
  const heads = await listRemote(git.remote, ['refs/heads/*'], git.world);
  const isKnown = [...heads.values()].includes(commit) || (await inScratch((folder) => fetchCommit(folder, git.remote, commit, git.world)));
  return isKnown ? [] : [{ severity: 'error', message: unknownCommit(name, commit).message, hint: 'Push it there first.' }];
}

async function changeChannel(
  git: GitRemote,
  channel: string,
  next: (current: string | undefined) => NextChannel | undefined,
): Promise<void> {
  const path = `channels/${channel}`;
  let sent: string | undefined;
  const decide = async (view: BranchView): Promise<ReadonlyMap<string, string>> => {
    const current = await view.read(`${path}.signed.json`, CHANNEL_MAX_BYTES);
    const made = sent !== undefined && current === sent ? undefined : next(current)?.text; // ours got through, and its answer did not
    sent = made ?? current;
    if (sent === undefined) return new Map();
    const { payload, minisig } = parseSignedChannel(sent, path);
    const wanted = new Map([
      [`${path}.signed.json`, sent],
      [`${path}.json`, payload],
      ...(minisig === null ? [] : [[`${path}.json.minisig`, minisig] as const]),
    ]);
    for (const [name, text] of wanted) if ((await view.read(name, CHANNEL_MAX_BYTES)) === text) wanted.delete(name);
    return wanted;
  };
  await changeBranch(git, decide, `Publish to ${channel}`);
}

async function putOnce(git: GitRemote, path: string, text: string): Promise<void> {
  const decide = async (view: BranchView): Promise<ReadonlyMap<string, string>> => {
    const current = await view.read(path, MOST_TEXT_BYTES);
    if (current !== undefined && current !== text) throw publishedDiffers(path, digestOf(current), digestOf(text));
    return current === undefined ? new Map([[path, text]]) : new Map();
  };
  await changeBranch(git, decide, `Publish ${path}`);
}

function unknownCommit(name: string, commit: string): ToolError {
  return new ToolError('E_CONFIG', `${name} does not know the commit ${commit}`, {
    hint: 'Push it there first, then run the same command again.',
  });
}
