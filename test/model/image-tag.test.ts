import { describe, expect, test } from 'vitest';
import { newerTag, shapeOfTag } from '../../src/model/image-tag.ts';

describe('the order of image tags', () => {
  test.each([
    ['numbers are compared as numbers', '0.301.3', ['0.301.10', '0.301.9', '0.99.99'], '0.301.10', 'patch'],
    ['the same words around them', '16-alpine', ['17', '17-bookworm', '17-alpine', '18-alpine3.22'], '17-alpine', 'major'],
    ['as many numbers', '16.4-alpine', ['17-alpine', '16.10-alpine', '16.9-alpine'], '16.10-alpine', 'minor'],
    ['the first number wins', 'v1.9.9', ['v2.0.0', 'v1.10.0', 'v2'], 'v2.0.0', 'major'],
    [
      'a date',
      'RELEASE.2025-04-08T15-41-24Z',
      ['RELEASE.2025-04-22T22-12-26Z', 'RELEASE.2024-12-31T00-00-00Z', 'latest'],
      'RELEASE.2025-04-22T22-12-26Z',
      'patch',
    ],
    ['one number', 'stable-9823', ['stable-10314', 'stable-9909', 'unstable-99999'], 'stable-10314', 'major'],
    [
      'a build of another kind is another line',
      'v1.32.3-k3s1',
      ['v1.33.0-k3s2', 'v1.32.4-k3s1', 'v1.33.0-rc1-k3s1'],
      'v1.32.4-k3s1',
      'patch',
    ],
    [
      'words with numbers',
      '12.6.3-cudnn-devel-ubuntu24.04',
      ['12.8.0-cudnn-devel-ubuntu24.04', '13.0.0-cudnn-devel-ubuntu22.04'],
      '12.8.0-cudnn-devel-ubuntu24.04',
      'minor',
    ],
    [
      'digits of any length',
      '1.99999999999999999998',
      ['1.99999999999999999999', '1.099999999999999999999'],
      '1.99999999999999999999',
      'minor',
    ],
    ['a prefix with a word', 'postgresql-v2.19.0', ['mysql-v2.20.0', 'postgresql-v2.20.1'], 'postgresql-v2.20.1', 'minor'],
  ])('%s', (_, current, listed, tag, change) => {
    expect(newerTag(current, listed)).toEqual({ tag, change });
  });

  test.each([
    ['downgrades', '2.0.0', ['1.9.9', '1.10.0']],
    ['the same', '24.04', ['24.04', '24.4']],
    ['prereleases', '1.2.3', ['1.3.0-rc.1', '1.3.0-beta', 'v1.3.0']],
    ['dates beside versions', '12', ['20250401', '2025']],
    ['commits', '2026.0722.0823-6e32668', ['2026.0723.0823-7e32668']],
    ['anything, without a number', 'latest', ['1', '2', 'stable']],
    ['a tag without end', '1', [`${'9'.repeat(129)}`]],
  ])('does not offer %s', (_, current, listed) => {
    expect(newerTag(current, listed)).toBeUndefined();
  });

  test('reads a tag in time that does not grow with its length squared', () => {
    const start = performance.now();
    for (const text of ['1-'.repeat(64), '1.'.repeat(64), `${'1T'.repeat(63)}a`, 'a'.repeat(100_000)]) shapeOfTag(text);
    expect(performance.now() - start).toBeLessThan(50);
  });

  test('signatures and lists of referrers are no versions', () => {
    const hex = '9'.repeat(64);
    const beside = [`sha256-${hex}`, `sha256-${hex}.sig`, `sha256-${'1'.repeat(64)}.att`, `sha256-${'a'.repeat(64)}.sbom`];
    for (const current of ['3.19', 'v1.2.3', '16-alpine', 'sha-12', '1']) expect(newerTag(current, beside), current).toBeUndefined();
  });
});
