// release import: a release that was made before Slipway, for old installs to be compared with. Rule: the archive is published as it is, and never offered to anybody.
import { basename, join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { parseFileName } from '../../model/manifest.ts';
import type { Signing } from '../../model/plan.ts';
import { channelOf, tagOf, versionOfAnyTag } from '../../model/tag.ts';
import type { Version } from '../../model/version.ts';
import { observeArchive } from '../../observe/archive.ts';
import { checkSecretKey, observePacked } from '../../observe/published.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeTag } from '../../observe/worktree.ts';
import { planImport } from '../../plan/import-release.ts';
import { basisOf } from '../../plan/publish.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, isPlanOnly, throwUnlessDone } from '../carry-out.ts';
import { type CommandResult, type Context, textFlag } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { usableVersion } from './given-version.ts';
import { planFor } from './prepare-publish.ts';
import { chooseHosts, type ProductFile, readProductFile } from './product-file.ts';
import { resultOf } from './publish.ts';

/** Packs the archive with a manifest of its own, and publishes it; the same archive again is success. */
export async function importRelease(context: Context, named: string): Promise<CommandResult> {
  const file = await readProductFile(context);
  const { root } = file;
  await endEarlier(root, context, 'release import');
  const { version, tag, channel } = chooseName(context, file);
  const signing = signingOf(context, file);
  await checkSecretKey(signing, context.world.env);
  const path = resolve(named);
  const archive = await observeArchive(path);
  const commit = (await observeTag(root, tag, context.world)) ?? null;
  const id = context.world.random(16).toString('hex');
  const facts = { product: file.product, commit, file: path, name: parseFileName(basename(path), 'file'), archive };
  const packing = planImport({ id, version, tag, channel, signing }, facts);
  if (isPlanOnly(context)) return { fields: { plan: planToJson(packing.plan) }, text: planToText(packing.plan) };
  const operator = await observeSelf(context.file);
  const unasked = { ...context, flags: { ...context.flags, yes: true } };
  throwUnlessDone(await carryOut(packing, unasked, { root, operator }));
  const hosts = chooseHosts(context, file);
  const request = { folder: join(root, 'dist', tag), tag, product: file.product.product, publicKey: signing.publicKey };
  const packed = await observePacked(request);
  if (packed === undefined) throw new ToolError('E_NOT_PACKED', `${request.folder} is gone`, { hint: 'Run the same command again.' });
  const planned = await planFor(context, { file, hosts, signing, packed, replace: null });
  const recheck = async (): Promise<ReturnType<typeof basisOf>> => basisOf((await observePacked(request)) ?? packed);
  return resultOf(await carryOut(planned, context, { root, recheck, operator }), context, { tag, version, targets: hosts.targets });
}

function chooseName(
  context: Context,
  { product: { release } }: ProductFile,
): { readonly version: Version; readonly tag: string; readonly channel: string } {
  const given = textFlag(context.flags, 'as');
  if (given === undefined)
    throw new ToolError('E_USAGE', 'release import needs --as VERSION', { hint: 'An archive does not say which version it is.' });
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
