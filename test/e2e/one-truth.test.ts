// The engine's socket and docker's own command, side by side. Rule: each question is put to both, of a real engine, and they must say the same.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { World } from '../../src/model/seams.ts';
import { observeLocalImages } from '../../src/observe/kept.ts';
import { observeEngineVersion } from '../../src/observe/machine.ts';
import {
  imageIds,
  inspectContainer,
  listAllContainers,
  listBriefly,
  listContainerIds,
  listContainers,
  listNetworks,
  listVolumes,
} from '../../src/world/containers.ts';
import { openEngineSocket } from '../../src/world/engine-socket.ts';
import { runProgram } from '../../src/world/run.ts';
import { quietWorld } from '../fakes/release-builder.ts';

const PROJECT = 'onetruth';
const IMAGE = 'slipway.local/onetruth/sleeper:1';
const COMPOSE = `name: ${PROJECT}
services:
  well: { image: "${IMAGE}", volumes: ["data:/data"], healthcheck: { test: [CMD, /bin/sleep, "0"], interval: 1s } }
  ill: { image: "${IMAGE}", healthcheck: { test: [CMD, /bin/sleep, nonsense], interval: 1s, retries: 1 } }
  ended: { image: "${IMAGE}", entrypoint: [/bin/sleep, "0"] }
  failed: { image: "${IMAGE}", entrypoint: [/bin/sleep, nonsense] }
  never: { image: "${IMAGE}" }
volumes:
  data:
`;
let root: string;
let answered = 0;
const docker = (...words: string[]): string => execFileSync('docker', words, { cwd: root, stdio: 'pipe' }).toString();
const plain = quietWorld({ env: process.env, run: runProgram });
const socket = openEngineSocket(runProgram);
const quick: World = {
  ...plain,
  askEngine: async (path, env) => {
    const answer = await socket(path, env);
    if (answer !== undefined) answered += 1;
    return answer;
  },
};

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'slipway-'));
  const files = "bin/sleep $(ldd /bin/sleep | grep -o '/[^ ]*' | cut -c2-)";
  const image = `tar -C / -ch ${files} | docker import -c 'ENTRYPOINT ["/bin/sleep","1000"]' - ${IMAGE}`;
  execFileSync('sh', ['-c', image], { cwd: root, stdio: 'pipe' });
  await writeFile(join(root, 'docker-compose.yml'), COMPOSE);
  docker('compose', 'up', '--detach', 'well', 'ill', 'ended', 'failed');
  docker('compose', 'create', 'never');
  docker('compose', 'run', '--detach', '--no-deps', 'well');
  const isSettled = (): boolean => /\(healthy\)/.test(docker('ps')) && /\(unhealthy\)/.test(docker('ps')) && !/starting/.test(docker('ps'));
  for (let tries = 0; tries < 100 && !isSettled(); tries += 1) await new Promise((done) => setTimeout(done, 200));
});

afterAll(async () => {
  docker('compose', 'down', '--volumes', '--timeout', '1', '--remove-orphans');
  docker('image', 'rm', IMAGE);
  await rm(root, { recursive: true, force: true });
});

test.each<[string, (world: World) => Promise<unknown>]>([
  ['all containers of a project', (world) => listContainers({ world, root }, PROJECT)],
  ['what a list says of them', (world) => listBriefly({ world, root }, PROJECT)],
  ['all containers of the engine', (world) => listAllContainers({ world, root })],
  ['their ids', (world) => listContainerIds({ world, root })],
  ['one container', (world) => inspectContainer({ world, root }, `${PROJECT}-well-1`)],
  ['the volumes of a project', (world) => listVolumes({ world, root }, PROJECT)],
  ['the networks of a project', (world) => listNetworks({ world, root }, PROJECT)],
  ['the ids of images', async (world) => [...(await imageIds({ world, root }, [IMAGE, 'slipway.local/onetruth/nothing:1']))]],
  ['the tags that protect images', (world) => observeLocalImages(world, root, 'onetruth')],
  ['the engine itself', (world) => observeEngineVersion(world)],
])('the socket and docker say the same of %s', async (_, look) => {
  answered = 0;
  const found = await look(quick);
  expect(answered).toBeGreaterThan(0);
  expect(found).toEqual(await look(plain));
  expect(JSON.stringify(found)).toMatch(/onetruth|[0-9a-f]{12}|version/);
});

test('both tell the states apart: healthy, unhealthy, ended, failed, never started, and one-off', async () => {
  for (const world of [quick, plain]) {
    const found = (await listBriefly({ world, root }, PROJECT)).filter(({ oneOff }) => !oneOff);
    const stateOf = Object.fromEntries(found.map(({ service, state, health, exitCode }) => [service, [state, health, exitCode]]));
    expect(stateOf).toEqual({
      well: ['running', 'healthy', 0],
      ill: ['running', 'unhealthy', 0],
      ended: ['exited', undefined, 0],
      failed: ['exited', undefined, 1],
      never: ['created', undefined, 0],
    });
    expect((await listBriefly({ world, root }, PROJECT)).filter(({ oneOff }) => oneOff)).toHaveLength(1);
  }
});

test('what is not there is not there for either', async () => {
  for (const world of [quick, plain]) {
    expect(await inspectContainer({ world, root }, 'nobody')).toBeUndefined();
    expect(await listContainers({ world, root }, 'nothing-of-this-name')).toEqual([]);
    expect(await listVolumes({ world, root }, 'nothing-of-this-name')).toEqual([]);
  }
});
