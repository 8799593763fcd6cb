// release copy: a whole history onto another host, unchanged. Rule: everything is verified first, and nothing is written where it comes from.
import type { ChannelRelease } from '../../model/channel.ts';
import { ToolError } from '../../model/error.ts';
import type { HostAddress, HostProblem } from '../../model/host.ts';
import type { Manifest } from '../../model/manifest.ts';
import { didYouMean } from '../../model/near.ts';
import { momentOf } from '../../model/parse.ts';
import { mainChannelOf } from '../../model/tag.ts';
import { compareVersions, isPrerelease, parseVersion } from '../../model/version.ts';
import {
  type CopySource,
  type CopyTarget,
  type FoundChannel,
  observeChannels,
  observeChannelThere,
  observeCopyTargets,
  observeManifests,
  observeRoot,
  observeTexts,
} from '../../observe/copying.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { observeSelf } from '../../observe/self.ts';
import { basisOf, type CopyFacts, type CopyWanted, planCopy, type ReleaseToCopy, sequencesAfter } from '../../plan/copy-releases.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, isPlanOnly, isSet, textFlag, textFlags } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { refuseProblems } from './prepare-publish.ts';
import { hostNamed, type ProductFile, readProductFile } from './product-file.ts';
import { runtimesToCopy } from './runtime-copy.ts';

interface Copying extends CopySource {
  readonly file: ProductFile;
  readonly to: HostAddress;
  /** The names of the channels to look at. */
  readonly names: readonly string[];
  /** This version alone. */
  readonly only: string | undefined;
}

/** Carries the copy out; run again, it goes on where it was cut off. */
export async function copyReleases(context: Context): Promise<CommandResult> {
  const file = await readProductFile(context);
  const copying = chooseCopy(context, file);
  await endEarlier(file.root, context, 'release copy');
  const channels = await foundChannels(context, copying);
  const facts = await observeCopy(context, copying, channels);
  const wanted = await wishOf(context, copying);
  const planned = planCopy(wanted, facts);
  const recheck = async (): Promise<ReturnType<typeof basisOf>> => basisOf(wholeOf(copying, await foundChannels(context, copying)));
  const carried = await carryOut(planned, context, { root: file.root, recheck, operator: await observeSelf(context.file) });
  return resultOf(carried, context, { wanted, facts });
}

function chooseCopy(context: Context, file: ProductFile): Copying {
  const from = textFlag(context.flags, 'from');
  const [to, ...more] = textFlags(context.flags, 'to');
  if (from === undefined || to === undefined || more.length > 0 || from === to) {
    throw new ToolError('E_USAGE', 'release copy takes --from HOST and --to another HOST', { hint: 'Hosts are named in release.hosts.' });
  }
  const ends = { from: hostNamed(from, file), to: hostNamed(to, file) };
  const git = [ends.from, ends.to].find(({ type }) => type === 'git');
  if (git !== undefined) {
    throw new ToolError('E_NOT_SUPPORTED', `${git.name} is a plain git remote, which holds no releases`, {
      hint: 'Name a host that does.',
    });
  }
  const { product, release } = file.product;
  const names = chooseChannels(context, Object.keys(release.channels));
  return { file, ...ends, product, publicKey: release.publicKey ?? null, names, only: textFlag(context.flags, 'only') };
}

function chooseChannels({ flags }: Context, all: readonly string[]): readonly string[] {
  const one = textFlag(flags, 'channel');
  if (one === undefined) return all;
  if (all.includes(one)) return [one];
  throw new ToolError('E_USAGE', `there is no channel ${JSON.stringify(one)}`, { hint: didYouMean(one, all, 'There are') });
}

async function wishOf(context: Context, { file, from, to }: Copying): Promise<CopyWanted> {
  const nonce = context.world.random(16).toString('hex');
  const by = await observeIdentity(file.root, context.world, isPlanOnly(context));
  const { authority } = file.product.release;
  return { id: nonce, at: momentOf(context.world.now()), reserver: { by, nonce }, from, to, authority };
}

async function foundChannels({ world }: Context, copying: Copying): Promise<readonly FoundChannel[]> {
  const channels = await observeChannels(copying, copying.names, world);
  if (channels.length > 0) return channels;
  throw new ToolError('E_NOT_FOUND', `nothing is published on ${copying.from.name}`, {
    hint: 'Name the host that has the releases with --from.',
  });
}

/** The channel files to copy: none with a part of their releases. */
function wholeOf({ only }: Copying, channels: readonly FoundChannel[]): readonly FoundChannel[] {
  return only === undefined ? channels : [];
}

async function observeCopy(context: Context, copying: Copying, channels: readonly FoundChannel[]): Promise<CopyFacts> {
  const { world } = context;
  const { file, to, product } = copying;
  const releases = releasesIn(channels, copying);
  const { manifests, statements, doubts } = await observeManifests(copying, releases, world);
  for (const doubt of doubts) {
    world.report({ type: 'warning', text: doubt, hint: 'It is copied as it is: the signed channel file names its digest.' });
  }
  const wishes = releases.map(({ tag, assets }) => ({ tag, assets, commit: manifests.get(tag)?.commit ?? null, replace: false }));
  const targets = await observeCopyTargets(to, wishes, world);
  refuseProblems(problemsOf(targets, to), context);
  const commit = [...manifests.values()].at(-1)?.commit ?? null;
  const runtimes = await runtimesToCopy({ from: copying.from, to, channels: wholeOf(copying, channels), commit }, world);
  const main = mainChannelOf(file.product.release.channels);
  const latest = channels.find(({ channel }) => channel.channel === main)?.channel.latest ?? null;
  const whole: CopyFacts['channels'][number][] = [];
  for (const { channel, text } of wholeOf(copying, channels)) {
    whole.push({ name: channel.channel, text, ...(await observeChannelThere(to, channel.channel, world)) });
  }
  return {
    product,
    releases: releases.map((release, index) =>
      describeRelease(release, { manifest: manifests.get(release.tag), target: targets[index], latest }),
    ),
    runtimes,
    channels: whole,
    texts: statements,
    there: await observeTexts(to, statements, world),
    main,
    root: await observeRoot(to, world),
  };
}

/** Each release once, the oldest first. */
function releasesIn(channels: readonly FoundChannel[], { only, from }: Copying): readonly ChannelRelease[] {
  const byTag = new Map(channels.flatMap(({ channel }) => channel.releases).map((release) => [release.tag, release]));
  const all = [...byTag.values()].sort((a, b) => compareVersions(parseVersion(a.version), parseVersion(b.version)));
  const chosen = only === undefined ? all : all.filter(({ version }) => version === only);
  if (only === undefined || chosen.length > 0) return chosen;
  const versions = all.map(({ version }) => version);
  throw new ToolError('E_NOT_FOUND', `${only} is not published on ${from.name}`, { hint: didYouMean(only, versions, 'It has') });
}

function problemsOf(targets: readonly CopyTarget[], { name }: HostAddress): readonly (HostProblem & { readonly host: string })[] {
  const all = targets.flatMap(({ problems }) => problems.map((problem) => ({ ...problem, host: name })));
  return all.filter(({ message }, index) => all.findIndex((problem) => problem.message === message) === index); // a lacking token is said once
}

interface Described {
  readonly manifest: Manifest | undefined;
  readonly target: CopyTarget | undefined;
  /** The version that the product's main channel offers first. */
  readonly latest: string | null;
}

function describeRelease({ version, tag, assets }: ChannelRelease, { manifest, target, latest }: Described): ReleaseToCopy {
  const prerelease = isPrerelease(parseVersion(version));
  return {
    ...{ version, tag, assets, prerelease, latest: version === latest && !prerelease },
    title: `${manifest?.title ?? tag} ${version}`,
    commit: manifest?.commit ?? null,
    published: target?.published,
    reservation: target?.reservation,
  };
}

interface Copied {
  readonly wanted: CopyWanted;
  readonly facts: CopyFacts;
}

function resultOf(carried: Carried, { flags }: Context, { wanted, facts }: Copied): CommandResult {
  const { plan } = carried;
  if (carried.outcome === 'planned') {
    const exit = isSet(flags, 'exit-code') && plan.steps.length > 0 ? { exit: 4 } : {};
    return { fields: { plan: planToJson(plan) }, text: planToText(plan), ...exit };
  }
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried);
  const releases = facts.releases.map(({ version, tag, published }) => {
    return { version, tag, outcome: published === undefined ? 'copied' : 'present' };
  });
  const copied = releases.filter(({ outcome }) => outcome === 'copied').length;
  const rest = releases.length - copied;
  const text = `${wanted.to.name}: ${copied} of ${releases.length} releases copied${rest === 0 ? '' : `, ${rest} were there`}.\n`;
  return { fields: { releases, channels: sequencesAfter(wanted, facts.channels) }, text };
}
