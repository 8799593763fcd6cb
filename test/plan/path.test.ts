// The way to the wanted release. Rule: what is returned obeys every rule, and what an exhaustive search finds is found.

import { describe, expect, test } from 'vitest';
import type { Channel, ChannelRelease } from '../../src/model/channel.ts';
import { digestOf } from '../../src/model/digest.ts';
import { ToolError } from '../../src/model/error.ts';
import { compareVersions, isPrerelease, parseVersion, satisfies } from '../../src/model/version.ts';
import { findPath } from '../../src/plan/path.ts';
import { fc } from '../property.ts';

type Sketch = Partial<ChannelRelease> & Pick<ChannelRelease, 'version'>;

function channelOf(...releases: readonly (string | Sketch)[]): Channel {
  const full = releases.map((each): ChannelRelease => {
    const sketch = typeof each === 'string' ? { version: each } : each;
    const digest = digestOf(sketch.version);
    return {
      ...{ tag: `v${sketch.version}`, manifest: digest, operator: digest, published: '2026-01-01T00:00:00Z', from: '*', stop: false },
      ...{ assets: [], status: 'live', reason: null, replaced: [] },
      ...sketch,
    };
  });
  const newest = full.map(({ version }) => parseVersion(version)).sort(compareVersions);
  return {
    ...{ type: 'slipway/channel@1', product: 'acme', channel: 'stable', sequence: 1, issued: '2026-01-01T00:00:00Z', expires: null },
    ...{ latest: newest.findLast((version) => !isPrerelease(version)) ?? null, hosts: [], moved: null, releases: full, runtimes: [] },
  };
}

interface Asked {
  readonly to?: string;
  readonly held?: readonly string[];
}

const pathFrom = (from: string, channel: Channel, { held = [], ...asked }: Asked = {}): string[] =>
  findPath(channel, { from: parseVersion(from), held, ...asked }).map(({ version }) => version);

const stop = (version: string, more: Partial<ChannelRelease> = {}): Sketch => ({ version, stop: true, ...more });
const yanked = (version: string, more: Partial<ChannelRelease> = {}): Sketch => ({ version, status: 'yanked', reason: 'broken', ...more });

function refusalOf(work: () => unknown): ToolError {
  try {
    work();
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('the path of an upgrade', () => {
  test('goes to the latest release in one hop where nothing forbids it, numbers compared as numbers', () => {
    const channel = channelOf('2.9.7', '2.9.15', '2.10.2', '2.9.10');
    expect(pathFrom('2.9.10', channel)).toEqual(['2.10.2']);
    expect(pathFrom('2.9.7', channel, { to: '2.9.10' })).toEqual(['2.9.10']);
    expect(refusalOf(() => pathFrom('2.9.10', channel, { to: '2.9.7' }))).toMatchObject({
      code: 'E_POLICY',
      message: '2.9.7 is older than 2.9.10',
    });
    expect(pathFrom('2.10.2', channel)).toEqual([]);
  });

  test('lands on every stop, and on nothing else', () => {
    const channel = channelOf('1.0.0', stop('1.1.0'), '1.2.0', stop('2.0.0'), '2.1.0');
    expect(pathFrom('1.0.0', channel)).toEqual(['1.1.0', '2.0.0', '2.1.0']);
    expect(pathFrom('1.1.0', channel)).toEqual(['2.0.0', '2.1.0']);
    expect(pathFrom('1.0.0', channel, { to: '1.2.0' })).toEqual(['1.1.0', '1.2.0']);
  });

  test('takes a release in between where the wanted one asks for it, a supported one before a deprecated one', () => {
    const wanted = { version: '2.0.0', from: '>=1.2.0' };
    expect(pathFrom('1.0.0', channelOf('1.0.0', '1.2.0', '1.3.0', wanted))).toEqual(['1.3.0', '2.0.0']);
    expect(pathFrom('1.0.0', channelOf('1.2.0', { version: '1.3.0', status: 'deprecated' }, wanted))).toEqual(['1.2.0', '2.0.0']);
    expect(pathFrom('1.0.0', channelOf('1.2.0', yanked('1.3.0'), wanted))).toEqual(['1.2.0', '2.0.0']);
    expect(pathFrom('1.0.0', channelOf('1.2.0', '1.3.0', wanted), { held: ['1.3.0'] })).toEqual(['1.2.0', '2.0.0']);
  });

  test('never lands on a release that was taken back; the stop after it takes its place, and without one it blocks', () => {
    const back = stop('1.1.0', { status: 'yanked', reason: 'loses uploads' });
    expect(pathFrom('1.0.0', channelOf(back, '1.1.5', stop('1.2.0'), '1.3.0'))).toEqual(['1.2.0', '1.3.0']);
    expect(refusalOf(() => pathFrom('1.0.0', channelOf('1.0.1', back, '1.3.0')))).toMatchObject({
      ...{
        code: 'E_POLICY',
        message: '1.1.0 must not be skipped on the way to 1.3.0, and was taken back by its maintainer: loses uploads',
      },
      ...{
        hint: 'Upgrade with --to 1.0.1 first; it is as far as one gets from 1.0.0 by now.',
        details: { blocking: '1.1.0', reachable: '1.0.1' },
      },
    });
    // What lies behind a stop that was taken back needs what stands in for it first.
    expect(refusalOf(() => pathFrom('1.0.0', channelOf(back, '1.1.5', stop('1.2.0', { from: '>=1.1.5' }), '1.3.0')))).toMatchObject({
      details: { blocking: '1.2.0', reachable: null },
    });
    expect(refusalOf(() => pathFrom('1.0.0', channelOf(yanked('1.1.0')), { to: '1.1.0' }))).toMatchObject({ code: 'E_POLICY' });
  });

  test('goes on from a release that was taken back after it was installed', () => {
    expect(pathFrom('1.1.0', channelOf('1.0.0', yanked('1.1.0', { stop: true }), '1.2.0'))).toEqual(['1.2.0']);
  });

  test('takes what failed here only when it is named, on the way too', () => {
    const channel = channelOf('1.0.0', stop('1.1.0'), '1.2.0');
    const refusal = refusalOf(() => pathFrom('1.0.0', channel, { held: ['1.1.0'] }));
    expect(refusal).toMatchObject({ message: '1.1.0 must not be skipped on the way to 1.2.0, and failed here before and is held' });
    expect(refusal.hint).toBe('Take it again with --to 1.1.0.');
    expect(pathFrom('1.0.0', channel, { held: ['1.1.0'], to: '1.1.0' })).toEqual(['1.1.0']);
    expect(refusalOf(() => pathFrom('1.0.0', channelOf('1.2.0'), { held: ['1.2.0'] })).hint).toContain('--to 1.2.0');
  });

  test('leads through prereleases only for those who take them', () => {
    const channel = channelOf('1.0.0', stop('2.0.0-staging.1'), '2.0.0-staging.2', '2.0.0');
    expect(pathFrom('1.0.0', channel)).toEqual(['2.0.0']);
    expect(pathFrom('1.0.0', channel, { to: '2.0.0-staging.2' })).toEqual(['2.0.0-staging.1', '2.0.0-staging.2']);
    expect(pathFrom('2.0.0-staging.1', channel)).toEqual(['2.0.0']);
  });

  test('says which release cannot be reached, and how far one gets', () => {
    const channel = channelOf('1.0.0', stop('1.1.0'), '1.2.0', stop('2.0.0', { from: '>=1.5.0' }), '2.1.0');
    expect(refusalOf(() => pathFrom('1.0.0', channel))).toMatchObject({
      message: '2.0.0 must not be skipped on the way to 2.1.0, and cannot be reached from 1.1.0: it takes >=1.5.0',
      details: { blocking: '2.0.0', reachable: '1.2.0' },
    });
    expect(refusalOf(() => pathFrom('1.9.0', channelOf({ version: '2.0.0', from: '<1.5.0' })))).toMatchObject({
      ...{
        message: '2.0.0 cannot be reached from 1.9.0: it takes <1.5.0',
        hint: 'No release of this channel leads there; ask the maintainer.',
      },
    });
  });
});

const VERSIONS = ['1.0.0', '1.1.0', '1.2.0-staging.1', '1.2.0', '1.3.0', '2.0.0-staging.1', '2.0.0', '2.9.0', '2.10.0'];
const anyRelease = fc.record({
  version: fc.constantFrom(...VERSIONS.slice(1)),
  stop: fc.boolean(),
  from: fc.constantFrom('*', '*', '*', '>=1.1.0', '>=1.2.0', '>=1.3.0', '<2.0.0', '>=2.0.0'),
  status: fc.constantFrom('live', 'live', 'live', 'limited', 'deprecated', 'yanked') as fc.Arbitrary<ChannelRelease['status']>,
});
const anyChannel = fc
  .uniqueArray(anyRelease, { selector: ({ version }) => version, minLength: 1, maxLength: 8 })
  .map((releases) => channelOf(...releases));

/** Every rule, said of a whole path and in other words than the solver's. */
function isAllowed(
  path: readonly ChannelRelease[],
  channel: Channel,
  { from, held, to }: { from: string; held: readonly string[]; to: string },
): boolean {
  const places = [from, ...path.map(({ version }) => version)];
  const prereleases = isPrerelease(parseVersion(from)) || isPrerelease(parseVersion(to));
  const isBelow = (a: string, b: string): boolean => compareVersions(parseVersion(a), parseVersion(b)) < 0;
  const demanded = channel.releases.filter(
    ({ version, stop }) => stop && isBelow(from, version) && (prereleases || !version.includes('-')),
  );
  const passes = (landed: ChannelRelease): boolean =>
    demanded
      .filter(({ version }) => isBelow(version, landed.version))
      .every(({ version, status }) => {
        const standIns = path.filter((each) => each.stop && isBelow(version, each.version) && !isBelow(landed.version, each.version));
        return status === 'yanked' ? standIns.length > 0 : places.includes(version);
      });
  return path.every((release, index) => {
    const before = parseVersion(places[index] ?? from);
    const { version, status } = release;
    const isTaken = status !== 'yanked' && (version === to || !held.includes(version)) && (prereleases || !version.includes('-'));
    return isTaken && isBelow(before, version) && satisfies(before, release.from) && passes(release);
  });
}

function shortestByTrying(channel: Channel, wish: { from: string; held: readonly string[]; to: string }): number | undefined {
  const sorted = [...channel.releases].sort((a, b) => compareVersions(parseVersion(a.version), parseVersion(b.version)));
  const lengths = Array.from({ length: 2 ** sorted.length }, (_, bits) => sorted.filter((_, index) => (bits >> index) & 1))
    .filter((path) => path.at(-1)?.version === wish.to && isAllowed(path, channel, wish))
    .map((path) => path.length);
  return lengths.length === 0 ? undefined : Math.min(...lengths);
}

test('for any channel: a path that is found obeys every rule and has no needless hop, and one is found when there is one', () => {
  const found = { paths: 0, several: 0, refused: 0 };
  fc.assert(
    fc.property(
      anyChannel,
      fc.constantFrom(...VERSIONS.slice(0, 5)),
      fc.subarray(VERSIONS, { maxLength: 2 }),
      fc.nat(8),
      (channel, from, held, pick) => {
        const to = channel.releases[pick % channel.releases.length]?.version ?? '';
        fc.pre(compareVersions(parseVersion(from), parseVersion(to)) < 0);
        const wish = { from, held, to };
        const shortest = shortestByTrying(channel, wish);
        if (shortest === undefined) {
          found.refused += 1;
          expect(refusalOf(() => pathFrom(from, channel, wish))).toMatchObject({ code: 'E_POLICY' });
          return;
        }
        const path = findPath(channel, { ...wish, from: parseVersion(from) });
        expect(isAllowed(path, channel, wish)).toBe(true);
        expect(path.at(-1)?.version).toBe(to);
        expect(path.length).toBe(shortest);
        found.paths += 1;
        if (path.length > 1) found.several += 1;
      },
    ),
    { numRuns: 1000, seed: 20_261_121 },
  );
  expect(found.several).toBeGreaterThan(50);
  expect(found.refused).toBeGreaterThan(50);
});

test('for any refusal: the release that it calls reachable can be reached', () => {
  let told = 0;
  fc.assert(
    fc.property(anyChannel, fc.constantFrom(...VERSIONS.slice(0, 4)), (channel, from) => {
      for (const { version: to, status } of channel.releases) {
        if (status === 'yanked' || compareVersions(parseVersion(from), parseVersion(to)) >= 0) continue;
        try {
          pathFrom(from, channel, { to });
        } catch (error) {
          const { reachable } = (error as ToolError).details;
          if (typeof reachable !== 'string') continue;
          told += 1;
          expect(pathFrom(from, channel, { to: reachable }).at(-1)).toBe(reachable);
        }
      }
    }),
    { numRuns: 500, seed: 20_261_121 },
  );
  expect(told).toBeGreaterThan(20);
});
