// Which containers the real Compose starts again. Rule: a service that nothing changed keeps its container, however it was started.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { observeCandidate, observeContainers, observeEngine, observeStanding, settleContainers } from '../../src/observe/engine.ts';
import { runProgram } from '../../src/world/run.ts';
import { quietWorld } from '../fakes/release-builder.ts';

const PROJECT = { name: 'unchanged', folder: '.', files: ['docker-compose.yml'] };
const COMPOSE = `name: unchanged
services:
  db: { image: "unchanged:1" }
  cache: { image: "unchanged:1" }
  api: { image: "unchanged:1", depends_on: [db, cache] }
`;
let root: string;
const docker = (...words: string[]): string => execFileSync('docker', words, { cwd: root, stdio: 'pipe' }).toString();
const world = quietWorld({ env: process.env, run: runProgram });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-'));
  await copyFile('/bin/sleep', join(root, 'sleep'));
  execFileSync('sh', ['-c', 'tar -c sleep | docker import -c \'ENTRYPOINT ["/sleep","1000"]\' - unchanged:1'], {
    cwd: root,
    stdio: 'pipe',
  });
  await writeFile(join(root, '.env'), '');
  await writeFile(join(root, 'docker-compose.yml'), COMPOSE);
});
afterAll(async () => {
  docker('compose', 'down');
  docker('image', 'rm', 'unchanged:1');
  await rm(root, { recursive: true, force: true });
});

test.each([
  ['alone', ['db'], ['cache'], ['api']],
  ['along with one of those it depends on', ['db'], ['cache', 'api']],
  ['all at once', ['db', 'cache', 'api']],
])('a service that was started %s counts as unchanged, and one whose file changed does not', async (_, ...calls) => {
  await writeFile(join(root, 'docker-compose.yml'), COMPOSE);
  for (const services of calls) docker('compose', 'up', '--no-start', '--no-deps', '--no-build', '--pull', 'never', ...services);
  const { containers, config } = await observeEngine(world, root, PROJECT);
  expect(containers.map(({ service }) => service).sort()).toEqual(['api', 'cache', 'db']);
  for (const { service, configHash } of containers)
    expect({ service, configHash }).toEqual({ service, configHash: config.hashes[service] });
  await writeFile(join(root, 'docker-compose.yml'), COMPOSE.replace('depends_on', 'user: "7", depends_on'));
  const changed = await observeEngine(world, root, PROJECT);
  const isSame = changed.containers.map(({ service, configHash }) => [service, configHash === changed.config.hashes[service]]);
  expect(Object.fromEntries(isSame)).toEqual({ api: false, cache: true, db: true });
  docker('compose', 'down');
});

test('before an upgrade that is so of the files as they will be, and what those change is not', async () => {
  await writeFile(join(root, 'docker-compose.yml'), COMPOSE);
  for (const service of ['db', 'cache', 'api'])
    docker('compose', 'up', '--no-start', '--no-deps', '--no-build', '--pull', 'never', service);
  const { containers } = await observeStanding(world, root, { project: PROJECT, listed: observeContainers(world, root, PROJECT.name) });
  for (const [compose, changed] of [
    [COMPOSE, []],
    [COMPOSE.replace('cache: { ', 'cache: { user: "7", '), ['cache']],
    [COMPOSE.replaceAll('unchanged:1', 'unchanged:2'), ['api', 'cache', 'db']],
  ] as const) {
    const texts = new Map([['docker-compose.yml', compose]]);
    const next = await observeCandidate(world, root, { project: PROJECT, texts, settings: new Map() });
    const settled = await settleContainers(world, root, { project: PROJECT, containers, next });
    const differs = settled.filter(({ service, configHash }) => configHash !== next.hashes[service]);
    expect(differs.map(({ service }) => service).sort()).toEqual(changed);
  }
  docker('compose', 'down');
});
