import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseProduct, readProduct } from '../../src/model/product.ts';
import { productJsonSchema } from '../../src/model/product-schema.ts';

const contract = readFileSync(new URL('fixtures/contract.slipway.yaml', import.meta.url), 'utf8');
const HEAD = 'schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\n';

/** `[line, code, path]` of every problem. */
function problemsOf(text: string): [number, string, string | undefined][] {
  return parseProduct(text, 'slipway.yaml').problems.map(({ line, code, path }) => [line, code, path]);
}

function productOf(text: string) {
  return readProduct(text, 'slipway.yaml');
}

describe('the contract file', () => {
  test('has no problem', () => {
    expect(problemsOf(contract)).toEqual([]);
  });

  test('is read into the manifest’s types', () => {
    const { product } = parseProduct(contract, 'slipway.yaml');
    expect(product).toMatchObject({
      product: 'acme',
      title: 'Acme Platform',
      cli: 'acmectl',
      backup: { keep: 5, to: '{{BACKUP_DIR}}', schedule: 'daily' },
    });
    expect(product?.release).toMatchObject({
      tag: 'bundle-v{version}',
      expires: 31_536_000,
      channels: { stable: { branch: 'main' }, staging: { branch: 'staging', prerelease: 'staging' } },
      hosts: [
        { name: 'local', type: 'folder', path: 'dist/releases', url: 'http://127.0.0.1:8080/releases' },
        { name: 'github', type: 'github', repository: 'acme/acme', token: 'GITHUB_TOKEN' },
        { name: 'forge', type: 'gitea', url: 'https://git.acme.example', repository: 'acme/acme', token: 'GITEA_REGISTRY_API_TOKEN' },
        { name: 'oci', type: 'oci', repository: 'registry.acme.example/acme/bundle' },
      ],
      publishTo: ['local'],
      authority: 'local',
    });
    expect(product?.images).toMatchObject({
      own: {
        api: {
          needs: [],
          optIn: false,
          release: 'api-v{version}',
          build: {
            context: 'api',
            dockerfile: 'api/Dockerfile',
            target: 'production',
            args: { VERSION: '{version}', GIT_COMMIT: '{commit}' },
            paths: ['api/**'],
            cache: 'registry',
          },
        },
        editor: { optIn: true, build: { context: 'editor', dockerfile: 'editor/Dockerfile', paths: ['editor/**', 'editor/Dockerfile'] } },
      },
      tags: { main: ['latest', '1.{run}', '{sha}'] },
      branchNamespace: '{namespace}0{branch}',
    });
    expect(product?.images.own.web?.build).toBeUndefined();
    expect(product?.features.mail).toEqual({ ask: 'Send e-mail?', profiles: ['mail'], default: false, memory: 536_870_912 });
    expect(product?.requires).toMatchObject({
      memory: 2_147_483_648,
      ports: [
        { port: '{{HTTP_PORT}}', protocol: 'tcp' },
        { port: '10000', protocol: 'udp', when: 'features.chat' },
      ],
    });
    expect(product?.data.media).toEqual({ path: 'media', onUpgrade: 'skip' });
    expect(product?.upgrade).toMatchObject({ timeout: 120, probation: 30, entry: ['proxy'], migrate: [{ needs: ['db'], timeout: null }] });
  });

  test('declares a volume that was renamed, and a database whose major changed', () => {
    const { data } = productOf(contract.replace('# migrate:', 'migrate:'));
    expect(data.files).toEqual({ renamedFrom: 'attachments' });
    expect(data.pgdata?.migrate).toEqual({ from: 'pgdata15', majors: [14, 15], how: 'dump-restore', keepOld: true });
  });
});

describe('versions', () => {
  test.each([
    ['package.json#version', { kind: 'json', path: 'package.json', key: ['version'] }],
    ['./app/meta.json#tool.version', { kind: 'json', path: 'app/meta.json', key: ['tool', 'version'] }],
    ['VERSION', { kind: 'text', path: 'VERSION' }],
    ['git', { kind: 'git' }],
  ])('come from %s', (base, wanted) => {
    expect(productOf(`schema: 1\nproduct: a\nrelease: { tag: "v{version}", base: ${JSON.stringify(base)} }\n`).release.base).toEqual(
      wanted,
    );
  });

  test('have former grammars, repositories, notes and maintenance lines', () => {
    const { product } = parseProduct(contract, 'slipway.yaml');
    expect(product?.release).toMatchObject({
      versions: 'semver',
      base: { kind: 'json', path: 'package.json', key: ['version'] },
      formerTags: [{ tag: 'v{version}', versions: 'semver', artifact: 'acme-{version}.tar.gz' }],
      repositories: ['acme/web', 'acme/docs'],
      notes: 'docs/changelogs/{base}.md',
      channels: { 'lts-2.3': { versions: '2.3.x' } },
    });
  });
});

describe('defaults', () => {
  test('schema, product and release.tag are enough', () => {
    const { source: _, ...product } = productOf(HEAD);
    expect(product).toEqual({
      product: 'acme',
      title: 'acme',
      ci: {
        runner: 'ubuntu-latest',
        node: '24',
        setup: ['npm ci --ignore-scripts', 'echo "$PWD/node_modules/.bin" >> "$GITHUB_PATH"'],
        validate: [],
        plan: true,
        branches: [],
        secrets: {},
        logins: {},
        mirror: { schedule: '17 3 * * *' },
        outdated: { schedule: '23 5 * * 1', report: 'issue' },
        refresh: '41 4 * * 1',
        jobs: {},
      },
      sync: { remotes: ['origin'], gate: [] },
      cli: 'acmectl',
      release: {
        tag: 'v{version}',
        versions: 'semver',
        base: { kind: 'git' },
        formerTags: [],
        repositories: [],
        notes: undefined,
        artifact: 'acme-bundle-{version}.tar.gz',
        aliases: [],
        channels: { stable: {} },
        expires: 31_536_000,
        publicKey: undefined,
        hosts: [{ name: 'local', type: 'folder', path: 'dist/releases' }],
        publishTo: ['local'],
        authority: 'local',
        allowReplace: false,
      },
      bundle: undefined,
      images: {
        registry: undefined,
        mirror: true,
        login: 'none',
        own: {},
        thirdParty: [],
        tags: { main: ['latest', '{sha}'], release: ['{version}', '{major}.{minor}', '{major}'], branch: ['{date:YYYY.MMDD.HHmm}-{sha}'] },
        branchNamespace: '{namespace}0{branch}',
      },
      features: {},
      env: {},
      requires: { ports: [], platforms: [] },
      services: {},
      data: {},
      backup: { keep: 5 },
      upgrade: { from: '*', stop: false, migrate: [], entry: [], health: [], timeout: 120, probation: 30 },
      ignore: [],
    });
  });

  test('an empty bundle packs docker-compose.yml', () => {
    expect(productOf(`${HEAD}bundle: {}\n`).bundle).toMatchObject({ compose: ['docker-compose.yml'], files: [], values: {} });
  });

  test('numbers are seconds and bytes, never is null', () => {
    const text =
      'schema: 1\nproduct: a\nrelease: { tag: "{version}", expires: never }\nrequires: { memory: 1024 }\nupgrade: { timeout: 5, probation: 0 }\n';
    const product = productOf(text);
    expect(product).toMatchObject({ release: { expires: null }, requires: { memory: 1024 }, upgrade: { timeout: 5, probation: 0 } });
  });

  test('anchors may be used', () => {
    const text = `${HEAD}env:\n  A: &port { type: port, default: 80 }\n  B: *port\n  C: { <<: *port, default: 81 }\n`;
    expect(productOf(text).env).toEqual({
      A: { type: 'port', default: 80 },
      B: { type: 'port', default: 80 },
      C: { type: 'port', default: 81 },
    });
  });
});

describe('problems', () => {
  test.each<[string, string, [number, string, string | undefined][]]>([
    ['nothing at all', '', [[1, 'E_VALUE', undefined]]],
    ['a list', '- a\n', [[1, 'E_VALUE', undefined]]],
    [
      'nothing but the schema',
      'schema: 1\n',
      [
        [1, 'E_MISSING', 'product'],
        [1, 'E_MISSING', 'release'],
      ],
    ],
    ['no tag', 'schema: 1\nproduct: a\nrelease:\n  aliases: []\n', [[3, 'E_MISSING', 'release.tag']]],
    ['a later schema', HEAD.replace('1', '2'), [[1, 'E_VALUE', 'schema']]],
    ['a bad product name', HEAD.replace('acme', 'Acme'), [[2, 'E_VALUE', 'product']]],
    ['an unknown key at the top', `${HEAD}titel: x\n`, [[4, 'E_UNKNOWN_KEY', 'titel']]],
    ['an unknown key deep inside', `${HEAD}upgrade:\n  health:\n    - htpp: x\n`, [[6, 'E_UNKNOWN_KEY', 'upgrade.health[0].htpp']]],
    [
      'an unknown key in one form of several',
      `${HEAD}requires:\n  ports:\n    - 80\n    - port: 1\n      protcol: udp\n`,
      [[8, 'E_UNKNOWN_KEY', 'requires.ports[1].protcol']],
    ],
    ['a duplicate key', `${HEAD}title: a\ntitle: b\n`, [[5, 'E_DUPLICATE_KEY', undefined]]],
    ['broken YAML', `${HEAD}env: { A: \n`, [[4, 'E_YAML', undefined]]],
    ['a choice that is none', `${HEAD}env:\n  A:\n    type: hostnme\n`, [[6, 'E_VALUE', 'env.A.type']]],
    ['a variable name with a dash', `${HEAD}env:\n  A-B: {}\n`, [[5, 'E_VALUE', 'env.A-B']]],
    ['yes for true', `${HEAD}env:\n  A:\n    required: yes\n`, [[6, 'E_VALUE', 'env.A.required']]],
    ['an unknown unit', `${HEAD}upgrade:\n  timeout: 5 minutes\n`, [[5, 'E_VALUE', 'upgrade.timeout']]],
    ['a path that leaves the folder', `${HEAD}bundle:\n  folders:\n    - ok\n    - ../up\n`, [[7, 'E_VALUE', 'bundle.folders[1]']]],
    ['an absolute path', `${HEAD}data:\n  d:\n    path: /srv\n`, [[6, 'E_VALUE', 'data.d.path']]],
    ['a host path that is relative', `${HEAD}bundle:\n  hostPaths: [proc]\n`, [[5, 'E_VALUE', 'bundle.hostPaths[0]']]],
    ['a bad range', `${HEAD}upgrade: { from: newest }\n`, [[4, 'E_VALUE', 'upgrade.from']]],
    [
      'a port out of range',
      `${HEAD}requires: { ports: [0, 65536] }\n`,
      [
        [4, 'E_VALUE', 'requires.ports[0]'],
        [4, 'E_VALUE', 'requires.ports[1]'],
      ],
    ],
    ['an entry with nothing in it', `${HEAD}data:\n  d:\n`, [[5, 'E_VALUE', 'data.d']]],
    ['an image with a digest', `${HEAD}images:\n  thirdParty:\n    a:\n      - x@sha256:00\n`, [[7, 'E_VALUE', 'images.thirdParty.a[0]']]],
    [
      'an ignore entry without a reason',
      `${HEAD}check:\n  ignore:\n    - { code: W_X, path: a }\n`,
      [[6, 'E_MISSING', 'check.ignore[0].reason']],
    ],
    [
      'an oci authority',
      `schema: 1\nproduct: a\nrelease:\n  tag: v{version}\n  hosts:\n    o: { type: oci, repository: r.example/a }\n  authority: o\n`,
      [[7, 'E_VALUE', 'release.authority']],
    ],
    [
      'a base that is no version source',
      'schema: 1\nproduct: a\nrelease:\n  tag: v{version}\n  base: ../package.json\n',
      [[5, 'E_VALUE', 'release.base']],
    ],
    ['a derived secret with a mistake in it', `${HEAD}env:\n  A: { secret: { jwt: B } }\n`, [[5, 'E_VALUE', 'env.A.secret']]],
  ])('%s', (_, text, wanted) => {
    expect(problemsOf(text)).toEqual(wanted);
  });

  test('all come at once, in the order of their lines, and the rest is still read', () => {
    const text = `${HEAD}titel: x\nenv:\n  A: { type: hostnme }\n  B: { default: 2 }\nfeatures:\n  mail: { memory: lots }\nupgrade:\n  { entry: [proxy], health: [{ https: y }],\n  timeout: x }\n`;
    expect(problemsOf(text).map(([line, code]) => [line, code])).toEqual([
      [4, 'E_UNKNOWN_KEY'],
      [6, 'E_VALUE'],
      [9, 'E_VALUE'],
      [11, 'E_UNKNOWN_KEY'],
      [12, 'E_VALUE'],
    ]);
    expect(parseProduct(text, 'slipway.yaml').product).toMatchObject({
      env: { A: {}, B: { default: 2 } },
      upgrade: { entry: ['proxy'], timeout: 120 },
    });
  });

  test.each([
    [`${HEAD}titel: x\n`, 'unknown key titel', 'Did you mean title?'],
    [HEAD.replace('release:', 'relaese:'), 'unknown key relaese', 'Did you mean release?'],
    [`${HEAD}bundle: { flies: [] }\n`, 'unknown key flies', 'Did you mean files?'],
    [`${HEAD}images: { thirdParty: { a: [{ source: x, ass: y }] } }\n`, 'unknown key ass', 'Did you mean as?'],
    [`${HEAD}services: { a: { knid: job } }\n`, 'unknown key knid', 'Did you mean kind?'],
    [`${HEAD}services: { a: { sort: job } }\n`, 'unknown key sort', 'Known here: kind, optional, writer, external.'],
    [
      `${HEAD}env: { A: { type: hostnme } }\n`,
      'env.A.type: expected one of text, integer, boolean, port, hostname, email, url, path, choice, found "hostnme"',
      'Did you mean hostname?',
    ],
    [
      `${HEAD}env: { A: { required: yes } }\n`,
      'env.A.required: expected true or false, found "yes"',
      'Write true or false, without quotes.',
    ],
    [`${HEAD}title: 1.0\n`, 'title: expected text, found 1', 'Put it in quotes.'],
    [
      `${HEAD}bundle: { folders: x }\n`,
      'bundle.folders: expected a list, found "x"',
      'Write it as [a, b], or with a dash before each line.',
    ],
    [
      HEAD.replace('v{version}', 'v1'),
      'release.tag: expected a tag with one {version} in it, such as v{version}, of letters, digits, ., - and _, found "v1"',
      'Correct the value.',
    ],
  ])('%j says what is wrong and what to do', (text, message, hint) => {
    expect(parseProduct(text, 'slipway.yaml').problems).toContainEqual(expect.objectContaining({ message, hint, file: 'slipway.yaml' }));
  });
});

test('the JSON Schema knows every key of the contract and refuses others', () => {
  const schema = JSON.stringify(productJsonSchema());
  for (const key of ['formerTags', 'hostFiles', 'registryVariable', 'thirdParty', 'renamedFrom', 'probation', 'onUpgrade', 'ignore']) {
    expect(schema).toContain(`"${key}"`);
  }
  expect(productJsonSchema()).toMatchObject({ type: 'object', required: ['schema', 'product', 'release'], additionalProperties: false });
});
