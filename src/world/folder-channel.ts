// Channel files of a folder host. Rule: a sequence is claimed by link() once and put into force once, so the current file never goes back.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANNEL_MAX_BYTES, parseChannel, parseSignedChannel } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import type { NextChannel } from '../model/host.ts';
import { parseFileName } from '../model/manifest.ts';
import {
  claimName,
  identityOf,
  makeFolder,
  namesIn,
  readBounded,
  renameIfThere,
  replaceFile,
  syncFolder,
  writeNew,
} from './folder-files.ts';

const MOST_TRIES = 200;

interface ChannelFolder {
  /** `channels/` of the host. */
  readonly folder: string;
  /** `channels/.claims/`: every sequence ever claimed keeps its name here, so that no late publisher can claim it again. */
  readonly claims: string;
  readonly name: string;
  readonly nonce: () => string;
}

/**
 * Replaces a channel file by what `next` makes of the current one. The complete new file is written under a token of our own, `link()` of the
 * token to the claim's name decides who has the sequence, and the one `rename()` of the token over the current file puts it into force. A claim
 * whose token is still there is put into force by whoever comes next, before claiming the following sequence.
 */
export async function changeFolderChannel(
  root: string,
  name: string,
  next: (current: string | undefined) => NextChannel | undefined,
  nonce: () => string,
): Promise<void> {
  const folder = join(root, 'channels');
  const channel = { folder, claims: join(folder, '.claims'), name: parseFileName(name, 'channel'), nonce };
  await makeFolder(channel.claims);
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    await finishClaim(channel);
    const current = await readCurrent(channel);
    const made = next(current);
    if (made !== undefined && !(await claim(channel, made, current))) continue;
    if (made !== undefined) await finishClaim(channel);
    await writeCopies(channel);
    return;
  }
  throw new ToolError('E_NETWORK', `${folder}: other publishers change the channel ${name} all the time`, {
    hint: 'Run the same command again.',
  });
}

/** True when the sequence is ours. */
async function claim(channel: ChannelFolder, made: NextChannel, current: string | undefined): Promise<boolean> {
  const { sequence } = made;
  const before = current === undefined ? 0 : sequenceOf(current, channel.name);
  if (sequence <= before || sequenceOf(made.text, channel.name) !== sequence) {
    throw new TypeError(`a sequence of ${channel.name} after ${before} cannot be ${sequence}`);
  }
  const token = tokenPath(channel, sequence);
  await writeNew(token, made.text);
  const claimed = await claimName(token, claimPath(channel, sequence));
  if (!claimed) await rm(token, { force: true });
  return claimed;
}

/** Puts the highest claim into force unless it is; then its sequence is the current one, or a later one is. */
async function finishClaim(channel: ChannelFolder): Promise<void> {
  const highest = await highestClaim(channel);
  if (highest === undefined) return;
  const token = (await tokenOf(channel, highest)) ?? (await lostToken(channel, highest));
  if (token !== undefined) {
    await renameIfThere(token, currentPath(channel)); // gone = another publisher was faster with this very file
    await rm(token, { force: true });
    await syncFolder(channel.folder);
  }
  await removeSpentTokens(channel, highest);
}

/** The one file that may put this claim into force: another name of the claim's own inode. Once renamed it never comes back. */
async function tokenOf(channel: ChannelFolder, sequence: number): Promise<string | undefined> {
  const claimed = await identityOf(claimPath(channel, sequence));
  for (const { name, of } of await tokensIn(channel)) {
    const path = join(channel.claims, name);
    if (of === sequence && (await identityOf(path)) === claimed) return path;
  }
  return undefined;
}

/** Makes a new token when the current file is older than a claim that has none: an older copy was put back by hand, or a power cut took it. */
async function lostToken(channel: ChannelFolder, sequence: number): Promise<string | undefined> {
  const current = await readCurrent(channel);
  if (current !== undefined && sequenceOf(current, channel.name) >= sequence) return undefined;
  const token = tokenPath(channel, sequence);
  return (await claimName(claimPath(channel, sequence), token)) ? token : undefined;
}

/** Tokens of publishers that lost, or died before they claimed. */
async function removeSpentTokens(channel: ChannelFolder, finished: number): Promise<void> {
  for (const { name, of } of await tokensIn(channel)) if (of <= finished) await rm(join(channel.claims, name), { force: true });
}

/** Beside the current file, for people and minisign: the payload's bytes as they were signed, and the signature. */
async function writeCopies(channel: ChannelFolder): Promise<void> {
  for (let current = await readCurrent(channel); current !== undefined; ) {
    const { payload, minisig } = parseSignedChannel(current, channel.name);
    await replaceUnlessEqual(channel, `${channel.name}.json`, payload);
    if (minisig !== null) await replaceUnlessEqual(channel, `${channel.name}.json.minisig`, minisig);
    const now = await readCurrent(channel);
    if (now === current) return;
    current = now; // changed meanwhile: whoever changed it may have written before us
  }
}

async function replaceUnlessEqual(channel: ChannelFolder, name: string, text: string): Promise<void> {
  const path = join(channel.folder, name);
  const there = await readBounded(path, CHANNEL_MAX_BYTES);
  if (there?.toString() !== text) await replaceFile(path, text, channel.nonce());
}

async function readCurrent(channel: ChannelFolder): Promise<string | undefined> {
  return (await readBounded(currentPath(channel), CHANNEL_MAX_BYTES))?.toString();
}

/** Read before it is verified: whoever can write here can disturb publishers anyway, and readers check the signature. */
function sequenceOf(text: string, where: string): number {
  return parseChannel(parseSignedChannel(text, where).payload, where).sequence;
}

async function highestClaim(channel: ChannelFolder): Promise<number | undefined> {
  const sequences = (await namesIn(channel.claims))?.flatMap((name) => numberIn(name, `${channel.name}.`, '.json') ?? []) ?? [];
  return sequences.length === 0 ? undefined : Math.max(...sequences);
}

async function tokensIn(channel: ChannelFolder): Promise<readonly { readonly name: string; readonly of: number }[]> {
  const names = (await namesIn(channel.claims)) ?? [];
  return names.flatMap((name) => {
    const of = numberIn(name.replace(/\.[0-9a-f]+\.put$/, '.put'), `${channel.name}.`, '.put');
    return of === undefined ? [] : [{ name, of }];
  });
}

function numberIn(name: string, before: string, after: string): number | undefined {
  if (!name.startsWith(before) || !name.endsWith(after)) return undefined;
  const digits = name.slice(before.length, name.length - after.length);
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : undefined;
}

function claimPath({ claims, name }: ChannelFolder, sequence: number): string {
  return join(claims, `${name}.${sequence}.json`);
}

function tokenPath({ claims, name, nonce }: ChannelFolder, sequence: number): string {
  return join(claims, `${name}.${sequence}.${nonce()}.put`);
}

function currentPath({ folder, name }: ChannelFolder): string {
  return join(folder, `${name}.signed.json`);
}
