// Tags, channels and notes of a product file. Rule: every tag and every version has one meaning, whoever reads it.
import { didYouMean } from '../model/near.ts';
import type { Path, ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { type ChannelRule, channelsIncluding, type TagGrammar, tagOf, versionOfTag } from '../model/tag.ts';
import { parseVersion, rangesOverlap, type Version } from '../model/version.ts';

/** What `release` says against itself. */
export function checkRelease(product: Product): ProblemText[] {
  return [...checkTagRules(product), ...checkDated(product), ...checkChannels(product), ...checkNotes(product)];
}

interface TagRule {
  readonly path: Path;
  readonly grammar: TagGrammar;
  /** Whose versions the tags are: the product's, or those of one image. */
  readonly owner: string;
}

/** Versions that show every way in which two patterns can read one tag. */
const SAMPLES: readonly Version[] = ['1.2.3', '1.2.3-name.4', '2.35.20260315'].map((text) => parseVersion(text));

/** Two rules that read the same tag: as different versions, or as versions of different things. */
function checkTagRules(product: Product): ProblemText[] {
  const rules = tagRules(product);
  return rules.flatMap((rule, index) => {
    const found = rules.slice(0, index).map((earlier) => collision(earlier, rule));
    return found.find((problem) => problem !== undefined) ?? [];
  });
}

function tagRules({ product, release, images }: Product): TagRule[] {
  const former = release.formerTags.map((grammar, index): TagRule => ({ path: ['release', 'formerTags', index], grammar, owner: product }));
  const own = Object.entries(images.own).flatMap(([name, image]): TagRule[] => {
    const grammar = image.release === undefined ? undefined : { tag: image.release, versions: 'semver' as const };
    return grammar === undefined ? [] : [{ path: ['images', 'own', name, 'release'], grammar, owner: `the image ${name}` }];
  });
  return [{ path: ['release', 'tag'], grammar: release, owner: product }, ...former, ...own];
}

function collision(earlier: TagRule, rule: TagRule): ProblemText | undefined {
  const { path, grammar, owner } = rule;
  const at = earlier.path.join('.');
  if (owner === earlier.owner && grammar.tag === earlier.grammar.tag && grammar.versions === earlier.grammar.versions) {
    const message = `${grammar.tag} is there already as ${at}`;
    return { code: 'E_TAG_COLLISION', path, message, hint: 'Remove one of the two.' };
  }
  const shared = sharedTag(earlier, rule);
  if (shared === undefined) return undefined;
  const message = `${shared.tag} would be ${shared.first} of ${earlier.owner} by ${at}, and ${shared.second} of ${owner} by ${path.join('.')}`;
  return { code: 'E_TAG_COLLISION', path, message, hint: 'Give one of them another prefix, such as api-v{version}.' };
}

/** A tag that both rules read, and not as the same version of the same thing. */
function sharedTag(
  earlier: TagRule,
  rule: TagRule,
): { readonly tag: string; readonly first: Version; readonly second: Version } | undefined {
  const tags = [earlier, rule].flatMap(({ grammar }) => SAMPLES.map((version) => tagOf(grammar.tag, version)));
  for (const tag of tags) {
    const first = versionOfTag(earlier.grammar, tag);
    const second = versionOfTag(rule.grammar, tag);
    if (first === undefined || second === undefined) continue;
    if (first !== second || earlier.owner !== rule.owner) return { tag, first, second };
  }
  return undefined;
}

/** A dated version has no prerelease part. */
function checkDated({ release }: Product): ProblemText[] {
  if (release.versions !== 'dated') return [];
  return Object.entries(release.channels).flatMap(([name, { prerelease }]): ProblemText[] => {
    if (prerelease === undefined) return [];
    const message = `release.channels.${name}: dated versions have no prerelease part, so none is ever -${prerelease}.N`;
    const path = ['release', 'channels', name, 'prerelease'];
    return [{ code: 'E_CHANNEL', path, message, hint: 'Remove the channel, or use `versions: semver`.' }];
  });
}

function checkChannels({ release }: Product): ProblemText[] {
  const channels = Object.entries(release.channels);
  const names = Object.keys(release.channels);
  return channels.flatMap(([name, rule], index): ProblemText[] => {
    const rival = channels.slice(0, index).find(([, other]) => isRival(rule, other));
    const both = `${rival?.[0]} and ${name} would both take the same versions`;
    const path = ['release', 'channels', name];
    const twice: ProblemText[] =
      rival === undefined ? [] : [{ code: 'E_CHANNEL', path, message: both, hint: 'Give one of them another prerelease name or range.' }];
    const unknown = (rule.includes ?? []).flatMap((included, at): ProblemText[] => {
      if (names.includes(included) && included !== name) return [];
      const message = included === name ? `${name} includes itself` : `there is no channel ${included}`;
      return [{ code: 'E_UNKNOWN_CHANNEL', path: [...path, 'includes', at], message, hint: didYouMean(included, names, 'There are') }];
    });
    const circle = (rule.includes ?? []).flatMap((included, at): ProblemText[] => {
      const isLater = names.indexOf(included) >= index || !names.includes(included); // one problem a circle, where it closes
      if (isLater || !channelsIncluding(release.channels, name).includes(included)) return [];
      const message = `${name} includes ${included}, which includes ${name} again`;
      return [{ code: 'E_CHANNEL', path: [...path, 'includes', at], message, hint: 'Remove one of the two: releases go one way.' }];
    });
    return [...twice, ...unknown, ...circle];
  });
}

/** Ranges that overlap, or the same prerelease name. Two channels for all releases are told apart by promotion, so they may be. */
function isRival(rule: ChannelRule, other: ChannelRule): boolean {
  if (rule.prerelease !== other.prerelease) return false;
  if (rule.versions !== undefined && other.versions !== undefined) return rangesOverlap(rule.versions, other.versions);
  return rule.prerelease !== undefined && rule.versions === other.versions;
}

function checkNotes({ release }: Product): ProblemText[] {
  if (release.notes === undefined || /\{(?:base|version)\}/.test(release.notes)) return [];
  const message = `release.notes: ${release.notes} is the same for every version`;
  return [
    { code: 'E_NOTES', path: ['release', 'notes'], message, hint: 'Put {base} into the file name, such as docs/changelogs/{base}.md.' },
  ];
}
