// init --from on compose projects as people have them, one of each shape: what comes of each is checked as `slipway check` does.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommandResult, Flags } from '../../src/commands/command.ts';
import { check } from '../../src/commands/slipway/check.ts';
import { init } from '../../src/commands/slipway/init.ts';
import { exitCodeOf } from '../../src/model/error.ts';
import type { Problem } from '../../src/model/problem.ts';
import { type Product, parseProduct } from '../../src/model/product.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { gitEnvironment } from '../fakes/git-workspace.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';

const PROJECTS = join(import.meta.dirname, '../fixtures/compose');
const PROGRAM = join(import.meta.dirname, '../../src/main.ts');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-from-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Made {
  readonly root: string;
  readonly result: CommandResult;
  readonly product: Product;
  readonly yaml: string;
  readonly compose: string;
  /** The warnings of `check`. */
  readonly warnings: readonly string[];
}

async function copyOf(name: string): Promise<string> {
  const root = join(await mkdtemp(join(folder, 'place-')), name);
  await cp(join(PROJECTS, name), root, { recursive: true });
  return root;
}

function run(root: string, from: readonly string[], flags: Flags = {}): Promise<CommandResult> {
  const world = quietWorld({ env: gitEnvironment, run: runProgram, terminal: scriptedTerminal() });
  const all = { dir: root, from: from.map((name) => join(root, name)), yes: true, ...flags };
  return init.run({ world, flags: all, positionals: [], program: 'slipway', file: PROGRAM });
}

/** Makes a product of the project, and has it checked. */
async function made(name: string, from: readonly string[] = ['docker-compose.yml'], flags: Flags = {}): Promise<Made> {
  const root = await copyOf(name);
  const before = await readFile(join(root, from[0] ?? ''), 'utf8');
  const result = await run(root, from, flags);
  expect(await readFile(join(root, from[0] ?? ''), 'utf8')).toBe(before);
  const world = quietWorld({ env: gitEnvironment, run: runProgram });
  const config = join(root, 'slipway.yaml');
  const checked = await check.run({ world, flags: { config }, positionals: [], program: 'slipway', file: PROGRAM });
  const warnings = (checked.fields.problems as Problem[]).map(({ code }) => code);
  const yaml = await readFile(config, 'utf8');
  const { product } = parseProduct(yaml, 'slipway.yaml');
  if (product === undefined) throw new Error('it was checked before');
  return { root, result, product, yaml, compose: await readFile(join(root, 'templates/docker-compose.yml.hbs'), 'utf8'), warnings };
}

const hosts = ({ product }: Made): string[] => product.images.thirdParty.map(({ source }) => source);

describe('init --from makes a product that passes check of', () => {
  test('a plain file with passwords in it: they are made on each machine, one for both sides', async () => {
    const { product, compose, warnings } = await made('wordpress');
    expect(product.env).toMatchObject({ WORDPRESS_DB_PASSWORD: { secret: 'password', immutable: true } });
    expect(Object.keys(product.env)).toEqual(['WORDPRESS_DB_PASSWORD']);
    expect(compose.match(/\$\{WORDPRESS_DB_PASSWORD:\?/g)).toHaveLength(2);
    expect(compose).not.toContain('examplepass');
    expect(compose).toMatch(/^# A blog, as its image's page shows it\.\n(?:\n)?name: wordpress\n/);
    expect(product.data).toMatchObject({ wordpress: {}, db: { engine: 'mysql', major: 8 } });
    expect(product.requires.ports).toEqual([{ port: '8080', protocol: 'tcp' }]);
    expect(warnings).toEqual([]);
  });

  test('anchors and merge keys: they stay, one image serves three services, and .env.example gives the settings', async () => {
    const { product, compose } = await made('rails');
    expect(product.images).toMatchObject({ registry: 'ghcr.io/bookshelf', own: { app: { repository: 'app' } } });
    expect(compose).toContain('x-app: &app\n  image: {{image "app"}}\n');
    expect(compose).toContain('<<: *app-env');
    expect(compose).toContain('tag: "\\{{.Name}}"');
    expect(product.env).toMatchObject({
      WEB_PORT: { type: 'port', default: 3000, ask: 'Web port', help: 'Port of the web server' },
      POSTGRES_PASSWORD: { secret: 'password' },
      SECRET_KEY_BASE: { secret: 'hex' },
      SMTP_ADDRESS: { required: true, group: 'Mail' },
      SMTP_PASSWORD: { sensitive: true },
    });
    expect(product.data.pgdata).toMatchObject({ major: 16, backup: { dump: 'pg_dump -U bookshelf -Fc bookshelf' } });
    expect(product.services).toEqual({ migrate: { kind: 'job' } });
    expect(product.upgrade).toMatchObject({ entry: ['web'], health: [{ http: 'http://127.0.0.1:{{WEB_PORT}}/up', status: 200 }] });
  });

  test('profiles, ranges of ports, UDP and paths of the machine', async () => {
    const { product, yaml } = await made('media', ['compose.yaml']);
    expect(Object.keys(product.features)).toEqual(['sync', 'calls']);
    const calls = { protocol: 'udp', when: 'features.calls' };
    expect(product.requires.ports).toEqual([
      { port: '8096', protocol: 'tcp' },
      { port: '7359', protocol: 'udp' },
      ...['tcp', 'udp'].map((protocol) => ({ port: '22000', protocol, when: 'features.sync' })),
      ...[49160, 49161, 49162, 49163, 49164, 49165].map((port) => ({ port: String(port), ...calls })),
    ]);
    expect(product.bundle?.hostPaths).toEqual(['/srv/media', '/var/run/docker.sock']);
    expect(product.data).toMatchObject({ cache: { ephemeral: true }, 'data-sync': { path: 'data/sync' } });
    expect(yaml).toContain('containrrr/watchtower:latest # review: latest is whatever is newest');
  });

  test('extends, from this file and from another one whose paths start elsewhere', async () => {
    const { product, compose } = await made('extends');
    expect(compose).not.toContain('extends:');
    expect(compose.match(/\.\/common\/settings\.json:\/etc\/app\/settings\.json:ro/g)).toHaveLength(3);
    expect(compose).toContain('QUEUE: print');
    expect(product.bundle?.files).toMatchObject([{ from: 'common/settings.json', to: 'common/settings.json' }]);
    expect(product.env).toMatchObject({ TOKEN: { secret: 'hex' } });
    expect(product.upgrade.entry).toEqual(['api']);
  });

  test('env files of services: each variable lives in one, and what two have is in .env', async () => {
    const made_ = await made('env-files');
    const { product, compose } = made_;
    expect(product.env).toMatchObject({
      LOG_LEVEL: { file: 'common.env', help: 'How much is logged' },
      JWT_SECRET: { secret: 'hex', file: 'env/api.env' },
      WORKERS: { type: 'integer', default: 4, file: 'env/api.env' },
      PUBLIC_URL: { type: 'url', required: true, file: 'env/web.env' },
      MARIADB_ROOT_PASSWORD: { secret: 'password' },
      MARIADB_DATABASE: { default: 'shop' },
    });
    expect(product.env.NODE_ENV).toEqual({ default: 'production' });
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own grammar
    expect(compose).toContain('NODE_ENV: ${NODE_ENV}');
    expect(compose).toContain('NODE_ENV: browser');
    expect(hosts(made_)).toContain('docker.io/library/mariadb:11.4');
  });

  test('secrets, configs and the long syntax: a secret becomes a variable, a config is shipped', async () => {
    const { product, compose } = await made('secrets');
    expect(compose).toContain('  db_password:\n    environment: DB_PASSWORD\n');
    expect(product.env).toMatchObject({ DB_PASSWORD: { secret: 'password' }, HTTP_PORT: { type: 'port', default: 3000 } });
    expect(product.bundle?.files).toMatchObject([{ from: 'app.ini', to: 'app.ini' }]);
    expect(Object.keys(product.data)).toEqual(['data', 'db']);
  });

  test('build sections, anonymous volumes and mounts of source code', async () => {
    const { product, compose, result } = await made('mern', ['docker-compose.yml'], { registry: 'registry.example.com/shop' });
    expect(product.images.own).toMatchObject({
      frontend: { repository: 'mern-frontend', build: { context: 'frontend' } },
      backend: { repository: 'mern-backend', build: { context: 'backend', dockerfile: 'backend/Dockerfile.prod', target: 'runtime' } },
    });
    expect(compose).not.toMatch(/build:|\.\/frontend|\.\/backend/);
    expect(compose).toContain('frontend-node_modules:/app/node_modules');
    expect(product.data).toMatchObject({
      'frontend-node_modules': { ephemeral: true },
      'mongo-configdb': {},
      'mongo-data': {},
      uploads: { path: 'uploads' },
    });
    expect(compose).toContain('MONGO_URI=mongodb://root:${MONGO_INITDB_ROOT_PASSWORD:?');
    expect(product.env).toMatchObject({ MONGO_INITDB_ROOT_PASSWORD: { secret: 'password' }, JWT_SECRET: { secret: 'hex' } });
    expect(result.fields.reviews).toContain('frontend: the mount of ./frontend at /app is for development, and was left out');
  });

  test('include: everything in one file, with paths from where they are', async () => {
    const { product, compose } = await made('include', ['compose.yaml']);
    expect(product.product).toBe('observatory');
    expect(compose).not.toContain('include');
    expect(compose).toContain('./database/init:/docker-entrypoint-initdb.d:ro');
    expect(product.bundle?.files.map(({ from }) => from)).toEqual(['database/init', 'monitoring/provisioning']);
    expect(product.env).toMatchObject({
      DB_PASSWORD: { secret: 'password' },
      GRAFANA_ADMIN_PASSWORD: { secret: 'password', reveal: 'once' },
    });
    expect(product.data.tsdb).toMatchObject({ engine: 'postgres', major: 16 });
    expect(product.images.own).toMatchObject({ app: { tag: 'v3.2.0' } });
  });

  test('an override file, an external volume and a real env file, of which no password is kept', async () => {
    const { product, compose, yaml, result } = await made('override', ['docker-compose.yml', 'docker-compose.prod.yml']);
    expect(compose).toContain('POSTGRES_HOST: db');
    expect(product.upgrade.entry).toEqual(['proxy']);
    expect(product.env).toMatchObject({
      DOMAIN: { type: 'hostname', required: true },
      POSTGRES_PASSWORD: { secret: 'password', file: 'db.env' },
    });
    expect(`${yaml}${compose}`).not.toContain('hunter22');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own grammar
    expect(product.data.db?.backup?.dump).toContain('-U "${POSTGRES_USER:-postgres}"');
    expect(result.fields.reviews).toContain('the volume caddy_data is external: it must be there before the install');
  });

  test('variables in images, ports, paths and other variables', async () => {
    const made_ = await made('variables');
    const { product, compose, yaml } = made_;
    expect(hosts(made_)).toEqual(['docker.io/library/traefik:v3.0', 'ghcr.io/helpdesk/app:4.1']);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own grammar
    expect(yaml).toContain('# review: was ${REGISTRY:-ghcr.io}/helpdesk/app:${VERSION:-4.1}');
    expect(product.env).toMatchObject({
      DOMAIN: { required: true, ask: 'Domain', type: 'hostname', help: 'Your public name' },
      URL: { type: 'url', default: 'https://{{DOMAIN}}' },
      OPENAI_API_KEY: { sensitive: true },
      FEATURE: { type: 'boolean', default: true },
    });
    expect(Object.keys(product.env)).not.toContain('VERSION');
    expect(product.data).toMatchObject({ 'data-letsencrypt': { path: 'data/letsencrypt' }, 'data-app': { path: 'data/app' } });
    expect(product.requires.ports.map(({ port }) => port)).toEqual(['{{HTTP_PORT}}', '{{HTTPS_PORT}}']);
    expect(compose).toContain('PRICE: "$$5"');
  });

  test('x- extensions, a volume on a device, and a file in a folder below', async () => {
    const { product, compose } = await made('nested', ['deploy/stack.yml']);
    expect(compose).toContain('  search:\n    <<: *deploy\n    image: {{image "search"}}\n');
    expect(product.images).toMatchObject({
      registry: 'quay.io/agora',
      own: { forum: { build: { context: 'forum', dockerfile: 'forum/docker/Dockerfile' } } },
    });
    expect(product.images.own).toMatchObject({ search: { tag: '5' } });
    expect(product.bundle).toMatchObject({ hostPaths: ['/srv/forum'], files: [{ from: 'deploy/nginx.conf', to: 'deploy/nginx.conf' }] });
    expect(compose).toContain('./deploy/nginx.conf:/etc/nginx/nginx.conf:ro');
  });
});

describe('init --from', () => {
  test('writes what it can, names all that a person must decide with its line, and ends in 2', async () => {
    const root = await copyOf('undecided');
    const refused = await failure(run(root, ['docker-compose.yml']));
    expect(refused).toMatchObject({ code: 'E_CONFIG', hint: expect.stringContaining('`slipway check` tells what is left.') });
    expect(exitCodeOf(refused)).toBe(2);
    const problems = (refused.details.problems as Problem[]).filter(({ code }) => code === 'E_DECIDE');
    expect(problems.map(({ file, line, message }) => `${relative('', file)}:${line} ${message}`).sort()).toEqual([
      'docker-compose.yml:11 cache: redis@sha256:0000000000000000000000000000000000000000000000000000000000000000 has no tag, and which one its digest is nobody can tell',
      'docker-compose.yml:14 the secret tls is the file ./tls.pem, which must not be shipped',
      'docker-compose.yml:16 the config shared is external, which only a swarm has',
      'docker-compose.yml:2 app mounts ./missing.conf, which is not here',
      'docker-compose.yml:2 app reads app.env, and neither it nor app.env.example is here',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own grammar
      'docker-compose.yml:2 app: ${APP_IMAGE} is no image name',
    ]);
    const places = (refused.details.problems as Problem[]).filter(({ code }) => code === 'E_HOST_PATH');
    expect(places.map(({ message }) => message)).toEqual([
      'app: ../shared lies outside of the install folder',
      'app: ~/.ssh lies outside of the install folder',
    ]);
    expect(refused.details.files).toEqual(['slipway.yaml', 'templates/docker-compose.yml.hbs', '.gitignore']);
  });

  test('asks where own images are pushed when nothing tells, and writes nothing before', async () => {
    const root = await copyOf('mern');
    expect(await failure(run(root, ['docker-compose.yml']))).toMatchObject({ code: 'E_ANSWER', details: { missing: ['REGISTRY'] } });
    await expect(readFile(join(root, 'slipway.yaml'))).rejects.toThrow('ENOENT');
  });

  test.each([
    ['docker-compose.yml', '{{', 'E_CONFIG', /docker-compose\.yml:1/],
    ['docker-compose.yml', 'include: ../other.yml\n', 'E_CONFIG', /other\.yml does not exist, or lies outside/],
    ['docker-compose.yml', 'include: [a.yml]\n', 'E_CONFIG', /a\.yml does not exist/],
    ['docker-compose.yml', 'services: { a: { extends: b }, b: { extends: a } }\n', 'E_CONFIG', /extends itself/],
    ['docker-compose.yml', 'include: [docker-compose.yml]\n', 'E_CONFIG', /includes itself/],
    ['docker-compose.yml', 'services:\n  a:\n    image: x:1\n    ports: !reset []\n', 'E_CONFIG', /!reset and !override/],
    ['none.yml', undefined, 'E_CONFIG', /there is no file none\.yml/],
  ])('refuses %s that says %j', async (name, text, code, message) => {
    const root = await mkdtemp(join(folder, 'place-'));
    if (text !== undefined) await writeFile(join(root, name), text);
    expect(await failure(run(root, [name]))).toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(readFile(join(root, 'slipway.yaml'))).rejects.toThrow('ENOENT');
  });

  test('never writes over what is there, and shows with --plan what it would write', async () => {
    const root = await copyOf('wordpress');
    const { fields } = await run(root, ['docker-compose.yml'], { plan: true });
    expect(fields.plan).toMatchObject({ steps: [{ kind: 'stage-files' }, { files: [{ path: 'slipway.yaml' }, {}, {}] }] });
    await writeFile(join(root, 'slipway.yaml'), 'mine\n');
    expect(await failure(run(root, ['docker-compose.yml']))).toMatchObject({ code: 'E_CONFLICT', message: 'slipway.yaml exists already' });
  });
});
