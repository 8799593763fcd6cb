// From a product's folder to the plan of its bundle. Rule: what can be known without the network is refused first, all of it at once; then the registries
// are asked.
import { join, relative, resolve } from 'node:path';
import { ToolError } from '../../model/error.ts';
import { addressOf, publicLocation } from '../../model/host.ts';
import { renderInstaller } from '../../model/installer.ts';
import { parsePublicKey } from '../../model/minisign.ts';
import { momentOf } from '../../model/parse.ts';
import type { Planned, Signing } from '../../model/plan.ts';
import { type Problem, problemAt, sortProblems } from '../../model/problem.ts';
import type { Product } from '../../model/product.ts';
import type { RuntimeSet } from '../../model/runtime.ts';
import type { OperatorProgram } from '../../model/source-file.ts';
import { observeOperatorProgram, observeRuntimes, readInstallerTemplate } from '../../observe/own-files.ts';
import { observeUnsealed } from '../../observe/packed.ts';
import { observeProductImages } from '../../observe/product-images.ts';
import { checkSecretKey, type PackedRequest } from '../../observe/published.ts';
import { observeTag } from '../../observe/worktree.ts';
import type { Assessment } from '../../plan/assess.ts';
import { checkLocked, checkPlatforms } from '../../plan/image-check.ts';
import { planPack, UNSIGNED } from '../../plan/pack.ts';
import { type Context, isSet } from '../command.ts';
import { assess, checkAgainstPrevious, checkIgnored, type Inspection, inspectProduct, keyFileOf } from './inspect.ts';
import { DEFAULT_OUT } from './own-folders.ts';
import { hasErrors, problemsError } from './problems.ts';
import { ANY_RELEASE } from './product-file.ts';
import { type ChosenRelease, chooseRelease, madeAt } from './release-choice.ts';

export interface Folders {
  /** Where packed releases go, absolute; undefined = `dist` beside the product file. */
  readonly out: string | undefined;
  /** The same, but what was packed there before is not looked at, and stays out of the bundle. */
  readonly scratch?: string;
}

export interface Prepared {
  readonly root: string;
  readonly release: ChosenRelease;
  readonly planned: Planned;
  readonly warnings: readonly Problem[];
  /** What the packed release must be. */
  readonly request: PackedRequest;
}

/** Looks at everything and plans the bundle. Throws what is wrong: E_CONFIG with all problems, E_USAGE, E_DIRTY, and what registries say. */
export async function preparePack(context: Context, folders: Folders): Promise<Prepared> {
  const inspection = await inspectProduct(context, folders.out ?? DEFAULT_OUT);
  const { product, root, checkout, worktree } = inspection;
  const signing: Signing = { publicKey: product.release.publicKey ?? null, keyFile: keyFileOf(context) };
  const made = momentOf(madeAt(context.world.env.SOURCE_DATE_EPOCH, worktree?.committed));
  const release = hasErrors(inspection.problems) ? ANY_RELEASE : chooseRelease(context, product, { checkout, made });
  const operator = await observeOperatorProgram(context.file, context.world.env);
  const { table, problems: offline } = await checkOffline(inspection, { release, operator }, context);
  if (hasErrors(offline)) throw problemsError(offline, context);
  await refuseOtherState(inspection, release, context);
  await checkSecretKey(signing, context.world.env);
  const images = await observeProductImages({ table, lock: inspection.lock }, context.world);
  const { items, problems } = assess(inspection, { release, operator, resolved: images });
  const pinned = [...problems, ...checkPlatforms(product, table, images)];
  if (hasErrors(pinned)) throw problemsError(sortProblems(pinned), context);
  const runtimes = await observeRuntimes(context.file, context.world.env);
  const installer = await installerOf(inspection, { release, operator, signing, runtimes }, context);
  const place = placeOf(root, folders);
  const request = {
    folder: join(resolve(root, place), release.tag),
    tag: release.tag,
    product: product.product,
    publicKey: signing.publicKey,
  };
  const packed = await observeUnsealed(request);
  const wanted = { id: context.world.random(8).toString('hex'), ...release, out: place, signing };
  const planned = planPack(wanted, { product, commit: checkout.commit, made, items, images, operator, installer, runtimes, packed });
  const warnings = signing.publicKey === null ? [...offline, unsigned(product)] : offline;
  return { root, release, planned, warnings: sortProblems(warnings), request };
}

interface Making {
  readonly release: ChosenRelease;
  readonly operator: OperatorProgram;
}

async function checkOffline(inspection: Inspection, making: Making, context: Context): Promise<Pick<Assessment, 'table' | 'problems'>> {
  const { product, lock } = inspection;
  const { version, channel } = making.release;
  const demanded = isSet(context.flags, 'locked');
  const { table, problems } = assess(inspection, making);
  const all = sortProblems([
    ...(product.bundle === undefined ? [nothingToPack(product)] : []),
    ...problems,
    ...checkLocked(product, table, { lock, demanded }),
    ...(await checkIgnored(inspection, context)),
    ...(await checkAgainstPrevious(inspection, { channel, below: version }, context)),
  ]);
  return { table, problems: all };
}

/** A release is made of exactly one commit, and of the one that its tag is on. */
async function refuseOtherState({ root, checkout, worktree }: Inspection, { tag }: ChosenRelease, context: Context): Promise<void> {
  if (worktree === undefined || isSet(context.flags, 'snapshot')) return;
  const [first, ...more] = worktree.changes;
  if (first !== undefined) {
    const shown = [first, ...more].slice(0, 10).join(', ');
    throw new ToolError(
      'E_DIRTY',
      `there are changes that are not committed: ${shown}${more.length > 9 ? ` and ${more.length - 9} more` : ''}`,
      {
        hint: 'Commit them (or let git ignore what does not belong to the product), or pack work in progress with --snapshot.',
        details: { changes: worktree.changes.slice(0, 100) },
      },
    );
  }
  const tagged = await observeTag(root, tag, context.world);
  if (tagged === undefined || tagged === checkout.commit) return;
  throw new ToolError('E_USAGE', `${tag} is on the commit ${tagged.slice(0, 12)}, and HEAD is ${checkout.commit?.slice(0, 12)}`, {
    hint: `Check that commit out (git checkout ${tag}), or take the next version.`,
  });
}

async function installerOf(
  { root, product }: Inspection,
  { release, operator, signing, runtimes }: Making & { readonly signing: Signing; readonly runtimes: RuntimeSet | undefined },
  { file, world }: Context,
): Promise<string> {
  const { title, cli } = product;
  const { hosts, publishTo } = product.release;
  const locations = publishTo
    .flatMap((name) => hosts.filter((host) => host.name === name && host.type !== 'oci')) // a shell cannot speak to a registry
    .flatMap((host) => publicLocation(addressOf(host, root)) ?? []);
  const key = signing.publicKey === null ? null : parsePublicKey(signing.publicKey, 'release.publicKey');
  const program = { operator: operator.sha256, operatorSize: operator.size };
  const template = await readInstallerTemplate(file, world.env);
  return renderInstaller(template, {
    product: product.product,
    title,
    cli,
    ...release,
    ...program,
    locations,
    key,
    runtimes: runtimes?.files ?? [],
  });
}

/** Below the root as a relative path, so that plans of the same product read the same. */
function placeOf(root: string, { out, scratch }: Folders): string {
  const folder = scratch ?? out;
  if (folder === undefined) return DEFAULT_OUT;
  const inside = relative(root, folder);
  return inside !== '' && !inside.startsWith('..') ? inside : folder;
}

function nothingToPack({ source }: Product): Problem {
  const hint = 'Add `bundle:` with the compose file of the product.';
  return problemAt(source, { code: 'E_NO_BUNDLE', path: [], message: 'there is no bundle section, so there is nothing to pack', hint });
}

function unsigned({ source }: Product): Problem {
  const hint = 'Make a key pair with `slipway keys new`, and set release.publicKey.';
  return problemAt(source, { code: 'W_UNSIGNED', path: ['release'], message: UNSIGNED, hint });
}
