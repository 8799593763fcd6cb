// Which containers the real Compose starts again. Rule: a service that nothing changed keeps its container, however it was started.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { observeEngine } from '../../src/observe/engine.ts';
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
