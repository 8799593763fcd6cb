// images: the product's one table of images, and what each verb does with it. Rule: the table is checked before any verb; the lock is one local file, written at once.
import { join } from 'node:path';
import { writeDurably } from '../../apply/durable.ts';
import { ToolError } from '../../model/error.ts';
import { printTagged, type ResolvedImage } from '../../model/image.ts';
import { imageTable, type TableImage } from '../../model/image-table.ts';
import { LOCK_FILE_NAME, printLockFile } from '../../model/lock-file.ts';
import { didYouMean } from '../../model/near.ts';
import { momentOf } from '../../model/parse.ts';
import { observeProductImages, readLockFile } from '../../observe/product-images.ts';
import { checkProduct } from '../../plan/check.ts';
import { checkReferenceNames } from '../../plan/image-check.ts';
import { type LockChange, planLock } from '../../plan/lock.ts';
import { CHANGING_FLAGS, type Command, type CommandResult, type Context, isPlanOnly, isSet } from '../command.ts';
import { BUILD_FLAGS, MIRROR_FLAGS, PRUNE_FLAGS, VERIFY_FLAGS } from './images-flags.ts';
import { listImages } from './images-list.ts';
import { hasErrors, problemsError } from './problems.ts';
import { ANY_RELEASE, PRODUCT_FLAGS, type ProductFile, readProductFile } from './product-file.ts';

/** Verbs, and whether words may follow them. */
const VERBS = ['list', 'lock', 'build', 'push', 'verify-tags', 'alias', 'prune', 'mirror', 'outdated'] as const;
const TAKES_NAMES: readonly string[] = ['build', 'push', 'verify-tags', 'alias'];

export const images: Command = {
  name: 'images',
  summary: 'the images of a product: list, lock, build and push, mirror, see what is newer',
  usage: 'list | lock | build [NAME…] | push [NAME…] | verify-tags --tag T [NAME…] | alias NAME:TAG TAG… | prune | mirror | outdated',
  flags: { ...MIRROR_FLAGS, ...BUILD_FLAGS, ...VERIFY_FLAGS, ...PRUNE_FLAGS, ...PRODUCT_FLAGS, ...CHANGING_FLAGS },
  run: async (context) => {
    const [verb = '', ...names] = context.positionals;
    const [extra] = names;
    if (extra !== undefined && !TAKES_NAMES.includes(verb))
      throw new ToolError('E_USAGE', `unexpected argument ${JSON.stringify(extra)}`, { hint: `One verb: ${VERBS.join(', ')}.` });
    const file = await readProductFile(context);
    const table = tableOf(file, context);
    if (verb === 'list') return listImages(file);
    if (verb === 'lock') return lockImages(context, file, table);
    if (verb === 'build') return (await import('./images-build.ts')).buildImages(context, file, names);
    if (verb === 'push') {
      const pushing = { ...context, flags: { ...context.flags, push: true } };
      return (await import('./images-build.ts')).buildImages(pushing, file, names);
    }
    if (verb === 'verify-tags') return (await import('./images-verify.ts')).verifyTags(context, file, names);
    if (verb === 'alias') return (await import('./images-alias.ts')).aliasImage(context, file, names);
    if (verb === 'prune') return (await import('./images-prune.ts')).pruneImages(context, file);
    if (verb === 'mirror') return (await import('./images-mirror.ts')).mirrorImages(context, file);
    if (verb === 'outdated') return (await import('./images-outdated.ts')).outdatedImages(context, file);
    throw new ToolError('E_USAGE', verb === '' ? `images: ${VERBS.join(', ')}?` : `images: there is no ${JSON.stringify(verb)}`, {
      hint: didYouMean(verb, VERBS, 'There are'),
    });
  },
};

/** The table; throws E_CONFIG with everything that is wrong with it. */
function tableOf({ product }: ProductFile, context: Context): TableImage[] {
  const table = imageTable(product, ANY_RELEASE.version);
  const problems = [...checkProduct(product, {}), ...checkReferenceNames(product, table)].filter(({ path = '' }) =>
    path.startsWith('images'),
  );
  if (hasErrors(problems)) throw problemsError(problems, context);
  return table;
}

async function lockImages(context: Context, { root }: ProductFile, table: readonly TableImage[]): Promise<CommandResult> {
  const previous = await readLockFile(root, LOCK_FILE_NAME);
  const wanted = table.filter(({ kind }) => kind === 'third-party');
  const resolved = await observeProductImages({ table: wanted, lock: previous, fresh: true }, context.world);
  const { lock, changes } = planLock({ previous, resolved, moment: momentOf(context.world.now()) });
  const fields = { images: resolved.map(imageField) };
  if (changes.length === 0) return { fields, text: `${LOCK_FILE_NAME} is up to date: ${wanted.length} images\n` };
  const text = changes.map(changeText).join('');
  if (isPlanOnly(context)) {
    const step = { kind: 'write-file', why: `${changes.length} digests are written down`, path: LOCK_FILE_NAME };
    return { fields: { ...fields, plan: { command: 'images lock', steps: [step], notes: [] } }, text, ...exitOf(context) };
  }
  await writeDurably(join(root, LOCK_FILE_NAME), printLockFile(lock), 0o644);
  return { fields, text: `${text}${LOCK_FILE_NAME} is written; commit it\n` };
}

function exitOf({ flags }: Context): { exit?: number } {
  return isSet(flags, 'exit-code') ? { exit: 4 } : {};
}

function imageField({ name, reference, digest, platforms, size }: ResolvedImage): Readonly<Record<string, unknown>> {
  return { name, reference: printTagged(reference), digest, platforms, size };
}

function changeText({ name, before, after }: LockChange): string {
  const part = (side: LockChange['before']): string => (side === undefined ? 'nothing' : `${side.reference} ${side.digest.slice(0, 19)}`);
  return `${name}: ${part(before)} -> ${part(after)}\n`;
}
