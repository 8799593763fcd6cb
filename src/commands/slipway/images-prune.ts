// images prune: old builds out of the product's repositories, or off this machine. Rule: everything is looked at and shown before the first is deleted.
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { Event } from '../../model/event.ts';
import { addressOf } from '../../model/host.ts';
import { type ImageHome, type ImageRef, parseImageHome, parseImageRef, printImageRef } from '../../model/image.ts';
import { isBranchPath } from '../../model/namespace.ts';
import { didYouMean } from '../../model/near.ts';
import type { Product } from '../../model/product.ts';
import type { RepositoryFacts, UsedImage } from '../../model/repository-facts.ts';
import { parseDuration } from '../../model/units.ts';
import { observeFoundImages } from '../../observe/local-images.ts';
import { observeDates, observeRepository } from '../../observe/repository-content.ts';
import { observeSelf } from '../../observe/self.ts';
import { observeUsedImages } from '../../observe/used-images.ts';
import { basisOf, type DatedRepository, datesOfTags, oldBuilds, type PrunePolicy, planPrune } from '../../plan/prune.ts';
import { planLocalPrune } from '../../plan/prune-local.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { type Carried, carryOut } from '../carry-out.ts';
import { type CommandResult, type Context, isSet, textFlag, textFlags } from '../command.ts';
import { endEarlier } from './earlier.ts';
import { DEFAULT_OUT } from './own-folders.ts';
import type { ProductFile } from './product-file.ts';

/** Deletes old builds from the registry; with --local from this machine. Throws E_STEP_FAILED naming what could not be deleted. */
export async function pruneImages(context: Context, file: ProductFile): Promise<CommandResult> {
  await endEarlier(file.root, context, 'images prune');
  if (isSet(context.flags, 'local')) return pruneLocally(context, file);
  const { world } = context;
  const policy = policyOf(context);
  const repositories = repositoriesOf(context, file.product);
  const used = await usedImages(context, file);
  const dated: DatedRepository[] = [];
  for (const image of repositories) dated.push(await lookAt(image, { used, file, context }));
  const planned = planPrune({ id: world.random(16).toString('hex'), policy, used }, dated);
  const deleted: Deleted[] = [];
  const report = (event: Event): void => {
    if (event.type === 'deleted') deleted.push(event);
    world.report(event);
  };
  const recheck = async () => basisOf(await Promise.all(repositories.map((image) => observeRepository(image, [], world))));
  const carried = await carryOut(
    planned,
    { ...context, world: { ...world, report } },
    { root: file.root, recheck, operator: await observeSelf(context.file) },
  );
  return resultOf(context, carried, { dated, deleted });
}

type Deleted = Extract<Event, { type: 'deleted' }>;

function policyOf({ flags, world }: Context): PrunePolicy {
  const [keep, age] = [textFlag(flags, 'keep'), textFlag(flags, 'older-than')];
  if (keep === undefined && age === undefined) {
    throw new ToolError('E_USAGE', 'images prune: what may go?', { hint: 'Give --keep N, --older-than 30d, or both.' });
  }
  return { ...amountsOf(keep, age), now: world.now() };
}

function amountsOf(keep: string | undefined, age: string | undefined): { readonly keep: number; readonly olderThan: number | undefined } {
  const olderThan = age === undefined ? undefined : parseDuration(age);
  if (age !== undefined && olderThan === undefined)
    throw new ToolError('E_USAGE', `--older-than ${JSON.stringify(age)}`, { hint: 'Write it as 30d or 12h.' });
  if (keep !== undefined && !/^\d{1,6}$/.test(keep))
    throw new ToolError('E_USAGE', `--keep ${JSON.stringify(keep)}`, { hint: 'Give a whole number.' });
  return { keep: Number(keep ?? 0), olderThan };
}

/** The repositories of own images that are built here; with --repository, those that are named. */
function repositoriesOf({ flags }: Context, product: Product): ImageRef[] {
  const home = homeOf(product);
  const inHome = (repository: string): ImageRef => ({
    registry: home.registry,
    repository: [home.path, repository].filter((part) => part !== '').join('/'),
  });
  const built = Object.entries(product.images.own).filter(([, { build }]) => build !== undefined);
  const named = textFlags(flags, 'repository');
  if (named.length === 0) return built.map(([, { repository }]) => inHome(repository));
  return named.map((word) => {
    const own = built.find(([name, { repository }]) => name === word || repository === word)?.[1];
    if (own !== undefined) return inHome(own.repository);
    const ref = word.includes('/') ? parseImageRef(word, '--repository') : undefined;
    if (ref !== undefined && isOurs(ref, product)) return { registry: ref.registry, repository: ref.repository };
    const names = built.map(([name]) => name);
    throw new ToolError('E_USAGE', `${word} is no repository of this product’s builds`, { hint: didYouMean(word, names, 'There are') });
  });
}

/** True for the repository of an own image, in the product's namespace or in a branch's. */
function isOurs({ registry, repository }: ImageRef, product: Product): boolean {
  const home = homeOf(product);
  if (registry !== home.registry) return false;
  const paths = Object.values(product.images.own).flatMap((image) => {
    const end = home.path === '' ? image.repository : `/${image.repository}`;
    return repository.endsWith(end) ? [repository.slice(0, repository.length - end.length)] : [];
  });
  return paths.some((path) => path === home.path || isBranchPath(home, product.images.branchNamespace, path));
}

function homeOf({ images }: Product): ImageHome {
  if (images.registry !== undefined) return parseImageHome(images.registry, 'images.registry');
  throw new ToolError('E_CONFIG', 'the product has no registry of its own', { hint: 'Set images.registry.' });
}

async function usedImages({ world }: Context, { root, product }: ProductFile): Promise<readonly UsedImage[]> {
  const { release } = product;
  const names = new Set([release.authority, ...release.publishTo]);
  const hosts = release.hosts.filter(({ name, type }) => names.has(name) && type !== 'git').map((host) => addressOf(host, root));
  const publicKey = release.publicKey ?? null;
  const request = {
    root,
    packed: join(root, DEFAULT_OUT),
    hosts,
    product: product.product,
    publicKey,
    channels: Object.keys(release.channels),
  };
  return observeUsedImages(request, world);
}

interface Looking {
  readonly used: readonly UsedImage[];
  readonly file: ProductFile;
  readonly context: Context;
}

async function lookAt(image: ImageRef, { used, file: { product }, context: { world } }: Looking): Promise<DatedRepository> {
  const also = used.filter(({ repository }) => repository === image.repository).map(({ digest }) => digest);
  const facts: RepositoryFacts = await observeRepository(image, [...new Set(also)], world);
  const builds = oldBuilds(facts, product, used);
  const said = datesOfTags(builds, product);
  const open = builds.flatMap(({ digest }) => (said.has(digest) ? [] : [digest]));
  return { facts, builds, dates: new Map([...(await observeDates(image, open, world)), ...said]) };
}

interface Pruned {
  readonly dated: readonly DatedRepository[];
  readonly deleted: readonly Deleted[];
}

function resultOf({ flags, world }: Context, carried: Carried, { dated, deleted }: Pruned): CommandResult {
  const repositories = dated.map(({ facts }) => {
    const own = deleted.filter(({ image }) => printImageRef(image) === printImageRef(facts.image));
    const row = ({ digest, tags, error }: Deleted) => ({ digest, tags, error });
    return {
      repository: printImageRef(facts.image),
      tags: facts.tags.size,
      deleted: own.filter(({ error }) => error === null).map(row),
      failed: own.filter(({ error }) => error !== null).map(row),
    };
  });
  if (carried.outcome === 'planned') return planResult(flags, carried, { repositories });
  const text = repositories
    .map(
      ({ repository, deleted: gone, failed }) =>
        `${repository}: ${gone.length} deleted${failed.length === 0 ? '' : `, ${failed.length} not`}\n`,
    )
    .join('');
  if (carried.outcome === 'nothing') return { fields: { repositories }, text: 'nothing to delete\n' };
  if (!('cause' in carried) || carried.cause === undefined) return { fields: { repositories }, text };
  world.terminal.err(text);
  const { cause } = carried;
  if (!(cause instanceof ToolError)) throw cause;
  throw new ToolError(cause.code, cause.message, {
    cause,
    ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    details: { repositories },
  });
}

function planResult(flags: Context['flags'], { plan }: Carried, fields: Readonly<Record<string, unknown>>): CommandResult {
  const exit = isSet(flags, 'exit-code') && plan.steps.length > 0 ? { exit: 4 } : {};
  return { fields: { ...fields, plan: planToJson(plan) }, text: planToText(plan), ...exit };
}

async function pruneLocally(context: Context, { root, product }: ProductFile): Promise<CommandResult> {
  const { world, flags } = context;
  const amounts = amountsOf(textFlag(flags, 'keep'), textFlag(flags, 'older-than'));
  const home = homeOf(product);
  const mirrored = product.images.thirdParty.map(({ name }) => [home.path, name].filter((part) => part !== '').join('/'));
  const ours = (name: string): boolean => {
    const ref = parseImageRef(name, 'docker image ls');
    return isOurs(ref, product) || (ref.registry === home.registry && mirrored.includes(ref.repository));
  };
  const policy = { ...amounts, id: world.random(16).toString('hex'), now: world.now(), isOurs: ours };
  const planned = planLocalPrune(await observeFoundImages(root, world), policy);
  const carried = await carryOut(planned, context, { root, operator: await observeSelf(context.file) });
  const [step] = planned.plan.steps;
  const images = step?.kind === 'remove-images' ? step.local : [];
  if (carried.outcome === 'planned') return planResult(flags, carried, { images });
  if ('cause' in carried && carried.cause !== undefined) throw carried.cause;
  return { fields: { images }, text: images.length === 0 ? 'nothing to remove\n' : images.map((name) => `removed  ${name}\n`).join('') };
}
