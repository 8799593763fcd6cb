import { describe, expect, test } from 'vitest';
import { DEFAULT_TAGS } from '../../src/model/build-rules.ts';
import {
  collidingRules,
  crossingRules,
  dateOfTag,
  isFloating,
  isMadeBy,
  looksLikeVersion,
  renderTag,
  rulesFor,
  tagRuleProblem,
} from '../../src/model/tag-rule.ts';
import { parseVersion } from '../../src/model/version.ts';

const COMMIT = '6e32668f5d0c1b2a3948576655443322110f0e0d';
const DATED = '{date:YYYY.MMDD.HHmm}-{sha}';
const facts = { version: parseVersion('1.5.0'), commit: COMMIT, run: 42, date: new Date('2026-07-22T08:23:45Z') };

describe('a tag rule', () => {
  test.each([
    ['latest', 'latest'],
    ['1.{run}', '1.42'],
    ['{sha}', '6e32668'],
    ['{version}', '1.5.0'],
    ['{major}.{minor}', '1.5'],
    ['{major}', '1'],
    ['v{major}.{minor}.{patch}', 'v1.5.0'],
    [DATED, '2026.0722.0823-6e32668'],
    ['{date:YYYYMMDD-HHmmss}', '20260722-082345'],
  ])('%s gives %s', (rule, tag) => {
    expect(renderTag(rule, facts)).toBe(tag);
    expect(isMadeBy(rule, tag)).toBe(true);
  });

  test('gives nothing where what it needs is not known', () => {
    expect(renderTag('1.{run}', { ...facts, run: undefined })).toBeUndefined();
    expect(renderTag('{sha}', { ...facts, commit: undefined })).toBeUndefined();
    expect(renderTag('{major}', { ...facts, version: undefined })).toBeUndefined();
  });

  test('is UTC, whatever the time zone of the machine', () => {
    const before = process.env.TZ;
    process.env.TZ = 'Asia/Shanghai';
    try {
      expect(renderTag(DATED, { ...facts, date: new Date('2026-07-22T23:59:00Z') })).toBe('2026.0722.2359-6e32668');
      expect(dateOfTag(DATED, '2026.0722.2359-6e32668')?.toISOString()).toBe('2026-07-22T23:59:00.000Z');
    } finally {
      process.env.TZ = before;
    }
  });

  test.each([
    ['{version}', 'main', 'the event main has no {version}'],
    ['{major}', 'branch', 'the event branch has no {major}'],
    ['{shaa}', 'main', '{shaa} is not known; there are {sha} {run} {date}'],
    ['{date}', 'branch', '{date} is not a date'],
    ['{date:DD/MM}', 'branch', 'is not a date'],
    ['{sha:7}', 'main', '{sha:7} takes nothing after a colon'],
    ['-{sha}', 'main', 'makes no image tag'],
    ['{sha', 'main', 'makes no image tag'],
  ] as const)('%s of %s is wrong: %s', (rule, event, message) => {
    expect(tagRuleProblem(rule, event)).toContain(message);
  });

  test('by default is right for every event, and none takes the tag of another', () => {
    for (const event of ['main', 'release', 'branch'] as const) {
      expect(DEFAULT_TAGS[event].map((rule) => tagRuleProblem(rule, event))).toEqual(DEFAULT_TAGS[event].map(() => undefined));
      expect(collidingRules(DEFAULT_TAGS[event])).toEqual([]);
    }
    expect(crossingRules(DEFAULT_TAGS)).toEqual([]);
  });
});

describe('L-2: a dated tag', () => {
  test('parses, and nothing else does', () => {
    expect(dateOfTag(DATED, '2026.0722.0823-6e32668')?.toISOString()).toBe('2026-07-22T08:23:00.000Z');
    for (const tag of ['2026.1322.0823-6e32668', '2026.0230.0823-6e32668', '2026.0722.2523-6e32668', '2026.0722.0823', '1.5.0', 'latest']) {
      expect(dateOfTag(DATED, tag), tag).toBeUndefined();
    }
  });

  test('orders by its moment, not by its letters', () => {
    const tags = ['2026.0722.0823-6e32668', '2025.1231.2359-fffffff', '2026.0722.0824-0000000'];
    const ordered = [...tags].sort((a, b) => Number(dateOfTag(DATED, a)) - Number(dateOfTag(DATED, b)));
    expect(ordered).toEqual([tags[1], tags[0], tags[2]]);
  });
});

describe('a prerelease', () => {
  test('moves no tag that floats', () => {
    const rules = ['{version}', '{major}.{minor}', '{major}', 'latest', '{sha}'];
    expect(rulesFor(rules, parseVersion('1.5.0-staging.3'))).toEqual(['{version}', '{sha}']);
    expect(rulesFor(rules, parseVersion('1.5.0'))).toEqual(rules);
    expect(['latest', '{major}', '{version}', '1.{run}', DATED].map(isFloating)).toEqual([true, true, false, false, false]);
  });
});

describe('rules that take the same tag', () => {
  test.each([
    [['latest', 'latest'], 'latest'],
    [['{major}', '{minor}'], '1'],
    [['1.{run}', '{run}.{run}'], '1.1'],
  ])('%j within one event', (rules, tag) => {
    expect(collidingRules(rules)).toMatchObject([{ tag }]);
  });

  test('Z-3: 1.{run} of a push at run 5 is {major}.{minor} of 1.5.0', () => {
    const table = { main: ['latest', '1.{run}'], release: ['{version}', '{major}.{minor}', '{major}'], branch: [] };
    expect(crossingRules(table)).toEqual([{ first: '1.{run}', second: '{major}.{minor}', tag: expect.stringMatching(/^1\.\d+$/) }]);
    expect(crossingRules({ ...table, main: ['latest', 'build-{run}'] })).toEqual([]);
  });
});

test('what looks like a release is known by its three numbers', () => {
  expect(['1.2.3', 'v1.2.3', 'V.1.3.0', '1.2.3-staging.4'].map(looksLikeVersion)).toEqual([true, true, true, true]);
  expect(['1.2', 'latest', '2026.0722.0823-6e32668', 'v1', '6e32668'].map(looksLikeVersion)).toEqual([false, false, false, false, false]);
});
