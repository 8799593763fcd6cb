import { describe, expect, test } from 'vitest';
import { parseVersion } from '../../src/model/version.ts';
import { planNextVersion, refuseReleased, tagPrefixes, type VersionRules, versionAfter } from '../../src/plan/next-version.ts';
import { fc } from '../property.ts';

const channels = { stable: {}, staging: { prerelease: 'staging' }, 'lts-2.3': { versions: '2.3.x' } };
const semver: VersionRules = { tag: 'v{version}', versions: 'semver', formerTags: [], channels };
const dated: VersionRules = {
  tag: 'bundle-v{version}',
  versions: 'dated',
  formerTags: [{ tag: 'bundle-v{version}', versions: 'semver' }],
  channels: { stable: {} },
};

function next(channel: string, tags: readonly string[], more: { base?: string; rules?: VersionRules } = {}): string {
  const base = more.base === undefined ? undefined : parseVersion(more.base);
  return planNextVersion({ rules: more.rules ?? semver, channel, base, tags, today: '20260402' }).version;
}

describe('the next version of a prerelease channel', () => {
  test.each<[string, string[], string]>([
    ['is .0 without any', [], '2.4.0-staging.0'],
    ['follows the highest counter as a number', ['v2.4.0-staging.9', 'v2.4.0-staging.10', 'v2.4.0-staging.2'], '2.4.0-staging.11'],
    ['does not fill holes', ['v2.4.0-staging.0', 'v2.4.0-staging.7'], '2.4.0-staging.8'],
    [
      'ignores what is of no grammar',
      ['v2.4.0-staging.x', 'v2.4.0-staging.1.2', 'v2.4.0-staging.03', '2.4.0-staging.9', 'v2.4.0-staging'],
      '2.4.0-staging.0',
    ],
    ['ignores other names and other versions', ['v2.4.0-rc.4', 'v2.3.0-staging.8', 'v2.40.0-staging.8', 'v2.5.0'], '2.4.0-staging.0'],
  ])('%s', (_, tags, wanted) => {
    expect(next('staging', tags, { base: '2.4.0' })).toBe(wanted);
  });

  test('is refused when its X.Y.Z is released, under whichever grammar', () => {
    const refused = expect.objectContaining({ code: 'E_POLICY', hint: expect.stringContaining('slipway bump') });
    expect(() => next('staging', ['v2.4.0-staging.1', 'v2.4.0'], { base: '2.4.0' })).toThrow(refused);
    const rules = { ...semver, formerTags: [{ tag: 'old-{version}', versions: 'semver' }] } as const;
    expect(() => next('staging', ['old-2.4.0'], { base: '2.4.0', rules })).toThrow(refused);
  });

  test('is higher than every one that there is, and never one of them', () => {
    const tags = fc.array(
      fc.nat(300).map((n) => `v2.4.0-staging.${n}`),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(tags, (there) => {
        const made = next('staging', there, { base: '2.4.0' });
        const highest = there.map((tag) => Number(tag.split('.').at(-1))).reduce((a, b) => Math.max(a, b), -1);
        expect(made).toBe(`2.4.0-staging.${highest + 1}`);
      }),
    );
  });
});

describe('the next plain version', () => {
  test('is what release.base says', () => {
    expect(next('stable', ['v2.3.0'], { base: '2.4.0' })).toBe('2.4.0');
  });

  test('without a file is the highest prepared one, else the patch after the highest release', () => {
    expect(next('stable', ['v2.4.9', 'v2.4.10'])).toBe('2.4.11');
    expect(next('stable', ['v2.4.10', 'v2.5.0-staging.3'])).toBe('2.5.0');
    expect(next('staging', ['v2.4.10', 'v2.5.0-staging.3'])).toBe('2.5.0-staging.4');
    expect(next('staging', ['v2.4.10'])).toBe('2.4.11-staging.0');
  });

  test('of a maintenance line comes from its own releases, and the main line does not see those', () => {
    const tags = ['v2.3.4', 'v2.3.11', 'v2.5.0'];
    expect(next('lts-2.3', tags)).toBe('2.3.12');
    expect(next('stable', tags)).toBe('2.5.1');
    expect(next('lts-2.3', tags, { base: '2.3.20' })).toBe('2.3.20');
  });

  test('is refused when it is not of the channel, or when nothing says which it is', () => {
    expect(() => next('lts-2.3', [], { base: '2.5.0' })).toThrow(
      /2.5.0, which follows from release.base, is not a version of the channel lts-2.3/,
    );
    expect(() => next('stable', ['x1.0.0'])).toThrow(
      expect.objectContaining({ code: 'E_USAGE', hint: expect.stringContaining('--version') }),
    );
    expect(() => next('stabel', [])).toThrow(expect.objectContaining({ code: 'E_USAGE', hint: expect.stringContaining('stable') }));
  });
});

describe('the next dated version', () => {
  test.each<[string, string[], string | undefined, string]>([
    ['counts SEQ as a number, with the day of today', ['bundle-v2.9.20260101', 'bundle-v2.10.20260102'], undefined, '2.11.20260402'],
    ['goes on after the former grammar', ['bundle-v2.3.0', 'bundle-v2.4.0'], undefined, '2.5.20260402'],
    ['counts within the MAJOR of release.base', ['bundle-v1.99.20250101', 'bundle-v2.35.20260315'], '2.0.0', '2.36.20260402'],
    ['begins a new MAJOR at 1', ['bundle-v2.35.20260315'], '3.0.0', '3.1.20260402'],
    ['ignores a day that does not exist', ['bundle-v2.35.20260315', 'bundle-v2.36.20260231'], undefined, '2.36.20260402'],
  ])('%s', (_, tags, base, wanted) => {
    expect(next('stable', tags, { rules: dated, ...(base === undefined ? {} : { base }) })).toBe(wanted);
  });
});

describe('when somebody else was first', () => {
  test('counters go on, named versions do not', () => {
    expect(versionAfter(parseVersion('2.4.0-staging.9'), 'semver')).toBe('2.4.0-staging.10');
    expect(versionAfter(parseVersion('2.35.20260315'), 'dated')).toBe('2.36.20260315');
    expect(versionAfter(parseVersion('2.4.0'), 'semver')).toBeUndefined();
  });
});

describe('a named version', () => {
  const rules = { ...semver, formerTags: [{ tag: 'old-{version}', versions: 'semver' }] } as const;
  test('is refused when it, or the release that it prepares, is out under another tag', () => {
    expect(() => refuseReleased(parseVersion('2.4.0-staging.3'), rules, ['v2.4.0'])).toThrow(/released already, as v2.4.0/);
    expect(() => refuseReleased(parseVersion('2.4.0'), rules, ['old-2.4.0'])).toThrow(/released already, as old-2.4.0/);
  });

  test('is not refused because of its own tag or of others', () => {
    expect(() => refuseReleased(parseVersion('2.4.0'), rules, ['v2.4.0', 'v2.4.0-staging.3', 'old-2.4.1', 'v2.4.01'])).not.toThrow();
  });
});

test('only tags that can matter are listed', () => {
  const rules = {
    ...semver,
    formerTags: [
      { tag: 'v{version}-old', versions: 'semver' },
      { tag: 'b-{version}', versions: 'semver' },
    ],
  } as const;
  expect(tagPrefixes(rules, parseVersion('2.4.0'))).toEqual(['v2.4.0', 'b-2.4.0']);
  expect(tagPrefixes(rules, undefined)).toEqual(['v', 'b-']);
  expect(tagPrefixes(dated, parseVersion('2.0.0'))).toEqual(['bundle-v2.']);
});
