import { describe, expect, test } from 'vitest';
import { parseProduct } from '../../src/model/product.ts';
import { checkProduct } from '../../src/plan/check.ts';

const HEAD = 'schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\nimages:\n  registry: registry.example/acme\n';

function problemsOf(images: string, missing: readonly string[] = []): [number, string, string | undefined][] {
  const { product, problems } = parseProduct(`${HEAD}${images}`, 'slipway.yaml');
  const checked = product === undefined ? [] : checkProduct(product, { missing });
  return [...problems, ...checked].map(({ line, code, path }) => [line, code, path]);
}

describe('images that are built here', () => {
  test('have no problems when everything fits', () => {
    const own = `  own:
    base: { context: base }
    api: { context: ., dockerfile: docker/api.Dockerfile, target: production, args: { V: "{version} {commit} {date}", FROM: "{image:base}" }, paths: ["api/**"], needs: [base], cache: gha }
`;
    expect(problemsOf(own)).toEqual([]);
  });

  test.each([
    ['a folder outside of the product', '  own:\n    a: { context: ../b }\n', [[7, 'E_VALUE', 'images.own.a.context']]],
    [
      'a Dockerfile outside of it',
      '  own:\n    a: { context: a, dockerfile: /etc/Dockerfile }\n',
      [[7, 'E_VALUE', 'images.own.a.dockerfile']],
    ],
    ['patterns outside of it', '  own:\n    a: { context: a, paths: ["../**"] }\n', [[7, 'E_VALUE', 'images.own.a.paths[0]']]],
    [
      'an address instead of a folder',
      '  own:\n    a: { context: "https://git.example/a.git" }\n',
      [[7, 'E_VALUE', 'images.own.a.context']],
    ],
    ['a recipe without a folder', '  own:\n    a: { target: x }\n', [[7, 'E_BUILD', 'images.own.a.target']]],
    ['an image that is not there', '  own:\n    a: { context: a, needs: [b] }\n', [[7, 'E_UNKNOWN_IMAGE', 'images.own.a.needs[0]']]],
    [
      'images that need each other',
      '  own:\n    a: { context: a, needs: [b] }\n    b: { context: b, needs: [a] }\n',
      [
        [7, 'E_NEEDS_CIRCLE', 'images.own.a.needs'],
        [8, 'E_NEEDS_CIRCLE', 'images.own.b.needs'],
      ],
    ],
    ['an argument of nothing', '  own:\n    a: { context: a, args: { V: "{verison}" } }\n', [[7, 'E_BUILD_ARG', 'images.own.a.args.V']]],
    [
      'another image that is not needed',
      '  own:\n    a: { context: a, args: { V: "{image:b}" } }\n    b: { context: b }\n',
      [[7, 'E_BUILD_ARG', 'images.own.a.args.V']],
    ],
    [
      'a secret among the arguments',
      '  own:\n    a: { context: a, args: { NPM_TOKEN: x } }\n',
      [[7, 'W_SECRET_ARG', 'images.own.a.args.NPM_TOKEN']],
    ],
    ['an unknown cache', '  own:\n    a: { context: a, cache: s3 }\n', [[7, 'E_VALUE', 'images.own.a.cache']]],
    [
      'two images in one repository',
      '  own:\n    a: { context: a, repository: x, tag: "a-{version}" }\n    b: { context: b, repository: x, tag: "b-{version}" }\n',
      [[8, 'E_TAG_COLLISION', 'images.own.b']],
    ],
  ])('%s is a problem', (_, images, wanted) => {
    expect(problemsOf(images)).toEqual(wanted);
  });

  test('name a Dockerfile that is there', () => {
    const own = '  own:\n    a: { context: api }\n';
    expect(problemsOf(own, ['api/Dockerfile'])).toEqual([[7, 'E_NO_FILE', 'images.own.a.dockerfile']]);
    expect(problemsOf(own, ['api', 'api/Dockerfile'])).toHaveLength(2);
  });
});

describe('tag rules', () => {
  test.each([
    ['a placeholder that the event does not have', '  tags: { main: ["{version}"] }\n', [[6, 'E_TAG_RULE', 'images.tags.main[0]']]],
    ['a placeholder that nothing has', '  tags: { branch: ["{shaa}"] }\n', [[6, 'E_TAG_RULE', 'images.tags.branch[0]']]],
    ['an event that there is not', '  tags: { nightly: [x] }\n', [[6, 'E_UNKNOWN_KEY', 'images.tags.nightly']]],
    ['two rules for one tag', '  tags: { main: ["{sha}", "{sha}"] }\n', [[6, 'E_TAG_COLLISION', 'images.tags.main[1]']]],
    ['two rules that meet at 1.1.1', '  tags: { release: ["{major}", "{minor}"] }\n', [[6, 'E_TAG_COLLISION', 'images.tags.release[1]']]],
    ['Z-3: a run that is a version', '  tags: { main: [latest, "1.{run}"] }\n', [[6, 'W_TAG_COLLISION', 'images.tags.main[1]']]],
    ['a namespace of unknown words', '  branchNamespace: "{team}0{branch}"\n', [[6, 'E_NAMESPACE', 'images.branchNamespace']]],
  ])('with %s are a problem', (_, images, wanted) => {
    expect(problemsOf(images)).toEqual(wanted);
  });
});
