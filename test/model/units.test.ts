import { expect, test } from 'vitest';
import { parseDuration, parseSize } from '../../src/model/units.ts';

test.each([
  ['0s', 0],
  ['90s', 90],
  ['5m', 300],
  ['2h', 7200],
  ['365d', 31_536_000],
  ['8w', 4_838_400],
  ['10y', 315_360_000],
  [45, 45],
  ['5', undefined],
  ['1.5h', undefined],
  ['5 m', undefined],
  ['-5s', undefined],
  ['5ms', undefined],
  [-1, undefined],
  [1.5, undefined],
])('the duration %s is %s seconds', (text, wanted) => {
  expect(parseDuration(text)).toBe(wanted);
});

test.each([
  ['512MiB', 536_870_912],
  ['2GiB', 2_147_483_648],
  ['1.5GiB', 1_610_612_736],
  ['2GB', 2_000_000_000],
  ['500 MB', 500_000_000],
  ['10kB', 10_000],
  ['7B', 7],
  [1024, 1024],
  ['2G', undefined],
  ['2gib', undefined],
  ['GiB', undefined],
  ['999999999TiB', undefined],
])('the size %s is %s bytes', (text, wanted) => {
  expect(parseSize(text)).toBe(wanted);
});
