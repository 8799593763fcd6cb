// images outdated: newer tags upstream, and tags that became other images. Rule: changes nothing; one registry that fails stops no other, and the exit code tells.
import { ToolError } from '../../model/error.ts';
import { printImageRef } from '../../model/image.ts';
import { LOCK_FILE_NAME } from '../../model/lock-file.ts';
import { readLockFile } from '../../observe/product-images.ts';
import { observeUpstreamTags, type UpstreamTags } from '../../observe/upstream-tags.ts';
import { standingOfTag, type UsedTag, usedTags } from '../../plan/outdated.ts';
import { isNewer, type OutdatedImage, outdatedToText } from '../../show/images.ts';
import { type CommandResult, type Context, isSet } from '../command.ts';
import type { ProductFile } from './product-file.ts';

/** Asks upstream about every tag that is written. Throws the first registry's error, with all rows in its details, when one could not be asked. */
export async function outdatedImages(context: Context, { product, root }: ProductFile): Promise<CommandResult> {
  const lock = await readLockFile(root, LOCK_FILE_NAME);
  const used = usedTags(product, lock);
  const answers = await observeUpstreamTags(
    used.map(({ source }) => source),
    context.world,
  );
  const images = used.map((tag, index) => outdatedImage(tag, answers[index] as UpstreamTags));
  const text = outdatedToText(images);
  const failed = answers.flatMap((answer) => (answer.kind === 'failed' ? [answer.error] : []));
  if (failed[0] !== undefined) {
    context.world.terminal.err(text);
    throw couldNotAsk(failed, failed[0], images);
  }
  const somethingNew = images.some((image) => isNewer(image) || image.drifted || image.digest === null);
  return { fields: { images }, text, ...(isSet(context.flags, 'exit-code') && somethingNew ? { exit: 4 } : {}) };
}

function outdatedImage({ name, group, source, tag, locked }: UsedTag, answer: UpstreamTags): OutdatedImage {
  const row = { name, group, source: printImageRef(source), current: tag, locked: locked ?? null };
  if (answer.kind === 'failed') {
    const { code, message } = answer.error;
    return { ...row, newest: null, change: null, digest: null, drifted: false, error: { code, message } };
  }
  const { tags, digest = null } = answer;
  const drifted = locked !== undefined && digest !== null && locked !== digest;
  return { ...row, ...standingOfTag(tag, tags), digest, drifted, error: null };
}

function couldNotAsk(failed: readonly ToolError[], first: ToolError, images: readonly OutdatedImage[]): ToolError {
  const message = failed.length === 1 ? first.message : `${failed.length} images could not be looked at; the first: ${first.message}`;
  return new ToolError(first.code, message, {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    cause: first,
    details: { images },
  });
}
