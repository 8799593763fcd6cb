// Versions by the semver grammar. Rule: parsed strictly and ordered numerically; build metadata is refused, for two versions that differ only there are equal.
import compare from 'semver/functions/compare.js';
import parse from 'semver/functions/parse.js';
import inRange from 'semver/functions/satisfies.js';
import overlap from 'semver/ranges/intersects.js';
import validRange from 'semver/ranges/valid.js';
import { ToolError } from './error.ts';

export type Version = string & { readonly __brand: 'Version' };

/** Parses `X.Y.Z[-prerelease]` without a leading `v` and without `+build`; throws E_FORMAT that begins with `where`. */
export function parseVersion(value: unknown, where = 'version'): Version {
  const version = typeof value === 'string' ? versionOf(value) : undefined;
  if (version !== undefined) return version;
  throw new ToolError('E_FORMAT', `${where}: ${JSON.stringify(value)} is not a version`, {
    hint: 'Write it as X.Y.Z or X.Y.Z-name.N, for example 2.4.0 or 2.4.0-staging.3.',
  });
}

/** The version that this text is, or undefined. */
export function versionOf(text: string): Version | undefined {
  const parsed = parse(text);
  return parsed !== null && parsed.raw === text && parsed.version === text ? (text as Version) : undefined;
}

/** Negative, zero or positive: numeric parts as numbers, a prerelease before its release (semver.org §11). */
export function compareVersions(a: Version, b: Version): number {
  return compare(a, b);
}

/** True when the version is in the range; a prerelease counts by its place in the order, so 2.1.0-staging.3 is in `>=2.0.0`. */
export function satisfies(version: Version, range: string): boolean {
  return inRange(version, range, { includePrerelease: true });
}

/** True for a range such as `>=2.0.0`, `2.3.x` or `*`. */
export function isRange(text: string): boolean {
  return text.trim() !== '' && validRange(text) !== null;
}

/** True when some version could be in both ranges. */
export function rangesOverlap(a: string, b: string): boolean {
  return overlap(a, b, { includePrerelease: true });
}

export function isPrerelease(version: Version): boolean {
  return version.includes('-');
}

/** The part after the first `-`: `staging.3` of 2.4.0-staging.3; undefined for a release. */
export function prereleaseOf(version: Version): string | undefined {
  const dash = version.indexOf('-');
  return dash < 0 ? undefined : version.slice(dash + 1);
}

/** X.Y.Z of X.Y.Z-staging.3. */
export function coreOf(version: Version): Version {
  return version.split('-')[0] as Version;
}

/** The three numbers. */
export function numbersOf(version: Version): { readonly major: number; readonly minor: number; readonly patch: number } {
  const [major = 0, minor = 0, patch = 0] = coreOf(version).split('.').map(Number);
  return { major, minor, patch };
}

/** True when the version has the form MAJOR.SEQ.YYYYMMDD, whether that day exists or not. */
export function looksDated(version: Version): boolean {
  return /^\d+\.\d+\.\d{8}$/.test(version);
}

/** True for MAJOR.SEQ.YYYYMMDD with a day that exists. Their order is that of versions: by MAJOR, SEQ, date. */
export function isDated(version: Version): boolean {
  const [, year, month, day] = /^\d+\.\d+\.(\d{4})(\d\d)(\d\d)$/.exec(version) ?? [];
  if (year === undefined) return false;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}
