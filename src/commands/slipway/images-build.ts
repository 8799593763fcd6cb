// images build: the product's own images from their folders, and into the registry. Rule: a pull request never pushes; what was pushed is read back, tag by tag.

import { ToolError } from '../../model/error.ts';
import type { Event } from '../../model/event.ts';
import { printImageRef } from '../../model/image.ts';
import type { BuiltImage, ImageToBuild } from '../../model/image-build.ts';
import { problemAt } from '../../model/problem.ts';
import { observeBuildPaths } from '../../observe/build-paths.ts';
import { observeBranch, observeChanges } from '../../observe/build-source.ts';
import { observeBuilder } from '../../observe/builder.ts';
import { type Checkout, observeCheckout } from '../../observe/checkout.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeWorktree } from '../../observe/worktree.ts';
import { planBuild } from '../../plan/build.ts';
import { buildPaths } from '../../plan/build-check.ts';
import { type Choice, chooseImages } from '../../plan/build-choice.ts';
import { chooseOccasion, type Occasion } from '../../plan/build-event.ts';
import { checkProduct } from '../../plan/check.ts';
import { type BuildRow, buildToText } from '../../show/build.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut } from '../carry-out.ts';
import { type CommandResult, type Context, isPlanOnly, isSet, textFlag, textFlags } from '../command.ts';
import { type PreparedBuild, prepareBuild } from './build-choice.ts';
import { endEarlier } from './earlier.ts';
import { usableVersion } from './given-version.ts';
import { checkTags } from './images-verify.ts';
import { DEFAULT_OUT, ownFolders } from './own-folders.ts';
import { hasErrors, problemsError } from './problems.ts';
import type { ProductFile } from './product-file.ts';

/** Where the whole output of each build goes. */
const LOGS = '.slipway/log';

/** Builds, and with --push pushes. Throws E_STEP_FAILED, with all rows in its details, when an image was not built or lacks a tag. */
export async function buildImages(context: Context, file: ProductFile, names: readonly string[]): Promise<CommandResult> {
  const { root, product } = file;
  const { world, flags } = context;
  await endEarlier(root, context, 'images build');
  await refuseMissing(context, file);
  const checkout = await observeCheckout(root, world);
  const occasion = await occasionOf(context, file, checkout);
  const changed = await changesOf(context, file, checkout);
  const { chosen, left } = chooseImages(product, { occasion, names, include: textFlags(flags, 'include'), changed });
  const push = isSet(flags, 'push') && occasion.event !== 'pull-request';
  const about = { event: occasion.event, version: occasion.version ?? chosen[0]?.version ?? null, pushed: push };
  if (chosen.length === 0) return nothingToBuild(about, left);
  const warnings = await refuseDirty(context, file, { occasion, checkout, push });
  const prepared = await prepareBuild({ file, occasion, commit: checkout.commit, date: dateOf(context), push, world }, chosen);
  const builder = await observeBuilder(root, textFlag(flags, 'builder'), world);
  const unpushed = isSet(flags, 'push') && !push ? ['A pull request’s images are built, and not pushed.'] : [];
  const notes = [...prepared.notes, ...left.map(({ name, why }) => `${name} is not built: ${why}`), ...unpushed, ...warnings];
  const planned = planBuild({ id: world.random(16).toString('hex'), builder, push, logs: LOGS, notes }, prepared.images, prepared.present);
  const text = planToText(planned.plan);
  if (isPlanOnly(context))
    return { fields: { ...about, images: rowsOf(prepared, []), plan: planToJson(planned.plan) }, text, ...exitOf(context, prepared) };
  const done: BuiltImage[] = [];
  const collecting = { ...context, world: { ...world, report: collect(done, context) } };
  const carried = await carryOut(planned, collecting, { root, operator: await observeSelf(context.file) });
  const cause = 'cause' in carried ? carried.cause : undefined;
  if (cause instanceof ToolError && cause.code === 'E_INTERRUPTED') throw cause;
  return resultOf(context, { about, prepared, done, cause });
}

async function refuseMissing(context: Context, { root, product }: ProductFile): Promise<void> {
  const { missing, problems } = await observeBuildPaths(root, buildPaths(product));
  const found = [...checkProduct(product, { missing }), ...problems.map((problem) => problemAt(product.source, problem))];
  const ours = found.filter(({ path = '' }) => path.startsWith('images'));
  if (hasErrors(ours)) throw problemsError(ours, context);
}

async function occasionOf({ flags, world }: Context, { root, product }: ProductFile, { commit, tags }: Checkout): Promise<Occasion> {
  const version = textFlag(flags, 'version');
  const wish = {
    event: textFlag(flags, 'event'),
    run: textFlag(flags, 'run'),
    version: version === undefined ? undefined : usableVersion(version),
  };
  const branch = commit === null ? undefined : await observeBranch(root, world);
  return chooseOccasion(product, wish, { env: world.env, branch, tags });
}

/** Undefined when all images count. */
async function changesOf({ flags, world }: Context, { root }: ProductFile, { commit }: Checkout): Promise<readonly string[] | undefined> {
  const since = textFlag(flags, 'changed-since');
  if (since === undefined) return undefined;
  if (commit === null) throw new ToolError('E_USAGE', '--changed-since needs a git checkout with a commit', { hint: 'Leave it out.' });
  return observeChanges(root, since, world);
}

/** The moment of the build, for tags and arguments: one for all images. */
function dateOf({ world }: Context): Date {
  const epoch = world.env.SOURCE_DATE_EPOCH;
  return epoch !== undefined && /^\d{1,11}$/.test(epoch) ? new Date(Number(epoch) * 1000) : world.now();
}

interface Pushing {
  readonly occasion: Occasion;
  readonly checkout: Checkout;
  readonly push: boolean;
}

/** A release is built from what is committed; for everything else a note says that it was not. */
async function refuseDirty({ world }: Context, { root, product }: ProductFile, { occasion, checkout, push }: Pushing): Promise<string[]> {
  if (!push || checkout.commit === null) return [];
  const { changes } = await observeWorktree(root, world, ownFolders(root, DEFAULT_OUT, product));
  const [first] = changes;
  if (first === undefined) return [];
  const message = `${changes.length} files are not as they are committed, ${first} among them`;
  if (occasion.event !== 'release') return [`${message}: the images are not what their commit says.`];
  throw new ToolError('E_DIRTY', message, { hint: 'Commit or stash them: a release is built from its commit.' });
}

function collect(done: BuiltImage[], { world }: Context): (event: Event) => void {
  return (event) => {
    if (event.type === 'build') done.push(event);
    world.report(event);
  };
}

function nothingToBuild(about: object, left: Choice['left']): CommandResult {
  const reasons = left.map(({ name, why }) => `${name}: ${why}`);
  return { fields: { ...about, images: [] }, text: `nothing to build${reasons.length === 0 ? '' : ` (${reasons.join('; ')})`}\n` };
}

function exitOf({ flags }: Context, { images, present }: PreparedBuild): { exit?: number } {
  const isAny = images.length > 0 || present.some(({ tags }) => tags.length > 0);
  return isSet(flags, 'exit-code') && isAny ? { exit: 4 } : {};
}

interface Ended {
  readonly about: { readonly event: string; readonly version: string | null; readonly pushed: boolean };
  readonly prepared: PreparedBuild;
  readonly done: readonly BuiltImage[];
  readonly cause: unknown;
}

/** Every image of the run carries every tag, or its row says which it lacks. */
async function resultOf({ world }: Context, { about, prepared, done, cause }: Ended): Promise<CommandResult> {
  const rows: BuildRow[] = [];
  for (const row of rowsOf(prepared, done)) {
    const expected = row.outcome === 'pushed' || row.outcome === 'present' ? row.digest : null;
    const missing = expected === null ? [] : await checkTags(row.tags, expected, world);
    rows.push(missing.length === 0 ? row : { ...row, outcome: 'failed', error: `not there after the push: ${missing.join(', ')}` });
  }
  const fields = { ...about, images: rows };
  const lost = rows.filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped');
  if (lost.length === 0 && cause === undefined) return { fields, text: buildToText(rows) };
  world.terminal.err(buildToText(rows));
  const [first] = lost;
  if (first === undefined) throw cause;
  const hint = first.log === null ? 'Run the same command again.' : `The whole output is in ${first.log}.`;
  const message = `${lost.length} of ${rows.length} images were not ${about.pushed ? 'pushed' : 'built'}; the first: ${first.name}: ${first.error}`;
  throw new ToolError('E_STEP_FAILED', message, { hint, details: fields });
}

function rowsOf({ images, present }: PreparedBuild, done: readonly BuiltImage[]): BuildRow[] {
  const named = (image: Pick<ImageToBuild, 'image' | 'tags'>): string[] =>
    image.tags.map((tag) => printImageRef({ registry: image.image.registry, repository: image.image.repository, tag }));
  const there = present.map(({ name, image, digest, all }): BuildRow => {
    return {
      name,
      why: 'it was pushed before, from the same commit',
      outcome: 'present',
      digest,
      tags: named({ image, tags: all }),
      platforms: [],
      seconds: 0,
      log: null,
      error: null,
    };
  });
  const built = images.map((image): BuildRow => {
    const { name, why, platforms } = image;
    const { outcome = 'planned', digest = null, seconds = 0, log = null, error = null } = done.find((each) => each.name === name) ?? {};
    return { name, why, outcome, digest, tags: named(image), platforms, seconds, log, error };
  });
  return [...there, ...built];
}
