// images alias: further tags, or another repository, for an image that is there. Rule: nothing is built, and it is the same bytes everywhere.
import { ToolError } from '../../model/error.ts';
import { type ImageRef, parseImageHome, parseImageRef, pinImage, printImageRef } from '../../model/image.ts';
import type { MirrorCopy } from '../../model/mirror.ts';
import { didYouMean } from '../../model/near.ts';
import type { Product } from '../../model/product.ts';
import { versionOfTag } from '../../model/tag.ts';
import { observeDigests } from '../../observe/image-tags.ts';
import { observeMirror } from '../../observe/mirror.ts';
import { observeSelf } from '../../observe/self.ts';
import { isBeside, planAlias } from '../../plan/alias.ts';
import { planToJson, planToText } from '../../show/plan.ts';
import { carryOut } from '../carry-out.ts';
import { type CommandResult, type Context, isSet } from '../command.ts';
import { endEarlier } from './earlier.ts';
import type { ProductFile } from './product-file.ts';

/** `images alias api:1.5.0 stable tools:1.5.0 registry.example/acme/api:1.5.0`. */
export async function aliasImage(context: Context, { product, root }: ProductFile, words: readonly string[]): Promise<CommandResult> {
  const { world, flags } = context;
  const [from, ...to] = words;
  if (from === undefined || to.length === 0) {
    throw new ToolError('E_USAGE', 'images alias needs an image and its further names', {
      hint: 'For example: images alias api:1.5.0 stable',
    });
  }
  await endEarlier(root, context, 'images alias');
  const { name, image: source } = sourceOf(from, product);
  const images = to.map((word) => targetOf(word, source, product));
  const [digest, ...there] = await observeDigests([source, ...images], world);
  if (digest === undefined)
    throw new ToolError('E_NOT_FOUND', `${printImageRef(source)} does not exist`, { hint: 'Push it first, or correct its tag.' });
  const elsewhere = images.filter((image, index) => !isBeside(image, source) && there[index] !== digest);
  const look = { deep: false, signatures: true };
  const [observed] = elsewhere.length === 0 ? [] : await observeMirror([copyOf(name, pinImage(source, digest), elsewhere)], look, world);
  if (observed?.error) throw observed.error;
  const isVersion = (tag: string): boolean => versionOfTag(product.images.own[name]?.tag ?? '', tag) !== undefined;
  const targets = images.map((image, index) => ({ image, there: there[index] }));
  const planned = planAlias({
    id: world.random(16).toString('hex'),
    name,
    source,
    digest,
    targets,
    copies: observed?.images ?? [],
    isVersion,
  });
  const carried = await carryOut(planned, context, { root, operator: await observeSelf(context.file) });
  const rows = targets.map((target) => ({
    reference: printImageRef(target.image),
    digest,
    outcome: target.there === digest ? 'present' : 'aliased',
  }));
  const fields = { source: printImageRef(source), digest, images: rows };
  if (carried.outcome === 'planned') {
    const exit = isSet(flags, 'exit-code') && planned.plan.steps.length > 0 ? { exit: 4 } : {};
    return { fields: { ...fields, plan: planToJson(planned.plan) }, text: planToText(planned.plan), ...exit };
  }
  if ('cause' in carried && carried.cause !== undefined) throw carried.cause;
  return { fields, text: rows.map(({ reference, outcome }) => `${outcome}  ${reference}  ${digest.slice(0, 19)}\n`).join('') };
}

/** `NAME:TAG` or `NAME@sha256:…` of an own image, or a whole name with a registry. */
function sourceOf(word: string, product: Product): { readonly name: string; readonly image: ImageRef } {
  const [name = ''] = word.split(/[:@]/);
  const { own } = product.images;
  const image = word.includes('/')
    ? parseWord(word)
    : Object.hasOwn(own, name)
      ? inRegistry(`${own[name]?.repository}${word.slice(name.length)}`, product)
      : undefined;
  if (image === undefined) {
    throw new ToolError('E_USAGE', `there is no own image ${JSON.stringify(name)}`, {
      hint: didYouMean(name, Object.keys(own), 'There are'),
    });
  }
  if (image.tag !== undefined || image.digest !== undefined) return { name: word.includes('/') ? printImageRef(image) : name, image };
  throw new ToolError('E_USAGE', `${word}: which tag?`, { hint: `Write ${word}:TAG or ${word}@sha256:…` });
}

/** A tag beside the source, `REPOSITORY:TAG` beside the product's images, or a whole name with a registry. */
function targetOf(word: string, { registry, repository }: ImageRef, product: Product): ImageRef {
  const isTag = !/[:/]/.test(word);
  const image = isTag
    ? parseWord(`${printImageRef({ registry, repository })}:${word}`)
    : word.includes('/')
      ? parseWord(word)
      : inRegistry(word, product);
  if (image.tag !== undefined && image.digest === undefined) return image;
  throw new ToolError('E_USAGE', `${word}: a further name has a tag, and no digest`, { hint: 'For example: stable, or tools:1.5.0.' });
}

function inRegistry(word: string, { images }: Product): ImageRef {
  const { registry, path } = parseImageHome(images.registry, 'images.registry');
  return parseWord([registry, path, word].filter((part) => part !== '').join('/'));
}

function parseWord(word: string): ImageRef {
  try {
    return parseImageRef(word, 'images alias');
  } catch (cause) {
    throw cause instanceof ToolError ? new ToolError('E_USAGE', cause.message, { cause, ...(cause.hint && { hint: cause.hint }) }) : cause;
  }
}

function copyOf(name: string, source: ImageRef, destinations: readonly ImageRef[]): MirrorCopy {
  return { entry: { name, group: 'alias', path: [], source, rules: [], destinations }, source, destinations };
}
