// release copy: a whole history onto another host, unchanged. Rule: everything is verified first, and nothing is written where it comes from.
import type { ChannelRelease } from '../../model/channel.ts';
import { ToolError } from '../../model/error.ts';
import type { HostAddress } from '../../model/host.ts';
import { momentOf } from '../../model/parse.ts';
import { mainChannelOf } from '../../model/tag.ts';
import { compareVersions, isPrerelease, parseVersion } from '../../model/version.ts';
import {
  type FoundChannel,
  isChannelThere,
  observeChannels,
  observeCopyTarget,
  observeManifests,
  observeStatements,
} from '../../observe/copying.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { observeSelf } from '../../observe/self.ts';
import { basisOf, type CopyFacts, planCopy, type ReleaseToCopy } from '../../plan/copy-releases.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, isPlanOnly, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, textFlag, textFlags } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { refuseProblems } from './prepare-publish.ts';
import { hostNamed, type ProductFile, readProductFile } from './product-file.ts';

interface Copying {
  readonly file: ProductFile;
  readonly from: HostAddress;
  readonly to: HostAddress;
}

/** Carries the copy out; run again, it goes on where it was cut off. */
export async function copyReleases(context: Context): Promise<CommandResult> {
  const file = await readProductFile(context);
  const copying = { file, ...chooseEnds(context, file) };
  await endEarlier(file.root, context, 'release copy');
  const { facts, channels } = await observeCopy(context, copying);
  const nonce = context.world.random(16).toString('hex');
  const reserver = { by: await observeIdentity(file.root, context.world, isPlanOnly(context)), nonce };
  const planned = planCopy({ id: nonce, at: momentOf(context.world.now()), reserver, from: copying.from, to: copying.to }, facts);
  const recheck = async (): Promise<ReturnType<typeof basisOf>> => basisOf((await observeCopy(context, copying)).facts);
  const carried = await carryOut(planned, context, { root: file.root, recheck, operator: await observeSelf(context.file) });
  if (carried.outcome === 'planned') return { fields: { plan: planToJson(planned.plan) }, text: planToText(planned.plan) };
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried);
  const releases = facts.releases.map(({ version, tag, published }) => ({
    version,
    tag,
    outcome: published === undefined ? 'copied' : 'present',
  }));
  const copied = releases.filter(({ outcome }) => outcome === 'copied').length;
  const rest = releases.length - copied;
  const sequences = channels.map(({ channel: { channel: name, sequence } }) => ({ name, sequence }));
  const text = `${copying.to.name}: ${copied} of ${releases.length} releases copied${rest === 0 ? '' : `, ${rest} were there`}.\n`;
  return { fields: { releases, channels: sequences }, text };
}

function chooseEnds(context: Context, file: ProductFile): { readonly from: HostAddress; readonly to: HostAddress } {
  const from = textFlag(context.flags, 'from');
  const [to, ...more] = textFlags(context.flags, 'to');
  if (from === undefined || to === undefined || more.length > 0 || from === to) {
    throw new ToolError('E_USAGE', 'release copy takes --from HOST and --to another HOST', { hint: 'Hosts are named in release.hosts.' });
  }
  const ends = { from: hostNamed(from, file), to: hostNamed(to, file) };
  const git = [ends.from, ends.to].find(({ type }) => type === 'git');
  if (git === undefined) return ends;
  throw new ToolError('E_NOT_SUPPORTED', `${git.name} is a plain git remote, which holds no releases`, { hint: 'Name a host that does.' });
}

async function observeCopy(
  context: Context,
  { file, from, to }: Copying,
): Promise<{ readonly facts: CopyFacts; readonly channels: readonly FoundChannel[] }> {
  const { world, flags } = context;
  const { product, release } = file.product;
  const only = textFlag(flags, 'channel');
  const names = Object.keys(release.channels).filter((name) => only === undefined || name === only);
  const channels = await observeChannels({ from, product, publicKey: release.publicKey ?? null, channels: names }, world);
  if (channels.length === 0)
    throw new ToolError('E_NOT_FOUND', `nothing is published on ${from.name}`, {
      hint: 'Name the host that has the releases with --from.',
    });
  const all = oldestFirst(channels.flatMap(({ channel }) => channel.releases));
  const manifests = await observeManifests(from, all, world);
  const main = mainChannelOf(release.channels);
  const latest = channels.find(({ channel }) => channel.channel === main)?.channel.latest;
  const targets = await Promise.all(
    all.map(({ tag, assets }) => {
      const commit = manifests.get(tag)?.manifest.commit ?? null;
      return observeCopyTarget(to, { tag, assets, commit, replace: false }, world);
    }),
  );
  refuseProblems(
    targets.flatMap(({ problems }) => problems.map((problem) => ({ ...problem, host: to.name }))),
    context,
  );
  const releases = all.map(({ version, tag, assets }, index): ReleaseToCopy => {
    const manifest = manifests.get(tag)?.manifest;
    const prerelease = isPrerelease(parseVersion(version));
    const about = { version, tag, title: `${manifest?.title ?? product} ${version}`, commit: manifest?.commit ?? null, assets };
    const { published, reservation } = targets[index] ?? { published: undefined, reservation: undefined };
    return { ...about, prerelease, latest: version === latest && !prerelease, published, reservation };
  });
  const signers = new Set([...manifests.values()].flatMap(({ signer }) => signer ?? []));
  const texts = await observeStatements({ from, to }, signers, world);
  const wanted = await Promise.all(
    channels.map(async (found) => ({ name: found.channel.channel, isThere: await isChannelThere(to, found, world) })),
  );
  const isBehind = wanted.some(({ name, isThere }) => name === main && !isThere);
  return { facts: { product, releases, channels: wanted, texts, main: isBehind ? main : undefined }, channels };
}

/** Each release once, by version. */
function oldestFirst(releases: readonly ChannelRelease[]): readonly ChannelRelease[] {
  const byTag = new Map(releases.map((release) => [release.tag, release]));
  return [...byTag.values()].sort((a, b) => compareVersions(parseVersion(a.version), parseVersion(b.version)));
}
