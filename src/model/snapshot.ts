// Snapshots: bundles of work in progress. Rule: their version says so and no channel takes it, so that none is ever published or taken for a release.
import { parseVersion, prereleaseOf, type Version } from './version.ts';

/** What a snapshot's manifest names as its channel. */
export const SNAPSHOT_CHANNEL = 'snapshot';

/** The version of a snapshot: `<X.Y.Z of base>-snapshot.<YYYYMMDDHHMMSS>`; `made` is a moment in RFC 3339. */
export function snapshotVersion(base: Version | undefined, made: string): Version {
  const release = (base ?? '0.0.0').split('-')[0];
  return parseVersion(`${release}-snapshot.${made.replace(/\D/g, '')}`);
}

export function isSnapshot(version: Version): boolean {
  return /^snapshot\.\d{14}$/.test(prereleaseOf(version) ?? '');
}
