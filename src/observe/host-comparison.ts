// Do all hosts show the same release? Rule: read as installs read, from each host's public place, and compare with what the authority's channel says.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANNEL_MAX_BYTES, type ChannelAsset, type ChannelRelease } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import { type HostAddress, publicLocation, type ReleaseSource } from '../model/host.ts';
import type { World } from '../model/seams.ts';
import { verifyChannel } from '../model/trust.ts';
import { openSource, openView } from '../world/hosts.ts';
import { makeScratch } from '../world/scratch.ts';

export interface ComparisonRequest {
  readonly authority: HostAddress;
  readonly hosts: readonly HostAddress[];
  readonly product: string;
  readonly channel: string;
  readonly tag: string;
  readonly publicKey: string | null;
}

export interface HostComparison {
  readonly name: string;
  /** Where it was read; null for a host that installs cannot read. */
  readonly location: string | null;
  readonly verified: boolean;
  readonly problems: readonly string[];
}

/**
 * Compares every host with the authority: the channel file byte for byte, each asset by size and digest, downloaded in full. Throws E_NOT_FOUND when the
 * authority does not have the release, and what `verifyChannel` throws.
 */
export async function compareHosts(request: ComparisonRequest, world: World): Promise<readonly HostComparison[]> {
  const path = `channels/${request.channel}.signed.json`;
  const view = openView(request.authority, world);
  const text = (await view.read(path, CHANNEL_MAX_BYTES))?.toString();
  const release = text === undefined ? undefined : releaseIn(text, request, `${path} of ${view.label}`);
  if (text === undefined || release === undefined) {
    throw new ToolError('E_NOT_FOUND', `${request.authority.name} has no release ${request.tag} in the channel ${request.channel}`, {
      hint: 'Publish it there first: that host decides.',
    });
  }
  const scratch = await makeScratch();
  const found: HostComparison[] = [];
  for (const host of request.hosts) found.push(await compareHost(host, { path, text, release, scratch }, world));
  return found;
}

interface Expected {
  readonly path: string;
  /** The authority's channel file. */
  readonly text: string;
  readonly release: ChannelRelease;
  readonly scratch: string;
}

async function compareHost(host: HostAddress, expected: Expected, world: World): Promise<HostComparison> {
  const location = publicLocation(host) ?? null;
  if (location === null) return { name: host.name, location, verified: true, problems: [] };
  const source = openSource(location, world);
  const problems = [...(await channelProblems(source, expected)), ...(await assetProblems(source, expected))];
  return { name: host.name, location, verified: problems.length === 0, problems };
}

async function channelProblems(source: ReleaseSource, { path, text }: Expected): Promise<readonly string[]> {
  const problem = await problemOf(async () => {
    const found = await source.read(path, CHANNEL_MAX_BYTES);
    if (found === undefined) return `${path} is missing`;
    return found.toString() === text ? undefined : `${path} is not the authority's`;
  });
  return problem === undefined ? [] : [problem];
}

async function assetProblems(source: ReleaseSource, { release, scratch }: Expected): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const asset of release.assets) {
    const problem = await problemOf(() => checkAsset(source, { tag: release.tag, asset, folder: join(scratch, 'assets') }));
    if (problem !== undefined) problems.push(`${asset.name}: ${problem}`);
  }
  return problems;
}

async function checkAsset(
  source: ReleaseSource,
  { tag, asset, folder }: { readonly tag: string; readonly asset: ChannelAsset; readonly folder: string },
): Promise<undefined> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const to = join(folder, asset.name);
  await source.download(tag, asset.name, { to, maxBytes: asset.size, sha256: asset.sha256 });
  await rm(to, { force: true });
}

/** A refusal is the answer; only a person's interruption ends the comparison. */
async function problemOf(check: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ToolError) || error.code === 'E_INTERRUPTED') throw error;
    return error.message;
  }
}

function releaseIn(text: string, { product, channel, publicKey, tag }: ComparisonRequest, where: string): ChannelRelease | undefined {
  const trust = { key: publicKey, signed: publicKey !== null, sequences: {} };
  const verified = verifyChannel(text, { product, channel, trust, now: new Date(0), where, acceptExpired: true });
  return verified.channel.releases.find((release) => release.tag === tag);
}
