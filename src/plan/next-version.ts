// Decides the next version of a channel. Rule: counted numerically over every tag that there is; a released version is never prepared again.
import { ToolError } from '../model/error.ts';
import { didYouMean } from '../model/near.ts';
import {
  type ChannelRule,
  channelOf,
  counterOf,
  partsOfPattern,
  type TagGrammar,
  type TagRules,
  tagOf,
  type VersionGrammar,
  versionOfAnyTag,
} from '../model/tag.ts';
import { compareVersions, coreOf, isDated, isPrerelease, numbersOf, parseVersion, type Version } from '../model/version.ts';

/** Of `release`, what versions follow from. */
export interface VersionRules extends TagRules {
  readonly channels: Readonly<Record<string, ChannelRule>>;
}

export interface NextWish {
  readonly rules: VersionRules;
  readonly channel: string;
  /** What the file of `release.base` says; undefined = the highest tag decides. */
  readonly base: Version | undefined;
  /** All tags of the authority and of the checkout; those of other grammars are ignored. */
  readonly tags: readonly string[];
  /** YYYYMMDD, in UTC. */
  readonly today: string;
}

export interface NextVersion {
  readonly version: Version;
  /** Versions of the same kind that are taken, the newest first: one of them may be ours. */
  readonly taken: readonly Version[];
}

/** The next version. Throws E_USAGE where nothing says which, and E_POLICY when its X.Y.Z is released. */
export function planNextVersion(wish: NextWish): NextVersion {
  const { rules, channel, base } = wish;
  const rule = channelRule(rules, channel);
  const known = knownVersions(rules, wish.tags);
  const own = known.filter((version) => channelOf(rules.channels, coreOf(version)) === lineOf(rules, channel));
  const next = rules.versions === 'dated' ? nextDated(wish, own) : nextSemver(rule.prerelease, base ?? coreAfter(own, channel), known);
  if (channelOf(rules.channels, next.version) === channel) return next;
  const from = base === undefined ? 'the highest tag' : 'release.base';
  throw new ToolError('E_USAGE', `${next.version}, which follows from ${from}, is not a version of the channel ${channel}`, {
    hint: 'Change release.base with `slipway bump`, name another --channel, or give --version.',
  });
}

/** The version to try when somebody else has this one; undefined when it does not count on. */
export function versionAfter(version: Version, grammar: VersionGrammar): Version | undefined {
  const { major, minor } = numbersOf(version);
  if (grammar === 'dated') return parseVersion(`${major}.${minor + 1}.${version.split('.')[2]}`);
  const [, head, counter] = /^(.*\.)(\d+)$/.exec(isPrerelease(version) ? version : '') ?? [];
  return head === undefined ? undefined : parseVersion(`${head}${Number(counter) + 1}`);
}

/** Throws E_POLICY for a prerelease of a version that is released, and for a version that is released under a former grammar. */
export function refuseReleased(version: Version, rules: TagRules, tags: readonly string[]): void {
  const named = tags.map((tag) => ({ tag, version: versionOfAnyTag(rules, tag) }));
  const own = tagOf(rules.tag, version);
  const released = named.find((found) => found.version === coreOf(version) && found.tag !== own);
  if (released === undefined) return;
  throw new ToolError('E_POLICY', `${coreOf(version)} is released already, as ${released.tag}, so there is no ${version} any more`, {
    hint: 'Go on to the next version: `slipway bump patch`.',
    details: { version, released: released.tag },
  });
}

/** What the names of all tags that matter begin with; `base` narrows it where it is known. */
export function tagPrefixes(rules: TagRules, base: Version | undefined): string[] {
  const core = base === undefined ? '' : rules.versions === 'dated' ? `${numbersOf(base).major}.` : coreOf(base);
  const all = [rules, ...rules.formerTags].map(({ tag }: TagGrammar) => `${partsOfPattern(tag).before}${core}`);
  const sorted = [...new Set(all)].sort((a, b) => a.length - b.length);
  return sorted.filter((prefix, index) => !sorted.slice(0, index).some((shorter) => prefix.startsWith(shorter)));
}

/** Throws E_USAGE for a channel that is not declared. */
export function channelRule({ channels }: Pick<VersionRules, 'channels'>, name: string): ChannelRule {
  const rule = Object.hasOwn(channels, name) ? channels[name] : undefined;
  if (rule !== undefined) return rule;
  throw new ToolError('E_USAGE', `there is no channel ${JSON.stringify(name)}`, {
    hint: didYouMean(name, Object.keys(channels), 'There are'),
  });
}

/** Every release, and every prerelease that some channel takes, the highest first. */
function knownVersions(rules: VersionRules, tags: readonly string[]): Version[] {
  const versions = tags.flatMap((tag) => versionOfAnyTag(rules, tag) ?? []);
  const wanted = versions.filter((version) => !isPrerelease(version) || channelOf(rules.channels, version) !== undefined);
  return [...new Set(wanted)].sort((a, b) => compareVersions(b, a));
}

/** The channel that the X.Y.Z of this channel's versions belongs to. */
function lineOf({ channels }: VersionRules, name: string): string | undefined {
  const { prerelease, versions } = channels[name] ?? {};
  if (prerelease === undefined) return name;
  const lines = Object.entries(channels).filter(([, rule]) => rule.prerelease === undefined && rule.versions === versions);
  return lines.some(([line]) => line === 'stable') ? 'stable' : lines[0]?.[0];
}

/** Without a file that says it: the highest X.Y.Z that is only prepared so far, else the patch after the highest release. */
function coreAfter([highest]: readonly Version[], channel: string): Version {
  if (highest === undefined) {
    throw new ToolError('E_USAGE', `nothing says which version of ${channel} is the next: there is no tag of the product yet`, {
      hint: 'Give --version V for the first one, or set release.base, for example to package.json#version.',
    });
  }
  const { major, minor, patch } = numbersOf(highest);
  return isPrerelease(highest) ? coreOf(highest) : parseVersion(`${major}.${minor}.${patch + 1}`);
}

/** `known`: the highest first. */
function nextSemver(prerelease: string | undefined, base: Version, known: readonly Version[]): NextVersion {
  const core = coreOf(base);
  const released = known.filter((version) => !isPrerelease(version));
  if (prerelease === undefined) return { version: core, taken: released.slice(0, 1) };
  if (released.includes(core)) throw releasedAlready(core, prerelease);
  const taken = known.filter((version) => coreOf(version) === core && counterOf(prerelease, version) !== undefined);
  const [highest] = taken.map((version) => counterOf(prerelease, version) ?? 0);
  return { version: parseVersion(`${core}-${prerelease}.${highest === undefined ? 0 : highest + 1}`), taken };
}

/** SEQ counts on over all grammars of the product: the first dated version comes after the last one of the former grammar. */
function nextDated({ base, today, channel }: NextWish, own: readonly Version[]): NextVersion {
  const { major } = numbersOf(base ?? own[0] ?? coreAfter([], channel));
  const taken = own.filter((version) => numbersOf(version).major === major);
  const highest = taken.reduce((most, version) => Math.max(most, numbersOf(version).minor), 0);
  return { version: parseVersion(`${major}.${highest + 1}.${today}`), taken: taken.filter(isDated) };
}

function releasedAlready(core: Version, prerelease: string): ToolError {
  return new ToolError('E_POLICY', `${core} is released already, so there is no ${core}-${prerelease}.N any more`, {
    hint: 'Go on to the next version: `slipway bump patch`.',
    details: { released: core },
  });
}
