// The branch `channels` on Gitea, through its contents API. Rule: a change names the blob that it replaces, and a channel file changes with its copies.
import { createHash } from 'node:crypto';
import { CHANNEL_MAX_BYTES, parseChannel, parseSignedChannel } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import type { NextChannel } from '../model/host.ts';
import { parseFileName } from '../model/manifest.ts';
import { parseFields, parseRelativePath, parseText } from '../model/parse.ts';
import { type BranchFile, type BranchFiles, CHANNELS_BRANCH } from './branch-files.ts';
import { attempt, failureOf, type Gitea, getFrom, needToken, pathOf, pause } from './gitea-api.ts';

const MOST_TRIES = 50;

/** One file of a commit; `sha` is the blob whose place it takes, undefined for a new file. */
interface Change {
  readonly path: string;
  /** null = the file goes. */
  readonly bytes: Buffer | null;
  readonly sha: string | undefined;
}

/** The branch as `branch-files.ts` takes it: for files that have no copies. */
export function giteaFiles(gitea: Gitea): BranchFiles {
  return {
    label: gitea.page,
    read: (path) => readFile(gitea, path),
    write: async (path, bytes, sha) => {
      const failed = await commit(gitea, [{ path: parseRelativePath(path, 'path'), bytes, sha }]);
      return failed === undefined ? 'written' : 'lost';
    },
    sleep: gitea.world.sleep,
  };
}

/** Replaces a channel file and its copies for people in one commit (see `ReleaseHost.changeChannel`). */
export async function changeGiteaChannel(
  gitea: Gitea,
  channel: string,
  next: (current: string | undefined) => NextChannel | undefined,
): Promise<void> {
  const path = `channels/${parseFileName(channel, 'channel')}`;
  let sent: string | undefined;
  let failed: ToolError | undefined;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const current = await readFile(gitea, `${path}.signed.json`);
    const former = current?.bytes.toString();
    const made = former !== undefined && former === sent ? undefined : next(former); // ours got through, and its answer did not
    if (made !== undefined) checkSequence(made, former, channel);
    sent = made?.text ?? former;
    if (sent === undefined) return;
    const changes = await changesTo(gitea, path, { text: sent, current });
    if (changes.length === 0) return;
    failed = await commit(gitea, changes);
    if (failed === undefined) return;
    await pause(gitea, tries);
  }
  throw failed ?? new ToolError('E_NETWORK', `${gitea.page}: others change ${path} all the time`, { hint: 'Run the same command again.' });
}

/** What is left to write so that the channel's files hold this text; nothing when they do. The channel file itself is always named: it is the guard. */
async function changesTo(
  gitea: Gitea,
  path: string,
  { text, current }: { readonly text: string; readonly current: BranchFile | undefined },
): Promise<readonly Change[]> {
  const { payload, minisig } = parseSignedChannel(text, path);
  const there = await shasIn(gitea, 'channels');
  const signed: Change = { path: `${path}.signed.json`, bytes: Buffer.from(text), sha: current?.id };
  const copies = [copy(`${path}.json`, payload), copy(`${path}.json.minisig`, minisig)].filter(isChange);
  return copies.length === 0 && current !== undefined && isBlob(signed, current.id) ? [] : [signed, ...copies];

  function copy(name: string, content: string | null): Change {
    return { path: name, bytes: content === null ? null : Buffer.from(content), sha: there.get(name) };
  }
}

function isChange(change: Change): boolean {
  return change.bytes === null ? change.sha !== undefined : change.sha === undefined || !isBlob(change, change.sha);
}

/** The ids of the files in a folder of the branch, by path; none when there is no such folder. */
async function shasIn(gitea: Gitea, folder: string): Promise<ReadonlyMap<string, string>> {
  const found = await getFrom(gitea, `contents/${pathOf(folder)}?ref=${CHANNELS_BRANCH}`);
  const where = `${gitea.name}: ${folder}`;
  const entries = Array.isArray(found) ? found.map((entry) => parseFields(entry, where)) : [];
  return new Map(entries.map(({ path, sha }) => [parseText(path, where), parseText(sha, where)]));
}

async function readFile(gitea: Gitea, path: string): Promise<BranchFile | undefined> {
  const found = await getFrom(gitea, `contents/${pathOf(parseRelativePath(path, 'path'))}?ref=${CHANNELS_BRANCH}`);
  if (found === undefined) return undefined;
  const where = `${gitea.name}: ${path}`;
  if (Array.isArray(found))
    throw new ToolError('E_FORMAT', `${where} is a folder`, { hint: `Remove it from the branch ${CHANNELS_BRANCH}.` });
  const f = parseFields(found, where);
  if (f.encoding !== 'base64') {
    throw new ToolError('E_TOO_LARGE', `${where} has ${String(f.size)} bytes, more than Gitea gives at once`, {
      hint: `Remove it from the branch ${CHANNELS_BRANCH}, or raise DEFAULT_MAX_BLOB_SIZE of the server.`,
    });
  }
  return { id: parseText(f.sha, `${where}: sha`), bytes: Buffer.from(parseText(f.content, `${where}: content`), 'base64') };
}

/**
 * One commit on the branch; undefined when it was made. The error otherwise means that somebody else was faster, or that nobody knows: a closer race
 * ends in 500 there. Read again. A branch that is missing is made. The message keeps the server from running workflows of the default branch's files.
 */
async function commit(gitea: Gitea, changes: readonly Change[]): Promise<ToolError | undefined> {
  needToken(gitea);
  const what = `publishing ${changes[0]?.path}`;
  const files = changes.map(({ path, bytes, sha }) => ({
    path,
    operation: bytes === null ? 'delete' : sha === undefined ? 'create' : 'update',
    ...(bytes === null ? {} : { content: bytes.toString('base64') }),
    ...(sha === undefined ? {} : { sha }),
  }));
  const body = { branch: CHANNELS_BRANCH, message: `${what} [skip ci]`, files };
  const tried = await attempt(gitea, { method: 'POST', path: 'contents', body, answers: [404] });
  if (!(tried instanceof ToolError) && tried.status < 300) return undefined;
  if (!(tried instanceof ToolError) && tried.status === 404) await makeBranch(gitea);
  return failureOf(gitea, what, tried);
}

/** Begun from the default branch, whose files it has then: Gitea makes no empty one. Somebody else's is as good. */
async function makeBranch(gitea: Gitea): Promise<void> {
  await gitea.seen();
  await attempt(gitea, { method: 'POST', path: 'branches', body: { new_branch_name: CHANNELS_BRANCH } });
}

/** True when git would give this content that id (SHA-1, or SHA-256 where the repository has it). */
function isBlob({ bytes }: Change, sha: string): boolean {
  if (bytes === null) return false;
  const hash = createHash(sha.length === 64 ? 'sha256' : 'sha1');
  return hash.update(`blob ${bytes.length}\0`).update(bytes).digest('hex') === sha;
}

/** Before the signature is checked: whoever can write here can disturb publishers anyway, and readers check it. */
function checkSequence({ sequence, text }: NextChannel, former: string | undefined, channel: string): void {
  const before = former === undefined ? 0 : sequenceOf(former, channel);
  if (sequence > before && sequenceOf(text, channel) === sequence && text.length <= CHANNEL_MAX_BYTES) return;
  throw new TypeError(`a sequence of ${channel} after ${before} cannot be ${sequence}`);
}

function sequenceOf(text: string, where: string): number {
  return parseChannel(parseSignedChannel(text, where).payload, where).sequence;
}
