import { expect, test } from 'vitest';
import { isSnapshot, snapshotVersion } from '../../src/model/snapshot.ts';
import { compareVersions, parseVersion } from '../../src/model/version.ts';

test('a snapshot is versioned by its base and its time, and lies before its base', () => {
  const base = parseVersion('2.4.0');
  const version = snapshotVersion(base, '2026-03-15T10:00:00Z');
  expect(version).toBe('2.4.0-snapshot.20260315100000');
  expect(compareVersions(version, base)).toBeLessThan(0);
  expect(snapshotVersion(parseVersion('2.4.0-staging.3'), '2026-03-15T10:00:00Z')).toBe(version);
  expect(snapshotVersion(undefined, '1980-01-01T00:00:00Z')).toBe('0.0.0-snapshot.19800101000000');
});

test('a snapshot is known by its version', () => {
  expect(isSnapshot(parseVersion('2.4.0-snapshot.20260315100000'))).toBe(true);
  expect(isSnapshot(parseVersion('2.4.0-staging.3'))).toBe(false);
  expect(isSnapshot(parseVersion('2.4.0'))).toBe(false);
});
