// release import: a release that was made before Slipway, for old installs to be compared with. Rule: the archive is published as it is, and never offered to anybody.
import { basename, join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { parseFileName } from '../../model/manifest.ts';
import type { Planned, Signing } from '../../model/plan.ts';
import { channelOf, tagOf, versionOfAnyTag } from '../../model/tag.ts';
import { isRange, type Version } from '../../model/version.ts';
import { observeArchive } from '../../observe/archive.ts';
import { readPacked } from '../../observe/packed.ts';
import { checkSecretKey, observePublishedChannel } from '../../observe/published.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeTag } from '../../observe/worktree.ts';
import { type PublishedImport, planImport } from '../../plan/import-release.ts';
import { basisOf } from '../../plan/publish.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carrying, carryOut, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, isPlanOnly, textFlag } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { usableVersion } from './given-version.ts';
import { planFor } from './prepare-publish.ts';
import { chooseHosts, type ProductFile, readProductFile } from './product-file.ts';
import { resultOf } from './publish.ts';

/** What no version is in: nobody upgrades to an imported release. */
const FROM_NOTHING = '<0.0.0-0';

/** Packs the archive with a manifest of its own, and publishes it; the same archive again is success. */
export async function importRelease(context: Context, named: string): Promise<CommandResult> {
  const file = await readProductFile(context);
  const { root } = file;
  await endEarlier(root, context, 'release import');
  const name = chooseName(context, file);
  const { version, tag } = name;
  const signing = signingOf(context, file);
  await checkSecretKey(signing, context.world.env);
  const path = resolve(named);
  const archive = await observeArchive(path);
  const commit = (await observeTag(root, tag, context.world)) ?? null;
  const published = await observeImported(context, file, name);
  const facts = { product: file.product, commit, file: path, name: archiveName(path), archive, published };
  const packing = planImport({ id: context.world.random(16).toString('hex'), ...name, from: fromOf(context), signing }, facts);
  if (isPlanOnly(context)) return { fields: { version, tag, plan: planToJson(packing.plan) }, text: planToText(packing.plan) };
  const operator = await observeSelf(context.file);
  await packUnasked(packing, context, { root, operator });
  const hosts = chooseHosts(context, file);
  const request = { folder: join(root, 'dist', tag), tag, product: file.product.product, publicKey: signing.publicKey };
  const packed = await readPacked(request);
  const planned = await planFor(context, { file, hosts, signing, packed, replace: null });
  const recheck = async (): Promise<ReturnType<typeof basisOf>> => basisOf(await readPacked(request));
  return resultOf(await carryOut(planned, context, { root, recheck, operator }), context, { tag, version, targets: hosts.targets });
}

/** The release's folder in `dist` is our own, so nobody is asked. */
async function packUnasked(packing: Planned, context: Context, carrying: Carrying): Promise<void> {
  const carried = await carryOut(packing, { ...context, flags: { ...context.flags, yes: true } }, carrying);
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried);
}

/** The version as the authority's channel has it. A plain git remote keeps no releases to compare with. */
async function observeImported(
  context: Context,
  file: ProductFile,
  { version, channel }: ImportName,
): Promise<PublishedImport | undefined> {
  const { authority: host } = chooseHosts(context, file);
  const { product, release } = file.product;
  if (host.type === 'git') return undefined;
  const found = await observePublishedChannel({ host, product, channel, publicKey: release.publicKey ?? null }, context.world);
  const known = found?.releases.find((each) => each.version === version);
  return known === undefined ? undefined : { host, release: known };
}

function archiveName(path: string): string {
  const name = parseFileName(basename(path), 'file');
  if (/\.(tar\.gz|tgz)$/.test(name)) return name;
  throw new ToolError('E_USAGE', `${name} does not end in .tar.gz`, { hint: 'Give it the name that it was published under.' });
}

function fromOf({ flags }: Context): string {
  const from = textFlag(flags, 'from') ?? FROM_NOTHING;
  if (isRange(from)) return from;
  throw new ToolError('E_USAGE', `--from ${JSON.stringify(from)} is no range of versions`, { hint: 'For example --from ">=0.8.0".' });
}

interface ImportName {
  readonly version: Version;
  readonly tag: string;
  readonly channel: string;
}

function chooseName(context: Context, { product: { release } }: ProductFile): ImportName {
  const given = textFlag(context.flags, 'as') ?? textFlag(context.flags, 'version');
  if (given === undefined)
    throw new ToolError('E_USAGE', 'release import needs --version V', { hint: 'An archive does not say which version it is.' });
  const version = usableVersion(given);
  const tag = textFlag(context.flags, 'tag') ?? tagOf(release.tag, version);
  if (versionOfAnyTag(release, tag) !== version) {
    throw new ToolError('E_USAGE', `${tag} is not a tag of ${version}`, {
      hint: 'Name its tag with --tag, and its grammar in release.formerTags.',
    });
  }
  const channel = textFlag(context.flags, 'channel') ?? channelOf(release.channels, version);
  if (channel !== undefined && release.channels[channel] !== undefined) return { version, tag, channel };
  throw new ToolError('E_USAGE', `no channel takes ${version}`, { hint: 'Name one of release.channels with --channel.' });
}

function signingOf(context: Context, { product }: ProductFile): Signing {
  const key = textFlag(context.flags, 'key');
  return { publicKey: product.release.publicKey ?? null, keyFile: key === undefined ? null : resolve(key) };
}
