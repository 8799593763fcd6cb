// Tags by the grammars that the product declares. Rule: what matches none is ignored, never guessed at; today's grammar is asked before former ones.
import { coreOf, isDated, looksDated, prereleaseOf, satisfies, type Version, versionOf } from './version.ts';

export const VERSION_PLACE = '{version}';

/** What a tag pattern must look like: one `{version}`, and around it only what every git host, file system and URL takes as it is. */
export const TAG_PATTERN = /^(?![.-])(?!.*\.\.)[A-Za-z0-9._-]*\{version\}(?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/;

export const VERSION_GRAMMARS = ['semver', 'dated'] as const;
export type VersionGrammar = (typeof VERSION_GRAMMARS)[number];

/** How a tag is written: a pattern, and what may stand for its `{version}`. */
export interface TagGrammar {
  readonly tag: string;
  readonly versions: VersionGrammar;
}

/** Today's grammar, and those that came before: read, never written. */
export interface TagRules extends TagGrammar {
  readonly formerTags: readonly TagGrammar[];
}

/** What a channel takes, as in `release.channels`. */
export interface ChannelRule {
  readonly prerelease?: string;
  /** A maintenance line: only versions of this range, and all of them. */
  readonly versions?: string;
  /** Channels whose releases this one offers too. */
  readonly includes?: readonly string[];
  /** The channel whose releases become releases of this one, without being built again. */
  readonly promoteFrom?: string;
  /** Image tags that follow the channel's newest release. */
  readonly float?: readonly string[];
}

/** The tag of a version: `bundle-v{version}` and 2.4.0 give `bundle-v2.4.0`. */
export function tagOf(pattern: string, version: Version): string {
  return pattern.replace(VERSION_PLACE, () => version);
}

/** The version that a tag stands for, or undefined when the tag is not exactly of this grammar. A pattern by itself stands for `semver`. */
export function versionOfTag(grammar: string | TagGrammar, tag: string): Version | undefined {
  const { tag: pattern, versions } = typeof grammar === 'string' ? { tag: grammar, versions: 'semver' as const } : grammar;
  if (!pattern.includes(VERSION_PLACE)) return undefined;
  const { before, after } = partsOfPattern(pattern);
  const fits = tag.startsWith(before) && tag.endsWith(after) && tag.length > before.length + after.length;
  const version = fits ? versionOf(tag.slice(before.length, tag.length - after.length)) : undefined;
  return version !== undefined && isOfGrammar(versions, version) ? version : undefined;
}

/** The version that a tag stands for today or stood for under a former grammar. */
export function versionOfAnyTag(rules: TagRules, tag: string): Version | undefined {
  const version = versionOfTag(rules, tag);
  if (version !== undefined) return version;
  const former = rules.formerTags.map((grammar) => versionOfTag(grammar, tag)).find((found) => found !== undefined);
  const isBadDate = rules.versions === 'dated' && former !== undefined && looksDated(former) && !isDated(former);
  return isBadDate ? undefined : former;
}

/** True when the product may have this version. */
export function isOfGrammar(versions: VersionGrammar, version: Version): boolean {
  return versions === 'semver' || isDated(version);
}

/** What stands around `{version}`. */
export function partsOfPattern(pattern: string): { readonly before: string; readonly after: string } {
  const at = pattern.indexOf(VERSION_PLACE);
  return { before: pattern.slice(0, at), after: pattern.slice(at + VERSION_PLACE.length) };
}

/**
 * The channel that a version belongs to: X.Y.Z-staging.N to the one with `prerelease: staging`, X.Y.Z to the maintenance line that names it,
 * else to `stable`, or to the first channel without `prerelease` where there is no such stable. Undefined when no channel takes it.
 */
export function channelOf(channels: Readonly<Record<string, ChannelRule>>, version: Version): string | undefined {
  const taking = Object.entries(channels).filter(([, rule]) => takes(rule, version));
  const line = taking.find(([, rule]) => rule.versions !== undefined);
  if (line !== undefined) return line[0];
  return taking.some(([name]) => name === 'stable') ? 'stable' : taking[0]?.[0];
}

/** The channel whose latest release is the product's: `stable`, or the first that is neither for prereleases nor a maintenance line. */
export function mainChannelOf(channels: Readonly<Record<string, ChannelRule>>): string | undefined {
  const main = Object.entries(channels).filter(([, rule]) => rule.prerelease === undefined && rule.versions === undefined);
  return main.some(([name]) => name === 'stable') ? 'stable' : main[0]?.[0];
}

/** The channels that offer the releases of this one too, by `includes`, directly or through another. */
export function channelsIncluding(channels: Readonly<Record<string, ChannelRule>>, channel: string): string[] {
  const found = new Set<string>();
  for (let added = [channel]; added.length > 0; ) {
    const names = Object.entries(channels).flatMap(([name, { includes = [] }]) =>
      includes.some((each) => added.includes(each)) ? [name] : [],
    );
    added = names.filter((name) => name !== channel && !found.has(name));
    for (const name of added) found.add(name);
  }
  return [...found];
}

/** N of X.Y.Z-<name>.N, or undefined for any other version. */
export function counterOf(name: string, version: Version): number | undefined {
  const prerelease = prereleaseOf(version) ?? '';
  const digits = prerelease.startsWith(`${name}.`) ? prerelease.slice(name.length + 1) : '';
  return /^(?:0|[1-9]\d*)$/.test(digits) && Number.isSafeInteger(Number(digits)) ? Number(digits) : undefined;
}

function takes({ prerelease, versions }: ChannelRule, version: Version): boolean {
  if (versions !== undefined && !satisfies(coreOf(version), versions)) return false;
  return prerelease === undefined ? prereleaseOf(version) === undefined : counterOf(prerelease, version) !== undefined;
}
