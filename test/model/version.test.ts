import { describe, expect, test } from 'vitest';
import {
  compareVersions,
  coreOf,
  isDated,
  isPrerelease,
  isRange,
  numbersOf,
  parseVersion,
  prereleaseOf,
  rangesOverlap,
  satisfies,
  versionOf,
} from '../../src/model/version.ts';
import { fc } from '../property.ts';

const number = fc.nat({ max: 100_000 });
const release = fc.tuple(number, number, number);
const versionText = fc
  .tuple(release, fc.option(fc.tuple(fc.constantFrom('staging', 'beta', 'rc'), number), { nil: undefined }))
  .map(([core, pre]) => core.join('.') + (pre === undefined ? '' : `-${pre.join('.')}`));

describe('parsing', () => {
  test.each(['0.0.0', '1.2.3', '10.20.30', '2.35.20260315', '1.0.0-staging.12', '1.0.0-rc.1.x'])('%s is a version', (text) => {
    expect(parseVersion(text)).toBe(text);
  });

  const bad = [
    '',
    'v1.2.3',
    '=1.2.3',
    ' 1.2.3',
    '1.2.3\n',
    '1.2',
    '1.2.3.4',
    '01.2.3',
    '1.2.3-01',
    '1.2.3-',
    '1.2.3+build',
    'latest',
    '../1.2.3',
  ];
  test.each(bad)('%j is no version', (text) => {
    expect(versionOf(text)).toBeUndefined();
    expect(() => parseVersion(text, 'manifest: version')).toThrow(/^manifest: version: .* is not a version$/);
  });

  test('a number is no version', () => {
    expect(() => parseVersion(1.2)).toThrow(/not a version/);
  });
});

describe('order', () => {
  test('is numeric, and a prerelease comes before its release', () => {
    const sorted = ['1.0.0-staging.2', '1.0.0-staging.10', '1.0.0', '1.2.0', '1.10.0', '2.0.0-rc.1', '2.0.0', '10.0.0'];
    const shuffled = [...sorted].reverse().map((text) => parseVersion(text));
    expect(shuffled.sort(compareVersions)).toEqual(sorted);
  });

  test('releases compare as their three numbers do', () => {
    fc.assert(
      fc.property(release, release, (a, b) => {
        const wanted = a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
        expect(Math.sign(compareVersions(parseVersion(a.join('.')), parseVersion(b.join('.'))))).toBe(Math.sign(wanted));
      }),
    );
  });

  test('is total: reversed when turned round, equal only for the same text', () => {
    fc.assert(
      fc.property(versionText, versionText, (a, b) => {
        const there = compareVersions(parseVersion(a), parseVersion(b));
        expect(Math.sign(there)).toBe(0 - Math.sign(compareVersions(parseVersion(b), parseVersion(a))) || 0);
        expect(there === 0).toBe(a === b);
      }),
    );
  });
});

describe('ranges', () => {
  test.each([
    ['2.1.0', '>=2.0.0', true],
    ['1.9.9', '>=2.0.0', false],
    ['2.1.0-staging.3', '>=2.0.0', true],
    ['2.0.0-staging.3', '>=2.0.0', false],
    ['0.0.1-a.1', '*', true],
    ['2.3.9', '2.3.x', true],
    ['2.4.0', '2.3.x', false],
  ])('%s in %s: %s', (version, range, wanted) => {
    expect(satisfies(parseVersion(version), range)).toBe(wanted);
  });

  test('text that is no range is told apart', () => {
    expect(['>=2', '2.3.x', '*'].every(isRange)).toBe(true);
    expect(['', ' ', '>=zz', 'newest'].some(isRange)).toBe(false);
  });
});

test('prereleases know their name', () => {
  expect(prereleaseOf(parseVersion('1.0.0-staging.3'))).toBe('staging.3');
  expect(prereleaseOf(parseVersion('1.0.0'))).toBeUndefined();
  expect(isPrerelease(parseVersion('1.0.0-staging.3'))).toBe(true);
  expect(isPrerelease(parseVersion('1.0.0'))).toBe(false);
});

test('dated versions go by MAJOR, SEQ and date as numbers', () => {
  const sorted = ['2.4.0', '2.9.20270101', '2.10.20260101', '2.10.20260102', '3.1.20250101'];
  expect(
    [...sorted]
      .reverse()
      .map((text) => parseVersion(text))
      .sort(compareVersions),
  ).toEqual(sorted);
  expect(sorted.map((text) => isDated(parseVersion(text)))).toEqual([false, true, true, true, true]);
});

test('the parts of a version', () => {
  expect(coreOf(parseVersion('2.4.0-staging.3-x'))).toBe('2.4.0');
  expect(numbersOf(parseVersion('2.35.20260315'))).toEqual({ major: 2, minor: 35, patch: 20_260_315 });
});

test('ranges that share a version overlap', () => {
  expect(rangesOverlap('2.3.x', '2.x')).toBe(true);
  expect(rangesOverlap('2.3.x', '2.4.x')).toBe(false);
});
