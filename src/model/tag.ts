// Tags by the grammar that the product declares. Rule: what does not match is ignored, never guessed at.
import { prereleaseOf, type Version, versionOf } from './version.ts';

export const VERSION_PLACE = '{version}';

/** What a tag pattern must look like: one `{version}`, and around it only what every git host, file system and URL takes as it is. */
export const TAG_PATTERN = /^(?![.-])(?!.*\.\.)[A-Za-z0-9._-]*\{version\}(?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/;

/** What a channel takes, as in `release.channels`. */
export interface ChannelRule {
  readonly prerelease?: string;
}

/** The tag of a version: `bundle-v{version}` and 2.4.0 give `bundle-v2.4.0`. */
export function tagOf(pattern: string, version: Version): string {
  return pattern.replace(VERSION_PLACE, () => version);
}

/** The version that a tag stands for, or undefined when the tag is not exactly of this pattern. */
export function versionOfTag(pattern: string, tag: string): Version | undefined {
  const at = pattern.indexOf(VERSION_PLACE);
  if (at < 0) return undefined;
  const before = pattern.slice(0, at);
  const after = pattern.slice(at + VERSION_PLACE.length);
  const fits = tag.startsWith(before) && tag.endsWith(after) && tag.length > before.length + after.length;
  return fits ? versionOf(tag.slice(before.length, tag.length - after.length)) : undefined;
}

/**
 * The channel that a version belongs to: X.Y.Z-staging.N to the one with `prerelease: staging`, X.Y.Z to `stable`, or to the first
 * channel without `prerelease` where there is no such stable. Undefined when no channel takes it.
 */
export function channelOf(channels: Readonly<Record<string, ChannelRule>>, version: Version): string | undefined {
  const prerelease = prereleaseOf(version);
  const names = Object.keys(channels).filter((name) => takes(channels[name]?.prerelease, prerelease));
  return names.includes('stable') ? 'stable' : names[0];
}

function takes(rule: string | undefined, prerelease: string | undefined): boolean {
  if (rule === undefined || prerelease === undefined) return rule === prerelease;
  return prerelease.startsWith(`${rule}.`) && /^(?:0|[1-9]\d*)$/.test(prerelease.slice(rule.length + 1));
}
