import { describe, expect, test } from 'vitest';
import { parseProduct } from '../../src/model/product.ts';
import { checkProduct } from '../../src/plan/check.ts';

function problemsOf(release: string, rest = ''): [number, string, string | undefined, string][] {
  const { product } = parseProduct(`schema: 1\nproduct: acme\nrelease:\n${release}${rest}`, 'slipway.yaml');
  if (product === undefined) throw new Error('no product');
  return checkProduct(product, {}).map(({ line, code, path, message }) => [line, code, path, message]);
}

describe('tag rules', () => {
  test('of a life in several grammars go together', () => {
    const release = `  tag: bundle-v{version}
  versions: dated
  formerTags:
    - { tag: "bundle-v{version}", versions: semver, artifact: "acme-bundle-{version}.tar.gz" }
    - { tag: "V.{version}", versions: semver }
    - { tag: "{version}", versions: semver }
`;
    const images = `images:
  registry: r.example/a
  own:
    api: { release: "api-v{version}" }
    web: { release: "web-v{version}" }
`;
    expect(problemsOf(release, images)).toEqual([]);
  });

  test.each<[string, string, string, [number, string, string]]>([
    [
      'written twice',
      '  tag: v{version}\n  formerTags:\n    - { tag: "old-{version}" }\n    - { tag: "v{version}" }\n',
      '',
      [7, 'release.formerTags[1]', 'v{version} is there already as release.tag'],
    ],
    [
      'where one reads a prerelease and the other a release',
      '  tag: v{version}\n  formerTags:\n    - { tag: "v{version}-bundle" }\n',
      '',
      [6, 'release.formerTags[0]', 'v1.2.3-bundle would be 1.2.3-bundle of acme by release.tag, and 1.2.3 of acme by release.formerTags.0'],
    ],
    [
      'where a prefix ends in a version',
      '  tag: v{version}\n  formerTags:\n    - { tag: "v1.0.0-{version}" }\n',
      '',
      [6, 'release.formerTags[0]', 'v1.0.0-1.2.3 would be 1.0.0-1.2.3 of acme by release.tag, and 1.2.3 of acme by release.formerTags.0'],
    ],
    [
      'shared by the product and an image',
      '  tag: v{version}\n',
      'images:\n  registry: r.example/a\n  own:\n    api: { release: "v{version}" }\n',
      [8, 'images.own.api.release', 'v1.2.3 would be 1.2.3 of acme by release.tag, and 1.2.3 of the image api by images.own.api.release'],
    ],
    [
      'shared by two images',
      '  tag: bundle-v{version}\n',
      'images:\n  registry: r.example/a\n  own:\n    api: { release: "v{version}" }\n    web:\n      release: v{version}\n',
      [
        10,
        'images.own.web.release',
        'v1.2.3 would be 1.2.3 of the image api by images.own.api.release, and 1.2.3 of the image web by images.own.web.release',
      ],
    ],
  ])('%s collide, with the line', (_, release, rest, [line, path, message]) => {
    expect(problemsOf(release, rest)).toEqual([[line, 'E_TAG_COLLISION', path, message]]);
  });
});

describe('channels', () => {
  test.each<[string, string, [number, string, string][]]>([
    [
      'a range that overlaps another',
      '{ stable: {}, a: { versions: 2.3.x }, b: { versions: ">=2.0.0 <3" } }',
      [[5, 'E_CHANNEL', 'release.channels.b']],
    ],
    [
      'a prerelease name that is there already',
      '{ a: { prerelease: rc }, b: { prerelease: rc } }',
      [[5, 'E_CHANNEL', 'release.channels.b']],
    ],
    [
      'an unknown channel to include, and itself',
      '{ a: { includes: [b, a] } }',
      [
        [5, 'E_UNKNOWN_CHANNEL', 'release.channels.a.includes[0]'],
        [5, 'E_UNKNOWN_CHANNEL', 'release.channels.a.includes[1]'],
      ],
    ],
    [
      'a circle of two, and one over a third',
      '{ a: { includes: [b] }, b: { includes: [a] }, c: { includes: [e] }, d: { includes: [c] }, e: { includes: [d] } }',
      [
        [5, 'E_CHANNEL', 'release.channels.b.includes[0]'],
        [5, 'E_CHANNEL', 'release.channels.d.includes[0]'],
        [5, 'E_CHANNEL', 'release.channels.e.includes[0]'],
      ],
    ],
    ['includes over several, in one direction', '{ a: {}, b: { includes: [a] }, c: { includes: [b, a] } }', []],
    [
      'several for all releases, and lines beside each other',
      '{ a: {}, b: {}, c: { versions: 2.3.x }, d: { versions: 2.4.x }, e: { prerelease: rc }, f: { prerelease: rc, versions: 2.3.x } }',
      [],
    ],
  ])('with %s', (_, channels, wanted) => {
    expect(problemsOf(`  tag: v{version}\n  channels: ${channels}\n`).map(([line, code, path]) => [line, code, path])).toEqual(wanted);
  });

  test('of prereleases never see a dated version', () => {
    const found = problemsOf('  tag: v{version}\n  versions: dated\n  channels:\n    stable: {}\n    rc:\n      prerelease: rc\n');
    expect(found.map(([line, code, path]) => [line, code, path])).toEqual([[9, 'E_CHANNEL', 'release.channels.rc.prerelease']]);
  });
});

test('a notes file that is the same for every version is named', () => {
  expect(problemsOf('  tag: v{version}\n  notes: CHANGELOG.md\n').map(([line, code]) => [line, code])).toEqual([[5, 'E_NOTES']]);
});
