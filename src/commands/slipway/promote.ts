// promote: a prerelease becomes the release, without anything being built again. Rule: complete on every image before the first write; read back, and written down.
import { join } from 'node:path';
import { makeFolder, writeDurably } from '../../apply/durable.ts';
import { ToolError } from '../../model/error.ts';
import { type ImageRef, parseImageRef, printImageRef } from '../../model/image.ts';
import { prettyJson } from '../../model/json.ts';
import { momentOf } from '../../model/parse.ts';
import { RESERVATION_TYPE } from '../../model/reservation.ts';
import { mainChannelOf, tagOf, VERSION_PLACE } from '../../model/tag.ts';
import { coreOf, isPrerelease, parseVersion, type Version } from '../../model/version.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { observeImageTags, observeTagDigest, observeWholeImage } from '../../observe/promotion.ts';
import { observeReservation } from '../../observe/published.ts';
import { observeBase } from '../../observe/release-tags.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeTag } from '../../observe/worktree.ts';
import {
  type CandidateImage,
  chooseCandidate,
  floatsFor,
  type PromotedImage,
  type PromoteWanted,
  planPromote,
} from '../../plan/promote.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut, throwUnlessDone } from '../carry-out.ts';
import {
  CHANGING_FLAGS,
  type Command,
  type CommandResult,
  type Context,
  isPlanOnly,
  isSet,
  refusePositionals,
  textFlag,
} from '../command.ts';
import { endEarlier } from './earlier.ts';
import { usableVersion } from './given-version.ts';
import { chooseHosts, PRODUCT_FLAGS, type ProductFile, readProductFile } from './product-file.ts';

export const promote: Command = {
  name: 'promote',
  summary: 'make a prerelease the release, without building again',
  flags: {
    version: { type: 'string', value: 'X.Y.Z', help: 'the release (default: release.base)' },
    channel: { type: 'string', value: 'C', help: 'the channel that it becomes a release of (default: the main one)' },
    strict: { type: 'boolean', help: 'refuse when the newest prerelease of one image is not on all' },
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const file = await readProductFile(context);
    await endEarlier(file.root, context, 'promote');
    const promotion = await choosePromotion(context, file);
    const images = await observeCandidates(context, promotion);
    const nonce = context.world.random(16).toString('hex');
    const reserving = await reservationFor(context, file, { promotion, nonce });
    const planned = planPromote({ id: nonce, from: promotion.from, to: promotion.to, reserving }, images);
    const carried = await carryOut(planned, context, { root: file.root, operator: await observeSelf(context.file) });
    if (carried.outcome === 'planned') return { fields: { plan: planToJson(planned.plan) }, text: planToText(planned.plan) };
    if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
    throwUnlessDone(carried);
    return resultOf(context, file, { promotion, images, commit: reserving?.reservation.commit ?? null });
  },
};

interface Promotion {
  readonly from: Version;
  readonly to: Version;
  readonly floats: readonly string[];
  readonly images: readonly PromotedImage[];
}

/** Which prerelease becomes which release. Throws E_CONFIG where nothing is promoted, and E_NOT_FOUND where no prerelease is on all images. */
async function choosePromotion(context: Context, { product, root }: ProductFile): Promise<Promotion> {
  const { release, images } = product;
  const channel = textFlag(context.flags, 'channel') ?? mainChannelOf(release.channels) ?? '';
  const rule = release.channels[channel];
  const prerelease = release.channels[rule?.promoteFrom ?? '']?.prerelease;
  if (rule === undefined || prerelease === undefined) {
    throw new ToolError('E_CONFIG', `nothing is promoted to the channel ${JSON.stringify(channel)}`, {
      hint: 'Name a channel of prereleases as its `promoteFrom`.',
    });
  }
  const own = Object.entries(images.own).filter(([, image]) => image.tag.includes(VERSION_PLACE));
  if (own.length === 0 || images.registry === undefined) {
    throw new ToolError('E_CONFIG', 'the product has no images of its own that have its version', {
      hint: 'See images.own and images.registry.',
    });
  }
  const named = textFlag(context.flags, 'version');
  const base = named === undefined ? (await observeBase(root, release.base))?.version : usableVersion(named);
  if (base === undefined || isPrerelease(base)) {
    throw new ToolError('E_USAGE', 'which version?', { hint: 'Give --version X.Y.Z, or set release.base.' });
  }
  const places = own.map(([name, { repository, tag }]) => ({
    name,
    image: parseImageRef(`${images.registry}/${repository}`, `images.own.${name}`),
    pattern: tag,
  }));
  const tags = await observeImageTags(
    places.map(({ image }) => image),
    context.world,
  );
  const promoted = places.map((place, index): PromotedImage => ({ ...place, tags: tags[index] ?? [] }));
  const counter = chooseCandidate(promoted, { base: coreOf(base), prerelease, strict: isSet(context.flags, 'strict') });
  const from = parseVersion(`${coreOf(base)}-${prerelease}.${counter}`);
  return { from, to: coreOf(base), floats: rule.float ?? [], images: promoted };
}

async function observeCandidates(context: Context, { from, to, floats, images }: Promotion): Promise<readonly CandidateImage[]> {
  const { world } = context;
  return Promise.all(
    images.map(async (image): Promise<CandidateImage> => {
      const ref: ImageRef = { ...image.image, tag: tagOf(image.pattern, from) };
      const digest = await observeWholeImage(ref, world);
      if (digest === undefined)
        throw new ToolError('E_NOT_FOUND', `${printImageRef(ref)} is gone`, { hint: 'Run the same command again.' });
      const tag = tagOf(image.pattern, to);
      const there = await observeTagDigest({ ...image.image, tag }, world);
      const moved: string[] = [];
      for (const float of floatsFor(image, to, floats)) {
        if ((await observeTagDigest({ ...image.image, tag: float }, world)) !== digest) moved.push(float);
      }
      return { name: image.name, image: { ...image.image, digest }, tag, there, floats: moved };
    }),
  );
}

/** The tag of the release goes on the commit that the prerelease has at the authority, or in this checkout. */
async function reservationFor(
  context: Context,
  file: ProductFile,
  { promotion, nonce }: { readonly promotion: Promotion; readonly nonce: string },
): Promise<PromoteWanted['reserving']> {
  const { product, release } = file.product;
  if (release.publishTo.length === 0) return undefined;
  const { authority } = chooseHosts(context, file);
  const stagingTag = tagOf(release.tag, promotion.from);
  const { reservation: staged } = await observeReservation(authority, stagingTag, context.world);
  const commit = staged?.commit ?? (await observeTag(file.root, stagingTag, context.world)) ?? null;
  if (commit === null) return undefined;
  const tag = tagOf(release.tag, promotion.to);
  const by = await observeIdentity(file.root, context.world, isPlanOnly(context));
  const reservation = {
    type: RESERVATION_TYPE,
    product,
    version: promotion.to,
    tag,
    commit,
    by,
    nonce,
    at: momentOf(context.world.now()),
  } as const;
  const { reservation: found } = await observeReservation(authority, tag, context.world);
  return { host: authority, reservation, found };
}

interface Done {
  readonly promotion: Promotion;
  readonly images: readonly CandidateImage[];
  readonly commit: string | null;
}

/** The result, and the same as a receipt beside the packed releases. */
async function resultOf(context: Context, { root }: ProductFile, { promotion, images, commit }: Done): Promise<CommandResult> {
  const { from, to } = promotion;
  const rows = images.map(({ name, image, tag, there, floats }) => {
    const outcome = there === undefined ? 'promoted' : 'present';
    return { name, reference: printImageRef({ ...image, tag }), digest: image.digest, floats, outcome };
  });
  const fields = { from, to, commit, images: rows };
  const receipt = join(root, 'dist', 'promotions', `${to}.json`);
  await makeFolder(join(root, 'dist', 'promotions'), 0o755);
  await writeDurably(receipt, prettyJson({ type: 'slipway/promotion@1', ...fields, at: momentOf(context.world.now()) }), 0o644);
  const lines = rows.map(
    ({ name, digest, outcome, floats }) =>
      `${outcome}  ${name}  ${digest.slice(0, 19)}${floats.length === 0 ? '' : `  ${floats.join(' ')}`}\n`,
  );
  const next = commit === null ? '' : `Pack and publish ${to} from the commit ${commit}.\n`;
  return { fields: { ...fields, receipt }, text: `${from} is ${to}:\n${lines.join('')}${next}` };
}
