// notes: what a release tells the people who run it. Rule: reads only; prints what `publish` puts on the release page.
import { join } from 'node:path';
import { ToolError } from '../../model/error.ts';
import type { Manifest } from '../../model/manifest.ts';
import { tagOf, versionOfTag } from '../../model/tag.ts';
import type { Version } from '../../model/version.ts';
import { observeCheckout } from '../../observe/checkout.ts';
import { observeNotes } from '../../observe/notes.ts';
import { observePacked } from '../../observe/published.ts';
import { observeBase } from '../../observe/release-tags.ts';
import { planNotes } from '../../plan/notes.ts';
import { type Command, type Context, refusePositionals, textFlag } from '../command.ts';
import { usableVersion } from './given-version.ts';
import { NOTES_FLAGS, previousManifest, withoutNotes } from './previous-release.ts';
import { hasErrors, problemsError } from './problems.ts';
import { PRODUCT_FLAGS, type ProductFile, readProductFile } from './product-file.ts';

export const notes: Command = {
  name: 'notes',
  summary: 'the notes of a release',
  flags: {
    version: { type: 'string', value: 'V', help: 'the release (default: the tag on HEAD, else the version of release.base)' },
    tag: { type: 'string', value: 'TAG', help: 'the same, as a tag' },
    ...NOTES_FLAGS,
    ...PRODUCT_FLAGS,
  },
  run: async (context) => {
    refusePositionals(context);
    const file = await readProductFile(context);
    const { product, root } = file;
    const version = await chooseVersion(context, file);
    const tag = tagOf(product.release.tag, version);
    const texts = await observeNotes(root, product.release.notes, version);
    const manifest = await packedManifest(file, tag);
    const previous = manifest === undefined ? undefined : await previousManifest(context, file, manifest, version);
    if (manifest === undefined) {
      context.world.report({ type: 'note', text: `${tag} is not packed, so what changed since the release before is not shown.` });
    }
    const { markdown, problems, changes } = planNotes(product, texts, { version, manifest, previous, ...withoutNotes(context) });
    if (hasErrors(problems)) throw problemsError(problems, context);
    return { fields: { version, tag, notes: markdown, since: previous?.version ?? null, changes, problems }, text: markdown };
  },
};

/** --version or --tag, else the one tag on HEAD, else what `release.base` says. */
async function chooseVersion(context: Context, { product, root }: ProductFile): Promise<Version> {
  const { release } = product;
  const named = textFlag(context.flags, 'version');
  const tag = textFlag(context.flags, 'tag');
  const given = named === undefined ? undefined : usableVersion(named);
  const ofTag = tag === undefined ? given : versionOfTag(release, tag);
  if (ofTag !== undefined && (given === undefined || given === ofTag)) return ofTag;
  if (tag !== undefined) {
    throw new ToolError('E_USAGE', `${tag} is not the tag of ${given ?? 'a version'} (${release.tag})`, {
      hint: 'See `release.tag` in the product file.',
    });
  }
  const { tags } = await observeCheckout(root, context.world);
  const [only, second] = tags.flatMap((each) => versionOfTag(release, each) ?? []);
  const version = only === undefined ? (await observeBase(root, release.base))?.version : second === undefined ? only : undefined;
  if (version !== undefined) return version;
  throw new ToolError('E_USAGE', 'which version?', { hint: 'Give --version V or --tag TAG.' });
}

async function packedManifest({ product, root }: ProductFile, tag: string): Promise<Manifest | undefined> {
  const publicKey = product.release.publicKey ?? null;
  return (await observePacked({ folder: join(root, 'dist', tag), tag, product: product.product, publicKey }))?.manifest;
}
