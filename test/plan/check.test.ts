import { describe, expect, test } from 'vitest';
import { parseProduct } from '../../src/model/product.ts';
import { caseCollisions, checkProduct, type ProductFacts } from '../../src/plan/check.ts';
import { namedPaths } from '../../src/plan/check-references.ts';

const HEAD = 'schema: 1\nproduct: acme\nrelease: { tag: "v{version}" }\n';
const KEY = `RW${'A'.repeat(54)}`;

function productOf(text: string) {
  const { product } = parseProduct(text, 'slipway.yaml');
  if (product === undefined) throw new Error('no product');
  return product;
}

function problemsOf(text: string, facts: ProductFacts = {}): [number, string, string | undefined][] {
  return checkProduct(productOf(text), facts).map(({ line, code, path }) => [line, code, path]);
}

const release = (more: string): string => `schema: 1\nproduct: acme\nrelease:\n  tag: v{version}\n${more}`;

describe('the parts of a product', () => {
  test('that agree have no problems', () => {
    const text = `${release(`  publicKey: ${KEY}\n`)}bundle:
  shims: { config.sh: configure }
  validate: [{ service: proxy, command: [nginx, -t] }]
images:
  registry: registry.example/acme
  own: { api: {} }
  thirdParty: { core: [postgres:16] }
features: { mail: {} }
env:
  PORT: { type: port, default: 8080 }
  HOST: { type: hostname, required: true, when: features.mail }
  URL: { type: url, default: "http://{{HOST}}:{{PORT}}" }
requires: { ports: ["{{PORT}}"] }
services: { api: { writer: false } }
data: { pg: { backup: { service: db, dump: d, restore: r } } }
upgrade:
  entry: [proxy]
  migrate: [{ service: api, command: [m], needs: [db] }]
  health: [{ http: "http://127.0.0.1:{{PORT}}/" }, { tcp: "127.0.0.1:1", refused: true }, { service: api, command: [x] }]
`;
    expect(problemsOf(text, { services: ['proxy', 'api', 'db'], publicKey: KEY, missing: [] })).toEqual([]);
  });

  test.each<[string, string, ProductFacts, [number, string, string][]]>([
    ['an artifact without a version', release('  artifact: acme.tar.gz\n'), {}, [[5, 'E_ARTIFACT', 'release.artifact']]],
    [
      'an alias that is an asset already',
      release('  aliases:\n    - a.tar.gz\n    - Install.sh\n    - a.tar.gz\n'),
      {},
      [
        [7, 'E_DUPLICATE_ASSET', 'release.aliases[1]'],
        [8, 'E_DUPLICATE_ASSET', 'release.aliases[2]'],
      ],
    ],
    ['a public key that is none', release('  publicKey: RWS\n'), {}, [[5, 'E_PUBLIC_KEY', 'release.publicKey']]],
    [
      'a secret key of another pair',
      release(`  publicKey: ${KEY}\n`),
      { publicKey: KEY.replace('A', 'B') },
      [[5, 'E_KEY_MISMATCH', 'release.publicKey']],
    ],
    [
      'an env file in a place of others',
      `${HEAD}cli: actl\nbundle: { userOwned: [content/] }\nenv:\n  A: { file: .env }\n  B: { file: .slipway/x }\n  C: { file: actl }\n  D: { file: content/x.env }\n  E: { file: ok/x.env }\n`,
      {},
      [
        [7, 'E_NAME_TAKEN', 'env.A.file'],
        [8, 'E_NAME_TAKEN', 'env.B.file'],
        [9, 'E_NAME_TAKEN', 'env.C.file'],
        [10, 'E_NAME_TAKEN', 'env.D.file'],
      ],
    ],
    [
      'values used where their env file is not read',
      `${HEAD}env:\n  A: { default: 1, file: a.env }\n  B: { default: "{{A}}" }\n  C: { default: "{{A}}{{B}}", file: a.env }\n  D: { default: "{{A}}", file: b.env }\nrequires: { ports: ["{{A}}"] }\nupgrade: { health: [{ tcp: "127.0.0.1:{{A}}" }] }\n`,
      {},
      [
        [6, 'E_UNSET_VARIABLE', 'env.B.default'],
        [8, 'E_UNSET_VARIABLE', 'env.D.default'],
        [9, 'E_UNSET_VARIABLE', 'requires.ports[0]'],
        [10, 'E_UNSET_VARIABLE', 'upgrade.health[0]'],
      ],
    ],
    [
      'derived secrets that cannot be made',
      `${HEAD}env:\n  K: { secret: hex, length: 80 }\n  A: { secret: { bcrypt: NO } }\n  B: { secret: { bcrypt: K } }\n  C: { secret: { jwt: K, claims: {} }, immutable: true }\n  D: { secret: { jwt: C, claims: {} } }\n  E: { secret: { jwt: K, claims: {} }, length: 9 }\n`,
      {},
      [6, 7, 8, 9, 10].map((line, index) => [line, 'E_SECRET_ORIGIN', `env.${'ABCDE'[index]}.secret`]),
    ],
    [
      'reveal and rotate where nothing is generated',
      `${HEAD}env:\n  A: { reveal: once }\n  B: { sensitive: true, rotate: { service: db, command: [x] } }\n`,
      {},
      [
        [5, 'E_REVEAL', 'env.A.reveal'],
        [6, 'E_ROTATE', 'env.B.rotate'],
      ],
    ],
    [
      'a rotation in a service that is not there',
      `${HEAD}env:\n  A: { secret: hex, rotate: { service: bd, command: [x] } }\n`,
      { services: ['db'] },
      [[5, 'E_UNKNOWN_SERVICE', 'env.A.rotate.service']],
    ],
    [
      'hosts that do not exist',
      release('  hosts:\n    local: { type: folder, path: x }\n  publishTo: [locla]\n  authority: other\n'),
      {},
      [
        [7, 'E_UNKNOWN_HOST', 'release.publishTo[0]'],
        [8, 'E_UNKNOWN_HOST', 'release.authority'],
      ],
    ],
    ['own images without a registry', `${HEAD}images:\n  own: { api: {} }\n`, {}, [[5, 'E_REGISTRY', 'images.own']]],
    [
      'a third-party image without a tag',
      `${HEAD}images:\n  thirdParty:\n    a:\n      - postgres\n`,
      {},
      [[7, 'E_IMAGE_TAG', 'images.thirdParty.a[0]']],
    ],
    [
      'two images of one name',
      `${HEAD}images:\n  registry: r.example/a\n  own:\n    db: {}\n  thirdParty:\n    a:\n      - { source: "x:1", as: db }\n`,
      {},
      [[10, 'E_DUPLICATE_IMAGE', 'images.thirdParty.a[0]']],
    ],
    [
      'two names for one image',
      `${HEAD}images:\n  registry: r.example/a\n  own:\n    api: { repository: x }\n    web: { repository: x }\n`,
      {},
      [[8, 'E_DUPLICATE_IMAGE', 'images.own.web']],
    ],
    [
      'features that do not exist',
      `${HEAD}env:\n  A:\n    when: features.mial\nfeatures: { mail: {} }\n`,
      {},
      [[6, 'E_UNKNOWN_FEATURE', 'env.A.when']],
    ],
    [
      'placeholders of no variable',
      `${HEAD}env:\n  A: { default: "{{B}}" }\nbackup:\n  to: "{{DIR}}"\nupgrade:\n  health:\n    - tcp: "127.0.0.1:{{PROT}}"\n`,
      {},
      [
        [5, 'E_UNKNOWN_VARIABLE', 'env.A.default'],
        [7, 'E_UNKNOWN_VARIABLE', 'backup.to'],
        [10, 'E_UNKNOWN_VARIABLE', 'upgrade.health[0].tcp'],
      ],
    ],
    [
      'services that the compose file does not have',
      `${HEAD}services:\n  seed: {}\nupgrade:\n  entry:\n    - proxy\n    - prxy\n  migrate:\n    - { service: api, command: [m], needs: [d] }\n`,
      { services: ['proxy', 'api'] },
      [
        [5, 'E_UNKNOWN_SERVICE', 'services.seed'],
        [9, 'E_UNKNOWN_SERVICE', 'upgrade.entry[1]'],
        [11, 'E_UNKNOWN_SERVICE', 'upgrade.migrate[0].needs[0]'],
      ],
    ],
    ['a shim of no command', `${HEAD}bundle:\n  shims:\n    up.sh: upgrad\n`, {}, [[6, 'E_UNKNOWN_COMMAND', 'bundle.shims.up.sh']]],
    [
      'names that are taken',
      `${HEAD}cli: version\nbundle:\n  shims:\n    Config.sh: configure\n    config.sh: configure\n  folders: [.slipway/]\n`,
      {},
      [
        [4, 'E_NAME_TAKEN', 'cli'],
        [8, 'E_NAME_TAKEN', 'bundle.shims.config.sh'],
        [9, 'E_NAME_TAKEN', 'bundle.folders[0]'],
      ],
    ],
    [
      'probes of no kind, of two kinds, half a kind',
      `${HEAD}upgrade:\n  health:\n    - status: 200\n    - { http: "http://x/", tcp: "x:1" }\n    - { service: a }\n    - { tcp: "x:1", status: 200 }\n    - { http: "http://x/", refused: true, status: 200 }\n`,
      {},
      [6, 7, 8, 9, 10].map((line, index) => [line, 'E_PROBE', `upgrade.health[${index}]`]),
    ],
    [
      'defaults that do not fit',
      `${HEAD}env:
  A: { type: port, default: http }
  B: { type: choice, choices: [a], default: b }
  C: { pattern: "^x$", default: y }
  D: { secret: hex, default: z }
  E: { pattern: "(" }
  F: { type: choice }
  G: { choices: [a] }
  H: { length: 20 }
  I: { default: "{{J}}" }
  J: { default: "{{I}}" }
  K: { renamedFrom: A }
  k: {}
`,
      {},
      [
        [5, 'E_DEFAULT', 'env.A.default'],
        [6, 'E_DEFAULT', 'env.B.default'],
        [7, 'E_DEFAULT', 'env.C.default'],
        [8, 'E_DEFAULT', 'env.D.default'],
        [9, 'E_PATTERN', 'env.E.pattern'],
        [10, 'E_CHOICES', 'env.F'],
        [11, 'E_CHOICES', 'env.G.choices'],
        [12, 'E_LENGTH', 'env.H.length'],
        [13, 'E_CIRCLE', 'env.I.default'],
        [14, 'E_CIRCLE', 'env.J.default'],
        [15, 'E_RENAMED', 'env.K.renamedFrom'],
        [16, 'E_CASE_COLLISION', 'env.k'],
      ],
    ],
    [
      'files that do not exist',
      `${HEAD}bundle:\n  compose: a.yml\n  files:\n    - from: b\n    - from: c\n`,
      { missing: ['a.yml', 'c'] },
      [
        [5, 'E_NO_FILE', 'bundle.compose'],
        [8, 'E_NO_FILE', 'bundle.files[1].from'],
      ],
    ],
  ])('%s: refused with the line', (_, text, facts, wanted) => {
    expect(problemsOf(text, facts)).toEqual(wanted);
  });

  test('what parsing already refused is not reported again', () => {
    const text = `${release('  hosts: { github: { type: github, repository: a/b } }\n  publishTo: [github]\n')}features: { chat: 5 }\nenv:\n  A: { when: features.chat }\n  B: { secret: rot13, length: 20 }\n  C: { default: "{{B}}" }\nimages: { thirdParty: { a: [{ source: k3s, tags: [x] }] } }\n`;
    expect(problemsOf(text)).toEqual([]);
  });

  test('check.ignore silences one problem at one place', () => {
    const text = `${HEAD}upgrade:\n  health: [{ status: 200 }, { status: 200 }]\ncheck: { ignore: [{ code: E_PROBE, path: "upgrade.health[1]", reason: to come }] }\n`;
    expect(problemsOf(text)).toEqual([[5, 'E_PROBE', 'upgrade.health[0]']]);
  });

  test('a wrong name comes with the near one', () => {
    const [problem] = checkProduct(productOf(`${HEAD}env: { A: { when: features.mial } }\nfeatures: { mail: {} }\n`), {});
    expect(problem).toMatchObject({ severity: 'error', message: 'there is no feature mial', hint: 'Did you mean mail?' });
  });
});

test('the paths that slipway.yaml names are listed for whoever looks at the disk', () => {
  const product = productOf(`${HEAD}bundle: { compose: [a.yml, ./b.yml], env: e.hbs, files: [{ from: ./site }] }\n`);
  expect(namedPaths(product).map(({ name }) => name)).toEqual(['a.yml', 'b.yml', 'e.hbs', 'site']);
});

test('paths that differ only in case are found', () => {
  expect(caseCollisions(['a/B', 'a/c', 'A/b', 'a/b'])).toEqual([['a/B', 'A/b', 'a/b']]);
});
