// publish: a packed release onto a host, at once and for ever. Rule: run again after anything, it ends in the same state.
import { join, relative, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { type HostAddress, releaseUrl } from '../../model/host.ts';
import { momentOf } from '../../model/parse.ts';
import type { Planned, Signing } from '../../model/plan.ts';
import { SNAPSHOT_CHANNEL } from '../../model/snapshot.ts';
import { type Checkout, observeCheckout } from '../../observe/checkout.ts';
import { observeIdentity } from '../../observe/identity.ts';
import { checkSecretKey, observeHost, observePacked, type PackedRelease, type PackedRequest } from '../../observe/published.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeTag } from '../../observe/worktree.ts';
import { basisOf, type PublishWanted, planPublish } from '../../plan/publish.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, isPlanOnly, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isSet, refusePositionals, textFlag } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { packRelease } from './pack.ts';
import { chooseHost, chooseTag, HOST_FLAGS, PRODUCT_FLAGS, type ProductFile, readProductFile, type TagAndVersion } from './product-file.ts';

export const publish: Command = {
  name: 'publish',
  summary: 'publish a packed release',
  flags: {
    tag: { type: 'string', value: 'TAG', help: 'the release (default: the tag on HEAD)' },
    ...HOST_FLAGS,
    key: { type: 'string', value: 'FILE', help: 'the secret key file (default: $SLIPWAY_SECRET_KEY)' },
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const file = await readProductFile(context);
    const { root, product } = file;
    const checkout = await observeCheckout(root, context.world);
    await endEarlier(root, context, 'publish');
    const { tag, version } = chooseTag(context, product, checkout);
    const host = chooseHost(context, file);
    const signing = signingOf(context, file);
    const request = { folder: join(root, 'dist', tag), tag, product: product.product, publicKey: signing.publicKey };
    if (!isPlanOnly(context) && (await observePacked(request)) === undefined) await packRelease(context);
    const packed = await requirePacked(request, checkout);
    refuseSnapshot(packed, file);
    await refuseOtherTag(context, file, { tag, commit: checkout.commit });
    await checkSecretKey(signing, context.world.env);
    const planned = await planFor(context, { file, host, signing, packed });
    const recheck = async (): Promise<PublishBasis> => basisOf(await requirePacked(request, checkout));
    const carried = await carryOut(planned, context, { root, recheck, operator: await observeSelf(context.file) });
    return resultOf(carried, context, { tag, version, host });
  },
};

type PublishBasis = ReturnType<typeof basisOf>;

interface Publishing {
  readonly file: ProductFile;
  readonly host: HostAddress;
  readonly signing: Signing;
  readonly packed: PackedRelease;
}

function signingOf(context: Context, { product }: ProductFile): Signing {
  const key = textFlag(context.flags, 'key');
  return { publicKey: product.release.publicKey ?? null, keyFile: key === undefined ? null : resolve(key) };
}

async function requirePacked(request: PackedRequest, { commit }: Checkout): Promise<PackedRelease> {
  const packed = await observePacked(request);
  const hint = `Run \`slipway pack --tag ${request.tag}\`.`;
  if (packed === undefined) throw new ToolError('E_NOT_PACKED', `${request.tag} is not packed: there is no ${request.folder}`, { hint });
  if (packed.manifest.commit === commit) return packed;
  throw new ToolError(
    'E_NOT_PACKED',
    `${request.folder} was packed from ${packed.manifest.commit ?? 'no commit'}, and HEAD is ${commit ?? 'no commit'}`,
    {
      hint: `Check out that commit, or remove the folder. ${hint}`,
    },
  );
}

/** Work in progress, or a release of a channel that is not declared any more. */
function refuseSnapshot({ manifest }: PackedRelease, { product }: ProductFile): void {
  if (manifest.channel === SNAPSHOT_CHANNEL) {
    throw new ToolError('E_DIRTY', `${manifest.tag} is a snapshot, and snapshots cannot be published`, {
      hint: 'Commit, tag, and pack without --snapshot.',
    });
  }
  if (product.release.channels[manifest.channel] !== undefined) return;
  throw new ToolError('E_CONFIG', `${manifest.tag} is for the channel ${manifest.channel}, which release.channels does not name`, {
    hint: 'Declare it, or pack again.',
  });
}

/** A tag of the repository says what a version is; what HEAD says otherwise is not published under it. */
async function refuseOtherTag(
  context: Context,
  { root }: ProductFile,
  { tag, commit }: { readonly tag: string; readonly commit: string | null },
): Promise<void> {
  const tagged = commit === null ? undefined : await observeTag(root, tag, context.world);
  if (tagged === undefined || tagged === commit) return;
  throw new ToolError('E_NOT_PACKED', `the tag ${tag} is on ${tagged}, and HEAD is ${commit}`, { hint: `Check out ${tag}, and pack it.` });
}

async function planFor(context: Context, { file, host, signing, packed }: Publishing): Promise<Planned> {
  const { product, root } = file;
  const { manifest } = packed;
  const facts = await observeHost(
    {
      host,
      product: manifest.product,
      tag: manifest.tag,
      channel: manifest.channel,
      publicKey: signing.publicKey,
    },
    context.world,
  );
  const nonce = context.world.random(16).toString('hex');
  const wanted: PublishWanted = {
    id: nonce,
    at: momentOf(context.world.now()),
    host,
    draft: `${manifest.tag}-${nonce}`,
    notes: '',
    reserver: { by: await observeIdentity(root, context.world, isPlanOnly(context)), nonce },
    signing,
    expires: product.release.expires,
    prereleases: product.release.channels[manifest.channel]?.prerelease !== undefined,
    main: manifest.channel === mainChannel(file),
  };
  return planPublish(wanted, { ...packed, ...facts, from: relative(root, packed.folder) });
}

/** The channel whose latest install.sh lies at the root of a host. */
function mainChannel({ product }: ProductFile): string | undefined {
  const names = Object.entries(product.release.channels).flatMap(([name, { prerelease }]) => (prerelease === undefined ? [name] : []));
  return names.includes('stable') ? 'stable' : names[0];
}

function resultOf(
  carried: Carried,
  context: Context,
  { tag, version, host }: TagAndVersion & { readonly host: HostAddress },
): CommandResult {
  const { plan } = carried;
  if (carried.outcome === 'planned') {
    const exit = isSet(context.flags, 'exit-code') && plan.steps.length > 0 ? { exit: 4 } : {};
    return { fields: { version, tag, plan: planToJson(plan) }, text: planToText(plan), ...exit };
  }
  // What stopped it is the answer: what another published, or what to mend before running it again.
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried, { version, tag });
  const outcome = plan.steps.some(({ kind }) => kind === 'publish-release') ? 'published' : 'already-published';
  const url = releaseUrl(host, tag);
  const text = `${tag} is published${outcome === 'published' ? '' : ' already, with the same content'}: ${url}\n`;
  return { fields: { version, tag, hosts: [{ name: host.name, outcome, url }] }, text };
}
