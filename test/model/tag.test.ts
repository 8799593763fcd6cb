import { describe, expect, test } from 'vitest';
import type { ChannelRules } from '../../src/model/product.ts';
import {
  channelOf,
  channelsIncluding,
  counterOf,
  mainChannelOf,
  TAG_PATTERN,
  tagOf,
  versionOfAnyTag,
  versionOfTag,
} from '../../src/model/tag.ts';
import { parseVersion } from '../../src/model/version.ts';
import { fc } from '../property.ts';

const patterns = ['v{version}', 'bundle-v{version}', 'V.{version}', 'api-gateway-v{version}', '{version}', '{version}-bundle'];

describe('tags', () => {
  test('a tag made from a version gives that version back, and no other grammar reads it', () => {
    const version = fc
      .tuple(fc.nat(), fc.nat(), fc.nat(), fc.option(fc.nat(), { nil: undefined }))
      .map(([a, b, c, n]) => parseVersion(`${a}.${b}.${c}${n === undefined ? '' : `-staging.${n}`}`));
    fc.assert(
      fc.property(version, fc.constantFrom(...patterns), fc.constantFrom(...patterns.slice(0, 5)), (made, pattern, other) => {
        expect(versionOfTag(pattern, tagOf(pattern, made))).toBe(made);
        if (other !== pattern && pattern !== '{version}-bundle') expect(versionOfTag(other, tagOf(pattern, made))).toBeUndefined();
      }),
    );
  });

  test.each([
    ['bundle-v{version}', 'bundle-v2.4.0', '2.4.0'],
    ['V.{version}', 'V.1.3.0', '1.3.0'],
    ['bundle-v{version}', 'v2.4.0', undefined],
    ['v{version}', 'v2.4', undefined],
    ['v{version}', 'v02.4.0', undefined],
    ['v{version}', 'V2.4.0', undefined],
    ['v{version}', 'vv2.4.0', undefined],
    ['v{version}', 'v2.4.0 ', undefined],
    ['v{version}', 'v', undefined],
    ['a{version}a', 'a', undefined],
    ['{version}', 'v2.4.0', undefined],
    ['{version}', '2026.0722.0823-6e32668', undefined],
  ])('%s reads %s as %s', (pattern, tag, wanted) => {
    expect(versionOfTag(pattern, tag)).toBe(wanted);
  });

  test.each([...patterns])('%s is a pattern', (pattern) => {
    expect(pattern).toMatch(TAG_PATTERN);
  });

  test.each([
    'v',
    'v{version}{version}',
    'a/v{version}',
    '-v{version}',
    '.v{version}',
    'v..{version}',
    'v{version}.',
    'v {version}',
    'v{Version}',
  ])('%s is no pattern', (pattern) => {
    expect(pattern).not.toMatch(TAG_PATTERN);
  });
});

describe('channels', () => {
  const channels: Record<string, ChannelRules> = { old: {}, stable: { branch: 'main' }, staging: { prerelease: 'staging' } };
  test.each([
    ['2.4.0', 'stable'],
    ['2.4.0-staging.3', 'staging'],
    ['2.4.0-staging', undefined],
    ['2.4.0-staging.x', undefined],
    ['2.4.0-staging.1.2', undefined],
    ['2.4.0-rc.1', undefined],
  ])('%s belongs to %s', (version, wanted) => {
    expect(channelOf(channels, parseVersion(version))).toBe(wanted);
  });

  test('without a stable one the first without prerelease takes releases', () => {
    expect(channelOf({ beta: { prerelease: 'beta' }, main: {} }, parseVersion('1.0.0'))).toBe('main');
    expect(channelOf({ beta: { prerelease: 'beta' } }, parseVersion('1.0.0'))).toBeUndefined();
  });
});

describe('dated tags', () => {
  const dated = { tag: 'bundle-v{version}', versions: 'dated' } as const;
  test.each([
    ['bundle-v2.35.20260315', '2.35.20260315'],
    ['bundle-v2.35.20240229', '2.35.20240229'],
    ['bundle-v2.35.20260229', undefined],
    ['bundle-v2.35.20261301', undefined],
    ['bundle-v2.35.20260100', undefined],
    ['bundle-v2.35.00010101', undefined],
    ['bundle-v2.35.2026315', undefined],
    ['bundle-v02.35.20260315', undefined],
    ['bundle-v2.035.20260315', undefined],
    ['bundle-v2.35.20260315-staging.1', undefined],
    ['bundle-v2.4.0', undefined],
  ])('%s is read as %s', (tag, wanted) => {
    expect(versionOfTag(dated, tag)).toBe(wanted);
  });

  test('a former grammar reads what came before, and no day that does not exist', () => {
    const rules = {
      ...dated,
      formerTags: [
        { tag: 'bundle-v{version}', versions: 'semver' },
        { tag: 'v{version}', versions: 'semver' },
      ],
    } as const;
    const read = ['bundle-v2.36.20260401', 'bundle-v2.4.0', 'v1.9.0', 'bundle-v2.36.20260231', 'latest'].map((tag) =>
      versionOfAnyTag(rules, tag),
    );
    expect(read).toEqual(['2.36.20260401', '2.4.0', '1.9.0', undefined, undefined]);
  });
});

describe('maintenance lines', () => {
  const channels = {
    stable: {},
    staging: { prerelease: 'staging' },
    'lts-2.3': { versions: '2.3.x' },
    'rc-2.3': { prerelease: 'rc', versions: '2.3.x' },
  };
  test.each([
    ['2.3.9', 'lts-2.3'],
    ['2.4.0', 'stable'],
    ['2.30.0', 'stable'],
    ['2.3.9-staging.1', 'staging'],
    ['2.3.9-rc.1', 'rc-2.3'],
    ['2.4.0-rc.1', undefined],
  ])('%s belongs to %s', (version, wanted) => {
    expect(channelOf(channels, parseVersion(version))).toBe(wanted);
  });

  test('are never the main channel, wherever they are written', () => {
    expect(mainChannelOf({ lts: { versions: '1.x' }, edge: {}, beta: { prerelease: 'beta' } })).toBe('edge');
    expect(mainChannelOf({ edge: {}, stable: {} })).toBe('stable');
    expect(mainChannelOf({ lts: { versions: '1.x' } })).toBeUndefined();
  });
});

test('a channel is included directly and through another, without going round in circles', () => {
  const channels = { stable: { includes: ['edge'] }, staging: { includes: ['stable'] }, edge: { includes: ['staging'] }, other: {} };
  expect(channelsIncluding(channels, 'stable').sort()).toEqual(['edge', 'staging']);
  expect(channelsIncluding(channels, 'other')).toEqual([]);
});

test('counters are digits without a leading zero, and no larger than numbers are exact', () => {
  const counters = ['1.0.0-staging.12', '1.0.0-staging', '1.0.0-staging.1.2', '1.0.0-staging.9007199254740993', '1.0.0', '1.0.0-rc.1'];
  expect(counters.map((text) => counterOf('staging', parseVersion(text)))).toEqual([12, ...Array(5).fill(undefined)]);
});
