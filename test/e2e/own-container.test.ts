// A real product that upgrades itself: the operator command runs in a container of the compose project, with the engine's socket and the install's folder. Rule: what it is told
// and what is written down come before its own container goes.
import { readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { makeLean } from './lean-product.ts';
import { type Installed, install, must, openStage, type Ran, run, runningImages, type Stage } from './stage.ts';

let stage: Stage;
let acme: Installed;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1, withUpdater);
  acme = await install(stage, 'own');
  await stage.publish('2.0.0', 2, withUpdater);
});

afterAll(async () => {
  await acme?.remove();
  await stage?.close();
});

/** The lean product with one service more: this machine's docker in the product's own image, which has Node.js. */
async function withUpdater(tree: string): Promise<void> {
  await makeLean(tree);
  const { DOCKER_HOST = '', DOCKER_CONFIG = '', SLIPWAY_TESTBED = '' } = process.env;
  const socket = dirname(DOCKER_HOST.replace('unix://', ''));
  const [tools, root] = [join(SLIPWAY_TESTBED, 'packages/engine'), join(stage.folder, 'own')];
  const mounts = [...[socket, DOCKER_CONFIG, tools].map((path) => `${path}:${path}:ro`), `${root}:${root}`];
  const template = join(tree, 'templates/docker-compose.yml.hbs');
  const service = `  updater:
    image: {{image "api"}}
    user: "0:0"
    init: true
    restart: unless-stopped
    stop_grace_period: 2s
    network_mode: host
    command: [sleep, "100000"]
    environment:
      DOCKER_HOST: ${DOCKER_HOST}
      DOCKER_CONFIG: ${DOCKER_CONFIG}
      PATH: ${tools}/usr/bin:/usr/bin:/bin
    volumes: ${JSON.stringify(mounts)}
`;
  await writeFile(template, (await readFile(template, 'utf8')).replace('services:\n', `services:\n${service}`));
  const file = join(tree, 'slipway.yaml');
  const product = parseDocument(await readFile(file, 'utf8'));
  product.setIn(['bundle', 'hostPaths'], [socket, DOCKER_CONFIG, tools, root]);
  await writeFile(file, product.toString());
}

/** As a page of the product would: a process in the updater's container. */
function inside(...words: string[]): Promise<Ran> {
  const quiet = ['SLIPWAY_BIN=', 'SLIPWAY_RUNTIMES=', 'SLIPWAY_SYSTEMD='].flatMap((each) => ['--env', each]);
  return run(['docker', 'exec', ...quiet, 'acme-updater-1', 'node', join(acme.root, 'acmectl'), ...words, '--dir', acme.root, '--json']);
}

interface Inspected {
  readonly Id: string;
  readonly State: { readonly StartedAt: string; readonly Status: string };
}

async function updater(): Promise<Inspected | undefined> {
  const ran = await run(['docker', 'inspect', '--type', 'container', 'acme-updater-1']);
  return ran.code === 0 ? (JSON.parse(ran.stdout) as Inspected[])[0] : undefined;
}

const containers = async (...filter: string[]): Promise<string[]> =>
  (await must(['docker', 'ps', '--all', '--format', '{{.Names}}', ...filter])).stdout.split('\n').filter(Boolean).sort();

test('E-6, C-8: an upgrade from a container of the product ends before that container gets its new image', async () => {
  const before = await updater();
  const [ran, { locked, shown }] = await Promise.all([inside('upgrade', '--yes'), lookOn()]);
  expect({ code: ran.code, ...ran.result }, ran.stderr).toMatchObject({ code: 0, outcome: 'upgraded', from: '1.0.0', to: '2.0.0' });
  expect(locked).toMatchObject({ code: 'E_LOCKED' });
  expect(shown).toMatchObject({ command: 'upgrade', outcome: 'upgraded', to: '2.0.0', exit: 0 });
  await expect.poll(async () => (await updater())?.Id ?? before?.Id, { timeout: 60_000 }).not.toBe(before?.Id);
  await expect.poll(() => containers('--filter', 'label=com.docker.compose.oneoff=True'), { timeout: 60_000 }).toEqual([]);
  const after = await updater();
  expect(after?.State.Status).toBe('running');
  const written = (await stat(join(acme.root, '.slipway/result.json'))).mtimeMs;
  expect(written).toBeLessThan(Date.parse(after?.State.StartedAt ?? ''));
  expect(JSON.parse(await readFile(join(acme.root, '.slipway/result.json'), 'utf8'))).toMatchObject({
    command: 'upgrade',
    ok: true,
    to: '2.0.0',
  });
  const images = await runningImages('acme');
  expect(images.updater).toMatch(/acme-api:2\.0\.0@/);
  expect(images.api).toBe(images.updater);
  expect((await acme.http('/api/health')).status).toBe(200);
  const { result } = await inside('status', '--offline');
  expect(result).toMatchObject({ version: '2.0.0', openOperation: null });
  expect(await containers()).toEqual(['acme-api-1', 'acme-db-1', 'acme-updater-1']);
});

test('killed in its container, a command is ended on the machine, and that container is replaced all the same', async () => {
  const before = await updater();
  const cut = inside('restart');
  await expect.poll(hasBegun, { timeout: 60_000, interval: 50 }).toBe(true);
  const { pid } = JSON.parse(await readFile(join(acme.root, '.slipway/lock'), 'utf8'));
  await must(['docker', 'exec', 'acme-updater-1', 'sh', '-c', `kill -9 ${pid}`]);
  expect((await cut).code).not.toBe(0);
  const ended = await acme.ctl('recover');
  expect({ code: ended.code, ...ended.result }, ended.stderr).toMatchObject({ code: 0, outcome: 'finished', command: 'restart' });
  await expect.poll(async () => (await updater())?.Id ?? before?.Id, { timeout: 60_000 }).not.toBe(before?.Id);
  await expect.poll(() => containers('--filter', 'label=com.docker.compose.oneoff=True'), { timeout: 60_000 }).toEqual([]);
  expect(await containers('--filter', 'status=running')).toEqual(['acme-api-1', 'acme-db-1', 'acme-updater-1']);
  expect((await acme.http('/api/health')).status).toBe(200);
});

function hasBegun(): Promise<boolean> {
  return stat(join(acme.root, '.slipway/journal.ndjson')).then(
    () => true,
    () => false,
  );
}

/** Who tries on the machine meanwhile sees that the other one, in its container, is alive, and can look on until it ends. */
async function lookOn(): Promise<Record<'locked' | 'shown', Record<string, unknown>>> {
  await expect.poll(hasBegun, { timeout: 60_000, interval: 50 }).toBe(true);
  const locked = (await acme.ctl('stop')).result;
  return { locked, shown: (await acme.ctl('attach')).result };
}
