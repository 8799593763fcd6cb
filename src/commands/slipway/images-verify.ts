// images verify-tags: every own image carries a tag. Rule: reads only, by HEAD; everything that is missing is named at once.
import { ToolError } from '../../model/error.ts';
import { type ImageRef, parseImageRef, printImageRef } from '../../model/image.ts';
import { didYouMean } from '../../model/near.ts';
import type { OwnImage, Product } from '../../model/product.ts';
import type { World } from '../../model/seams.ts';
import { VERSION_PLACE } from '../../model/tag.ts';
import { observeDigests } from '../../observe/image-tags.ts';
import { columnsToText } from '../../show/columns.ts';
import { type CommandResult, type Context, textFlags } from '../command.ts';
import type { ProductFile } from './product-file.ts';

/** Those of the names that are not this digest. */
export async function checkTags(names: readonly string[], digest: string, world: World): Promise<string[]> {
  const found = await observeDigests(
    names.map((name) => parseImageRef(name, 'tag')),
    world,
  );
  return names.filter((_, index) => found[index] !== digest);
}

/** Throws E_NOT_FOUND naming every image that lacks a tag. */
export async function verifyTags({ flags, world }: Context, { product }: ProductFile, names: readonly string[]): Promise<CommandResult> {
  const tags = textFlags(flags, 'tag');
  if (tags.length === 0) throw new ToolError('E_USAGE', 'verify-tags needs --tag', { hint: 'For example --tag 1.5.0 --tag latest.' });
  const wanted = imagesOf(product, names).flatMap(([name, image]) => tags.map((tag) => ({ name, tag, ref: refOf(product, image, tag) })));
  const digests = await observeDigests(
    wanted.map(({ ref }) => ref),
    world,
  );
  const images = wanted.map(({ name, tag, ref }, index) => ({ name, tag, reference: printImageRef(ref), digest: digests[index] ?? null }));
  const missing = images.filter(({ digest }) => digest === null);
  const text = columnsToText(images.map(({ reference, digest }) => [reference, digest ?? 'is not there']));
  if (missing.length === 0) return { fields: { images }, text };
  world.terminal.err(text);
  const list = missing.map(({ reference }) => reference).join(', ');
  throw new ToolError('E_NOT_FOUND', `${missing.length} of ${images.length} tags are not there: ${list}`, {
    hint: 'Build and push what is missing: `slipway images build --push NAME`.',
    details: { images },
  });
}

/** Those that were named; else all whose tag follows a version, but for those that are built only when named. */
function imagesOf({ images }: Product, names: readonly string[]): [string, OwnImage][] {
  const known = Object.keys(images.own);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new ToolError('E_USAGE', `there is no own image ${JSON.stringify(unknown)}`, { hint: didYouMean(unknown, known, 'There are') });
  }
  return Object.entries(images.own).filter(([name, { tag, optIn }]) =>
    names.length > 0 ? names.includes(name) : tag.includes(VERSION_PLACE) && !optIn,
  );
}

function refOf({ images }: Product, { repository }: OwnImage, tag: string): ImageRef {
  return parseImageRef(`${images.registry}/${repository}:${tag}`, '--tag');
}
