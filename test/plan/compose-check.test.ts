import { describe, expect, test } from 'vitest';
import { parseProduct } from '../../src/model/product.ts';
import { checkCompose, composeServices } from '../../src/plan/compose-check.ts';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const D = '$';
const images = [
  { name: 'api', reference: 'registry.example/acme/api:2.4.0', digest: A },
  { name: 'postgres', reference: 'postgres:16', digest: B },
  { name: 'web', reference: 'registry.example/acme/web:2.4.0' },
];
const API = `registry.example/acme/api:2.4.0@${A}`;

const PRODUCT = `schema: 1
product: acme
release: { tag: "v{version}" }
bundle: { userOwned: [content/], hostPaths: [/var/run/docker.sock, /proc] }
env:
  PORT: { type: port, default: 80 }
  HOST: { required: true }
  KEY: { secret: hex }
  NOTE: { ask: A note }
  DATA: { default: ./media }
data: { pgdata: {}, media: { path: ./media }, cache: { ephemeral: true } }
`;

function productOf(more = '') {
  const { product } = parseProduct(PRODUCT + more, 'slipway.yaml');
  if (product === undefined) throw new Error('no product');
  return product;
}

/** A compose file with one service `api` on line 3 whose fields begin on line 5. */
function compose(fields: string, more = ''): string {
  return `name: acme\nservices:\n  api:\n    image: ${API}\n${fields}volumes: { pgdata: , cache: }\n${more}`;
}

function problemsOf(text: string, product = productOf(), files: string[] = []): [number, string, string | undefined][] {
  return checkCompose({ text, file: 'docker-compose.yml', product, images, files }).map(({ line, code, path }) => [line, code, path]);
}

test('a sound compose file has no problems', () => {
  const fields = `    ports: ["${D}{PORT}:80"]
    environment:
      HOST: ${D}{HOST}
      KEY: ${D}KEY
      NOTE: ${D}{NOTE:-}
      DOLLARS: a$$b
    volumes:
      - pgdata:/data
      - ./media/sub:/media
      - ${D}{DATA}:/more
      - ./content:/content
      - ./nginx.conf:/etc/nginx.conf
      - ./configs:/configs:ro,z
      - /var/run/docker.sock:/var/run/docker.sock
      - /proc/1:/host:ro
      - { type: volume, source: cache, target: /cache }
      - { type: tmpfs, target: /tmp }
`;
  const db = `  db: { image: "postgres:16@${B}" }\n`;
  expect(problemsOf(compose(fields + db), productOf(), ['nginx.conf', 'configs/a.conf'])).toEqual([]);
});

describe('images', () => {
  const service = (image: string): string => compose('').replace(API, image);
  test.each([
    ['an image outside the table', 'redis:7@'.concat(A), 'E_IMAGE_UNKNOWN'],
    ['another tag', `registry.example/acme/api:2.5.0@${A}`, 'E_IMAGE_UNKNOWN'],
    ['no digest', 'registry.example/acme/api:2.4.0', 'E_IMAGE_UNPINNED'],
    ['a digest that nobody resolved', `registry.example/acme/web:2.4.0@${A}`, 'E_IMAGE_UNPINNED'],
    ['another digest', `registry.example/acme/api:2.4.0@${B}`, 'E_IMAGE_DIGEST'],
    ['an image chosen by a variable', `registry.example/acme/api:${D}{PORT}`, 'E_IMAGE'],
    ['no image name', '"UPPER CASE"', 'E_IMAGE'],
  ])('%s', (_, image, code) => {
    expect(problemsOf(service(image))).toEqual([[4, code, 'services.api.image']]);
  });

  test('a build section that is left', () => {
    expect(problemsOf(compose('    build: .\n'))).toEqual([[5, 'E_BUILD_LEFT', 'services.api.build']]);
  });

  test('a service without image', () => {
    expect(problemsOf('name: acme\nservices:\n  api: {}\nvolumes: { pgdata: , cache: }\n')).toEqual([[3, 'E_NO_IMAGE', 'services.api']]);
  });

  test('before anything is locked only the table counts', () => {
    const text = service('registry.example/acme/web:2.4.0');
    expect(checkCompose({ text, file: 'c.yml', product: productOf(), images, pinned: false })).toEqual([]);
  });
});

describe('mounts', () => {
  const mounted = (volume: string): string => compose(`    volumes:\n      - ${volume}\n`);
  test.each([
    ['a volume that nobody declared', 'other:/x', 'E_MOUNT'],
    ['a writable folder', './logs:/x', 'E_MOUNT'],
    ['a writable folder of vendor files', './configs:/x', 'E_MOUNT'],
    ['a folder that is only called like data', './media2:/x', 'E_MOUNT'],
    ['a folder beside the data, by way of it', './media/../logs:/x', 'E_MOUNT'],
    ['the whole folder', '.:/x', 'E_MOUNT'],
    ['a writable long form', '{ type: bind, source: ./logs, target: /x }', 'E_MOUNT'],
    ['a source that only a person can set', `"${D}{HOST}:/x"`, 'E_MOUNT'],
    ['an anonymous volume', '/var/lib/x', 'E_ANONYMOUS_VOLUME'],
    ['an anonymous long form', '{ type: volume, target: /x }', 'E_ANONYMOUS_VOLUME'],
    ['a host path', '/etc:/x:ro', 'E_HOST_PATH'],
    ['a host path that is only called like a declared one', '/proc2:/x:ro', 'E_HOST_PATH'],
    ['a host path by way of a declared one', '/proc/../etc:/x:ro', 'E_HOST_PATH'],
    ['the folder above', '../x:/x:ro', 'E_HOST_PATH'],
    ['a home folder', '~/x:/x', 'E_HOST_PATH'],
    ['a default outside', `"${D}{WHERE:-/srv}:/x"`, 'E_HOST_PATH'],
  ])('%s', (_, volume, code) => {
    expect(problemsOf(mounted(volume), productOf(), ['configs/a.conf'])).toEqual([[6, code, 'services.api.volumes[0]']]);
  });

  test('folders of the host behind volumes, configs and secrets are seen', () => {
    const more = 'secrets:\n  s: { file: /etc/shadow }\nconfigs:\n  c: { file: ./c.conf }\n';
    const text = compose('', more).replace('cache: }', 'cache: { driver_opts: { type: none, o: bind, device: /srv } } }');
    expect(problemsOf(text)).toEqual([
      [5, 'E_HOST_PATH', 'volumes.cache.driver_opts.device'],
      [7, 'E_HOST_PATH', 'secrets.s.file'],
    ]);
  });

  test('data that is no volume is reported in slipway.yaml', () => {
    const problems = checkCompose({ text: compose('').replace('pgdata:', 'pgdat:'), file: 'c.yml', product: productOf(), images });
    expect(problems).toMatchObject([
      { code: 'E_DATA_VOLUME', file: 'slipway.yaml', line: 11, path: 'data.pgdata', hint: expect.stringContaining('Did you mean pgdat?') },
    ]);
  });
});

describe('variables', () => {
  test('each use without a value has its own line', () => {
    const fields = `    command: |
      run
      ${D}{NOPE} ${D}{PORT}
    environment:
      A: ${D}{NOTE}
      B: ${D}{X:-${D}{Y}}
      C: ${D}{Z:?set it}
      D: ${D}{unclosed
      # ${D}{COMMENT}
      E: ${D}{COMPOSE_PROJECT_NAME}
`;
    expect(problemsOf(compose(fields))).toEqual([
      [7, 'E_UNSET_VARIABLE', 'services.api.command'],
      [9, 'E_UNSET_VARIABLE', 'services.api.environment.A'],
      [10, 'E_UNSET_VARIABLE', 'services.api.environment.B'],
      [11, 'W_UNKNOWN_VARIABLE', 'services.api.environment.C'],
      [12, 'E_INTERPOLATION', 'services.api.environment.D'],
    ]);
  });

  test('that live in an env file of their own cannot be filled in here, not even with a default', () => {
    const product = productOf();
    const moved = { ...product, env: { ...product.env, PORT: { default: 1, file: 'env/api.env' } } };
    expect(problemsOf(compose(`    ports: ["${D}{PORT:-1}:80"]\n`), moved)).toEqual([[5, 'E_UNSET_VARIABLE', 'services.api.ports[0]']]);
  });

  test('the near name is in the hint', () => {
    const [problem] = checkCompose({ text: compose(`    command: ${D}{PROT}\n`), file: 'c.yml', product: productOf(), images });
    expect(problem).toMatchObject({
      message: 'PROT is no variable of the product, so it would be blank',
      hint: expect.stringContaining('Did you mean PORT?'),
    });
  });
});

describe('the file as a whole', () => {
  test.each<[string, string, [number, string, string | undefined][]]>([
    ['no name', compose('').replace('name: acme\n', ''), [[1, 'E_PROJECT_NAME', undefined]]],
    ['another name', compose('').replace('acme', 'other'), [[1, 'E_PROJECT_NAME', 'name']]],
    ['a name whose default is the product', compose('').replace('acme', `${D}{COMPOSE_PROJECT_NAME:-acme}`), []],
    ['no services', 'name: acme\nvolumes: { pgdata: , cache: }\n', [[1, 'E_NO_SERVICES', 'services']]],
    ['another file taken in', compose('', 'include: [x.yml]\n'), [[6, 'E_NOT_SUPPORTED', 'include']]],
    ['a service of another file', compose('    extends: { file: x.yml, service: a }\n'), [[5, 'E_NOT_SUPPORTED', 'services.api.extends']]],
    ['a duplicate key', compose('    init: true\n    init: false\n'), [[6, 'E_DUPLICATE_KEY', undefined]]],
    ['broken YAML', 'name: acme\nservices: [\n', [[3, 'E_YAML', undefined]]],
  ])('%s', (_, text, wanted) => {
    expect(problemsOf(text)).toEqual(wanted);
  });

  test('ports beside the door are a warning', () => {
    const text = compose('    ports: ["80:80"]\n');
    expect(problemsOf(text, productOf('upgrade: { entry: [proxy] }\n'))).toEqual([[5, 'W_OPEN_BESIDE_DOOR', 'services.api.ports']]);
    expect(problemsOf(text, productOf('upgrade: { entry: [api] }\n'))).toEqual([]);
  });

  test('a profile that no service has is a warning in slipway.yaml', () => {
    const product = productOf('features: { mail: { profiles: [mial] } }\n');
    expect(problemsOf(compose('    profiles: [mail]\n'), product)).toEqual([[12, 'W_UNUSED_PROFILE', 'features.mail']]);
  });

  test('check.ignore silences by code and path', () => {
    const product = productOf('check: { ignore: [{ code: E_MOUNT, path: services.api, reason: scratch }] }\n');
    expect(problemsOf(compose('    volumes: [./logs:/x, /etc:/y]\n'), product)).toEqual([[5, 'E_HOST_PATH', 'services.api.volumes[1]']]);
  });

  test('shared blocks with anchors are checked where they are used', () => {
    const text = `name: acme\nx-base: &base\n  volumes: [./logs:/x]\nservices:\n  api:\n    <<: *base\n    image: ${API}\nvolumes: { pgdata: , cache: }\n`;
    expect(problemsOf(text)).toEqual([[5, 'E_MOUNT', 'services.api.volumes[0]']]);
  });
});

test('the services of a compose file are listed', () => {
  expect(composeServices(compose('  db: {}\n'))).toEqual(['api', 'db']);
  expect(composeServices('services: [')).toEqual([]);
});
