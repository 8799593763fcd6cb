// The tags that a build pushes. Rule: what floats only goes forward, and no tag is taken from another event's builds.
import type { TaggedEvent } from '../model/build-rules.ts';
import { ToolError } from '../model/error.ts';
import type { Product } from '../model/product.ts';
import { channelOf, VERSION_PLACE, versionOfTag } from '../model/tag.ts';
import { isFloating, isMadeBy, renderTag, rulesFor, type TagFacts } from '../model/tag-rule.ts';
import { compareVersions, isPrerelease, type Version } from '../model/version.ts';

export interface TagsWish {
  readonly product: Product;
  readonly name: string;
  readonly event: TaggedEvent;
  readonly facts: TagFacts;
  /** The tags that its repository has; undefined when nothing is pushed, and nobody looked. */
  readonly listed: readonly string[] | undefined;
}

export interface DecidedTags {
  /** Each once; for a release the one of the version first. */
  readonly tags: readonly string[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

/** Throws E_USAGE for a rule that nobody gave what it needs, and E_CONFLICT for a tag of another event's builds. */
export function decideTags(wish: TagsWish): DecidedTags {
  const rules = rulesOf(wish);
  const notes: string[] = [];
  const tags = new Set<string>();
  for (const rule of rules) {
    const tag = renderTag(rule, wish.facts);
    if (tag === undefined) {
      if (wish.listed !== undefined) throw unknownValue(rule, wish);
      notes.push(`${wish.name}: no tag ${rule}, for what it needs is not known here`);
      continue;
    }
    const newer = wish.event === 'release' && isFloating(rule) ? newerRelease(rule, tag, wish) : undefined;
    if (newer === undefined) tags.add(tag);
    else notes.push(`${wish.name}: ${tag} stays where it is, for ${newer} is newer`);
  }
  refuseCrossing([...tags], wish);
  return { tags: [...tags], notes };
}

/** The tag that stands for an image's version: it is written once. */
export function versionTagOf({ product, name, facts }: Pick<TagsWish, 'product' | 'name' | 'facts'>): string | undefined {
  return renderTag(product.images.own[name]?.tag ?? VERSION_PLACE, facts);
}

function rulesOf({ product, name, event, facts }: TagsWish): readonly string[] {
  const { tags } = product.images;
  if (event !== 'release') return tags[event];
  const { version } = facts;
  if (version === undefined) return [];
  const channel = product.images.own[name]?.release === undefined ? channelOf(product.release.channels, version) : undefined;
  const { promoteFrom, float = [] } = product.release.channels[channel ?? ''] ?? {};
  const floats = promoteFrom === undefined ? float : []; // those are moved by `promote`
  return [product.images.own[name]?.tag ?? VERSION_PLACE, ...rulesFor(tags.release, version), ...floats];
}

/** A release that has the same floating tag by right: among those of its line it is newer. A prerelease's channel floats among its own kind. */
function newerRelease(rule: string, tag: string, { product, name, facts, listed = [] }: TagsWish): Version | undefined {
  const pattern = product.images.own[name]?.tag ?? VERSION_PLACE;
  const { version } = facts;
  if (version === undefined) return undefined;
  const alike = (other: Version): boolean =>
    isPrerelease(other) === isPrerelease(version) && renderTag(rule, { ...facts, version: other }) === tag;
  return listed
    .flatMap((each) => versionOfTag(pattern, each) ?? [])
    .filter((other) => alike(other) && compareVersions(other, version) > 0)
    .sort((a, b) => compareVersions(b, a))[0];
}

/** `1.{run}` at run 5 is `{major}.{minor}` of 1.5.0: whoever comes second is refused. */
function refuseCrossing(tags: readonly string[], { product, name, event, facts, listed = [] }: TagsWish): void {
  if (event === 'branch') return;
  const other = event === 'main' ? 'release' : 'main';
  const pattern = product.images.own[name]?.tag ?? VERSION_PLACE;
  const versions = listed.flatMap((each) => versionOfTag(pattern, each) ?? []);
  for (const tag of tags) {
    const rule = product.images.tags[other].find((each) => each.includes('{') && isMadeBy(each, tag));
    if (rule === undefined || !listed.includes(tag)) continue;
    const releases = product.images.tags.release;
    const owner = versions.find((version) => releases.some((each) => renderTag(each, { ...facts, version }) === tag));
    if (event === 'main' ? owner === undefined : owner !== undefined) continue;
    const whose = event === 'main' ? `release ${owner}` : `a push to the main branch, by ${rule}`;
    throw new ToolError('E_CONFLICT', `${name}:${tag} is the tag of ${whose}; nothing was built`, {
      hint: 'Change one of the two rules in images.tags so that they never meet, such as build-{run}.',
      details: { name, tag, rule },
    });
  }
}

function unknownValue(rule: string, { event, facts }: TagsWish): ToolError {
  const missing = rule.includes('{run}') && facts.run === undefined ? 'the number of the run' : 'the commit';
  return new ToolError('E_USAGE', `images.tags.${event}: ${rule} needs ${missing}, which is not known here`, {
    hint: missing === 'the commit' ? 'Build in a git checkout with a commit.' : 'Give --run N; in CI it is taken from GITHUB_RUN_NUMBER.',
  });
}
