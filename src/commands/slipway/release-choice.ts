// Which release is packed. Rule: named by the person or by the tag on HEAD, never guessed; work in progress is a snapshot and says so.
import { ToolError } from '../../model/error.ts';
import type { Product } from '../../model/product.ts';
import { SNAPSHOT_CHANNEL, snapshotVersion } from '../../model/snapshot.ts';
import { channelOf, isOfGrammar, type TagGrammar, tagOf, versionOfTag } from '../../model/tag.ts';
import { parseVersion, type Version } from '../../model/version.ts';
import type { Checkout } from '../../observe/checkout.ts';
import { type Context, type FlagTable, isSet, textFlag } from '../command.ts';
import { chooseTag } from './product-file.ts';

export const RELEASE_FLAGS = {
  tag: { type: 'string', value: 'TAG', help: 'the release (default: the tag on HEAD)' },
  version: { type: 'string', value: 'V', help: 'the same, as a version' },
  snapshot: { type: 'boolean', help: 'work in progress: uncommitted changes are packed, and it cannot be published' },
} as const satisfies FlagTable;

export interface ChosenRelease {
  readonly version: Version;
  readonly tag: string;
  readonly channel: string;
}

/** The release of --tag, --version or the tag on HEAD; with --snapshot a version of its own. Throws E_USAGE. `made` is a moment in RFC 3339. */
export function chooseRelease(context: Context, product: Product, { checkout, made }: { checkout: Checkout; made: string }): ChosenRelease {
  const pattern = product.release.tag;
  const given = givenVersion(context, product.release);
  if (isSet(context.flags, 'snapshot')) {
    const version = snapshotVersion(given, made);
    return { version, tag: tagOf(pattern, version), channel: SNAPSHOT_CHANNEL };
  }
  const { version, tag } = given === undefined ? chooseTag(context, product, checkout) : { version: given, tag: tagOf(pattern, given) };
  const channel = channelOf(product.release.channels, version);
  if (channel !== undefined) return { version, tag, channel };
  throw new ToolError('E_USAGE', `no channel takes ${version}`, {
    hint: 'Declare one under release.channels, with `prerelease: NAME` for X.Y.Z-NAME.N.',
  });
}

/** When the release counts as made: $SOURCE_DATE_EPOCH, else the commit's time, else 1980. Throws E_USAGE for what is no such number. */
export function madeAt(epoch: string | undefined, committed: number | undefined): Date {
  if (epoch === undefined || epoch === '') return new Date((committed ?? Date.UTC(1980, 0, 1) / 1000) * 1000);
  if (/^\d{1,11}$/.test(epoch)) return new Date(Number(epoch) * 1000);
  throw new ToolError('E_USAGE', `SOURCE_DATE_EPOCH is ${JSON.stringify(epoch)}`, {
    hint: 'It is a number of seconds since 1970, or unset.',
  });
}

function givenVersion(context: Context, grammar: TagGrammar): Version | undefined {
  const { tag: pattern } = grammar;
  const tag = textFlag(context.flags, 'tag');
  const named = textFlag(context.flags, 'version');
  if (named === undefined) return tag === undefined ? undefined : versionOfGiven(tag, grammar);
  const version = parseGiven(named, grammar);
  if (tag === undefined || tag === tagOf(pattern, version)) return version;
  throw new ToolError('E_USAGE', `${tag} is not the tag of ${version}`, {
    hint: `That is ${tagOf(pattern, version)}; give one of the two.`,
  });
}

function versionOfGiven(tag: string, grammar: TagGrammar): Version {
  const version = versionOfTag(grammar, tag);
  if (version !== undefined) return version;
  throw new ToolError('E_USAGE', `${tag} is not a tag of the form ${grammar.tag}`, { hint: 'See `release.tag` in the product file.' });
}

function parseGiven(text: string, { versions }: TagGrammar): Version {
  try {
    const version = parseVersion(text, '--version');
    if (isOfGrammar(versions, version)) return version;
    throw new ToolError('E_FORMAT', `${text} is not a version of this product, which are ${versions}`, {
      hint: 'Write it as MAJOR.SEQ.YYYYMMDD.',
    });
  } catch (cause) {
    if (!(cause instanceof ToolError)) throw cause;
    throw new ToolError('E_USAGE', cause.message, { cause, hint: cause.hint ?? 'Write it as X.Y.Z.' });
  }
}
