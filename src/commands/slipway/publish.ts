// publish: a packed release onto a host, at once and for ever. Rule: run again after anything, it ends in the same state.
import { join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { type HostAddress, releaseUrl } from '../../model/host.ts';
import type { Plan, Signing, Step } from '../../model/plan.ts';
import { SNAPSHOT_CHANNEL } from '../../model/snapshot.ts';
import { type Checkout, observeCheckout } from '../../observe/checkout.ts';
import { checkSecretKey, observePacked, type PackedRelease, type PackedRequest } from '../../observe/published.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeTag } from '../../observe/worktree.ts';
import { basisOf } from '../../plan/publish.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, throwUnlessDone } from '../carry-out.ts';
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
import { namingHolder } from './holder.ts';
import { packRelease } from './pack.ts';
import { planFor } from './prepare-publish.ts';
import { NOTES_FLAGS } from './previous-release.ts';
import {
  chooseHosts,
  chooseTag,
  HOST_FLAGS,
  PRODUCT_FLAGS,
  type ProductFile,
  readProductFile,
  type TagAndVersion,
} from './product-file.ts';

export const publish: Command = {
  name: 'publish',
  summary: 'publish a packed release',
  flags: {
    tag: { type: 'string', value: 'TAG', help: 'the release (default: the tag on HEAD)' },
    ...HOST_FLAGS,
    key: { type: 'string', value: 'FILE', help: 'the secret key file (default: $SLIPWAY_SECRET_KEY)' },
    draft: { type: 'boolean', help: 'upload everything, and publish nothing yet' },
    resume: { type: 'boolean', help: 'go on with what was cut off; never packs anew' },
    replace: { type: 'boolean', help: 'give a published version other content (needs release.allowReplace)' },
    reason: { type: 'string', value: 'TEXT', help: 'why it is replaced; installs are told' },
    ...NOTES_FLAGS,
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const file = await readProductFile(context);
    const { root, product } = file;
    const replace = replaceReason(context, file);
    const checkout = await observeCheckout(root, context.world);
    await endEarlier(root, context, 'publish');
    const { tag, version } = chooseTag(context, product, checkout);
    const hosts = chooseHosts(context, file);
    const signing = signingOf(context, file);
    const request = { folder: join(root, 'dist', tag), tag, product: product.product, publicKey: signing.publicKey };
    const packs = !isPlanOnly(context) && !isSet(context.flags, 'resume');
    if (packs && (await observePacked(request)) === undefined) await packRelease(context);
    const packed = await requirePacked(request, checkout);
    refuseSnapshot(packed, file);
    await refuseOtherTag(context, file, { tag, commit: checkout.commit });
    await checkSecretKey(signing, context.world.env);
    const recheck = async (): Promise<PublishBasis> => basisOf(await requirePacked(request, checkout));
    return namingHolder({ authority: hosts.authority, tag }, context.world, async () => {
      const planned = await planFor(context, { file, hosts, signing, packed, replace });
      const carried = await carryOut(planned, context, { root, recheck, operator: await observeSelf(context.file) });
      return resultOf(carried, context, { tag, version, targets: hosts.targets });
    });
  },
};

type PublishBasis = ReturnType<typeof basisOf>;

/** Why a published version may be replaced; null = it may not. */
function replaceReason({ flags }: Context, { product }: ProductFile): string | null {
  const reason = textFlag(flags, 'reason');
  if (!isSet(flags, 'replace')) {
    if (reason === undefined) return null;
    throw new ToolError('E_USAGE', '--reason without --replace', { hint: 'A reason is given for replacing a published version.' });
  }
  if (!product.release.allowReplace) {
    throw new ToolError('E_POLICY', 'published versions of this product are never replaced', {
      hint: 'Publish the next version. To allow it after all, set release.allowReplace: true.',
    });
  }
  if (reason !== undefined && reason.trim() !== '') return reason;
  throw new ToolError('E_USAGE', '--replace needs --reason', { hint: 'Say in a sentence why; installs that have the version are told.' });
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

interface Shown extends TagAndVersion {
  readonly targets: readonly HostAddress[];
}

/** What became of a publication on each host. */
export function resultOf(carried: Carried, context: Context, { tag, version, targets }: Shown): CommandResult {
  const { plan } = carried;
  if (carried.outcome === 'planned') {
    const exit = isSet(context.flags, 'exit-code') && plan.steps.length > 0 ? { exit: 4 } : {};
    return { fields: { version, tag, plan: planToJson(plan) }, text: planToText(plan), ...exit };
  }
  // What stopped it is the answer: what another published, or what to mend before running it again.
  if ('cause' in carried && carried.cause instanceof ToolError) throw carried.cause;
  throwUnlessDone(carried, { version, tag });
  const hosts = targets.map((host) => ({ name: host.name, outcome: outcomeOn(host, plan, context), url: releaseUrl(host, tag) }));
  return {
    fields: { version, tag, hosts },
    text: hosts.map((host) => `${tag} ${SAID[host.outcome]} ${host.name}: ${host.url}\n`).join(''),
  };
}

type Outcome = 'published' | 'already-published' | 'replaced' | 'drafted';

const SAID: Readonly<Record<Outcome, string>> = {
  published: 'is published on',
  'already-published': 'is published already, with the same content, on',
  replaced: 'took the place of what was published on',
  drafted: 'is a draft on',
};

function outcomeOn({ name }: HostAddress, { steps }: Plan, { flags }: Context): Outcome {
  const isThere = (step: Step): boolean => 'host' in step && step.host.name === name;
  const publishing = steps.find((step): step is Step<'publish-release'> => step.kind === 'publish-release' && isThere(step));
  if (publishing !== undefined) return publishing.publication.replaces === null ? 'published' : 'replaced';
  return isSet(flags, 'draft') && steps.some((step) => step.kind === 'upload-assets' && isThere(step)) ? 'drafted' : 'already-published';
}
