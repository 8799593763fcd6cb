import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChannelRules } from '../../src/model/product.ts';
import { channelOf, TAG_PATTERN, tagOf, versionOfTag } from '../../src/model/tag.ts';
import { parseVersion } from '../../src/model/version.ts';

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
