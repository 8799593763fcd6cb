// pack: a product's folder becomes a signed release in dist/<tag>. Rule: the same product gives the same manifest; what is packed already is not made again.
import { join, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { Problem } from '../../model/problem.ts';
import { sizeToText } from '../../model/units.ts';
import { readPacked } from '../../observe/packed.ts';
import { makeScratch } from '../../observe/scratch.ts';
import { observeSelf } from '../../observe/self.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut, throwUnlessDone } from '../carry-out.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isSet, refusePositionals, textFlag } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { KEY_FLAGS, productRoot } from './inspect.ts';
import { type Folders, type Prepared, preparePack } from './prepare-pack.ts';
import { PRODUCT_FLAGS } from './product-file.ts';
import { RELEASE_FLAGS } from './release-choice.ts';

export const pack: Command = {
  name: 'pack',
  summary: 'a signed bundle from a product',
  flags: {
    ...RELEASE_FLAGS,
    out: { type: 'string', value: 'DIR', help: 'where packed releases go (default: dist beside the product file)' },
    locked: { type: 'boolean', help: 'refuse third-party images that slipway.lock.json does not cover' },
    verify: { type: 'boolean', help: 'pack a second time elsewhere, and compare' },
    ...KEY_FLAGS,
    ...PRODUCT_FLAGS,
    ...CHANGING_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    await endEarlier(productRoot(context), context, 'pack');
    const out = textFlag(context.flags, 'out');
    const folders = { out: out === undefined ? undefined : resolve(out) };
    const prepared = await preparePack(context, folders);
    for (const warning of prepared.warnings) reportWarning(warning, context);
    const carried = await carryUnasked(prepared, context);
    if (carried.outcome === 'planned') return plannedResult(prepared, context);
    refuseUnlessDone(carried, prepared);
    if (isSet(context.flags, 'verify')) await verifyPacking(context, folders, prepared);
    return packedResult(carried, prepared);
  },
};

/** Packs the release that this command line names, for `publish` where it is not packed yet. */
export async function packRelease(context: Context): Promise<void> {
  const prepared = await preparePack(context, { out: undefined });
  for (const warning of prepared.warnings) reportWarning(warning, context);
  refuseUnlessDone(await carryUnasked(prepared, context), prepared);
}

/** A bundle is made in a folder of its own, so nobody is asked; the plan is shown all the same. */
async function carryUnasked({ planned, root }: Prepared, context: Context): Promise<Carried> {
  const unasked = { ...context, flags: { ...context.flags, yes: true } };
  return carryOut(planned, unasked, { root, operator: await observeSelf(context.file) });
}

function refuseUnlessDone(carried: Carried, { release }: Prepared): void {
  if (carried.outcome === 'undone' && carried.cause instanceof ToolError) throw carried.cause;
  if (carried.outcome === 'undone' && carried.cause instanceof Error) throw stepFailed(carried.cause);
  throwUnlessDone(carried, { version: release.version, tag: release.tag });
}

/** What the system says: a folder that cannot be written, for example. */
function stepFailed(cause: Error): ToolError {
  return new ToolError('E_STEP_FAILED', `packing failed: ${cause.message}; everything is as before`, {
    cause,
    hint: 'Mend what the message names, then pack again.',
  });
}

function plannedResult({ planned, release, warnings }: Prepared, context: Context): CommandResult {
  const { version, tag } = release;
  const exit = isSet(context.flags, 'exit-code') && planned.plan.steps.length > 0 ? { exit: 4 } : {};
  return { fields: { version, tag, warnings, plan: planToJson(planned.plan) }, text: planToText(planned.plan), ...exit };
}

async function packedResult(carried: Carried, { release, warnings, request }: Prepared): Promise<CommandResult> {
  const { folder, manifest, manifestDigest, assets } = await readPacked(request);
  const { version, tag } = release;
  const archive = assets.find(({ name }) => name === manifest.artifact.name);
  const artifact = join(folder, manifest.artifact.name);
  const outcome = carried.outcome === 'nothing' ? 'already-packed' : 'packed';
  const fields = {
    version,
    tag,
    channel: manifest.channel,
    outcome,
    artifact,
    sha256: archive?.sha256,
    tarSha256: manifest.artifact.tarSha256,
    manifest: join(folder, 'bundle.json'),
    manifestSha256: manifestDigest,
    files: manifest.files.length,
    images: manifest.images.length,
    warnings,
  };
  if (outcome === 'already-packed') return { fields, text: `${tag} is packed already: ${artifact}\n` };
  return {
    fields,
    text: `packed ${tag}: ${artifact}\n  ${contentText(manifest, archive?.size ?? 0)}\n  tar ${manifest.artifact.tarSha256}\n`,
  };
}

function contentText({ files, images }: Manifest, size: number): string {
  return `${sizeToText(size)}, ${files.length} files, ${images.length} images`;
}

/** Everything once more, into a folder that is thrown away: what differs depends on something besides the product. */
async function verifyPacking(context: Context, folders: Folders, { request }: Prepared): Promise<void> {
  const scratch = await makeScratch();
  const terminal = { ...context.world.terminal, err: () => undefined };
  const quiet = { ...context, world: { ...context.world, terminal } };
  const again = await preparePack(quiet, { ...folders, scratch });
  refuseUnlessDone(await carryUnasked(again, quiet), again);
  const first = await readPacked(request);
  const second = await readPacked(again.request);
  if (first.manifestDigest === second.manifestDigest) return;
  throw new ToolError('E_DIGEST', `packing again gave something else: ${differencesOf(first.manifest, second.manifest).join(', ')}`, {
    hint: 'Something besides the product decides what is packed: files that change while packing, or image tags that move.',
    details: { manifestSha256: first.manifestDigest, again: second.manifestDigest },
  });
}

function differencesOf(first: Manifest, second: Manifest): string[] {
  const files = first.files.filter((file) => second.files.find(({ path }) => path === file.path)?.sha256 !== file.sha256);
  const more = second.files.filter(({ path }) => !first.files.some((file) => file.path === path));
  const named = [...files, ...more].map(({ path }) => path);
  return named.length > 0 ? named : ['the description'];
}

function reportWarning({ file, line, message, hint }: Problem, { world }: Context): void {
  world.report({ type: 'warning', text: `${file}:${line}: ${message}`, hint });
}
