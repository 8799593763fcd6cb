// What stops an install on this machine before anything starts. Rule: every cause is real: a process, a clock, a registry, a full disk, another program's words.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import type { Run } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { PRODUCT, PRODUCT_FILES, type Ran, withInfo } from '../fakes/install-stage.ts';
import { type FakeRegistry, type FakeRegistryOptions, startFakeRegistry } from '../fakes/registry.ts';
import { dockerOnPath, expectRefusal, type Refusal, requiring, type Scene } from './refusal.ts';

const INFO = { ServerVersion: '28.0.0', OSType: 'linux', Architecture: 'x86_64', DockerRootDir: '/' };

/** An install of a plain release with this engine. */
const installWith =
  (run: (scene: Scene) => Promise<Run> | Run, manifest = {}) =>
  async (scene: Scene): Promise<() => Promise<Ran>> => {
    await scene.publish('1.0.0', manifest);
    const docker = await run(scene);
    return () => scene.install({}, { run: docker });
  };
const withAnswers = (answers: Readonly<Record<string, string>>) => installWith((scene) => dockerOnPath(scene.place, answers));

const ENGINE: readonly Refusal[] = [
  {
    ...{ name: 'there is no docker', code: 'E_PREFLIGHT', finding: 'no-engine' },
    message: /docker is not installed/,
    hint: /Install Docker Engine: https/,
    cause: installWith(
      ({ bin }) =>
        (argv, options) =>
          runProgram(argv, { ...options, env: { PATH: bin } }),
    ),
  },
  {
    ...{ name: 'the engine is not for this user', code: 'E_PREFLIGHT', finding: 'no-engine' },
    message: /permission denied/,
    hint: /use sudo, or join the docker group/,
    cause: withAnswers({ info: '{"ServerErrors":["permission denied while trying to connect to the Docker daemon socket"]}' }),
  },
  {
    ...{ name: 'the engine is not started', code: 'E_PREFLIGHT', finding: 'no-engine' },
    message: /Cannot connect to the Docker daemon/,
    hint: /systemctl start docker/,
    cause: withAnswers({
      info: '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"]}',
    }),
  },
  {
    ...{ name: 'there is no Compose plugin', code: 'E_PREFLIGHT', finding: 'no-compose' },
    message: /Compose plugin \(v2\) is missing/,
    hint: /Install docker-compose-plugin/,
    cause: withAnswers({ info: JSON.stringify(INFO) }),
  },
  {
    ...{ name: 'the engine is too old', code: 'E_PREFLIGHT', finding: 'old-docker' },
    message: /Docker 20\.10\.24\+dfsg1 is not >=24/,
    hint: /Upgrade the Docker Engine/,
    cause: installWith(
      ({ place }) =>
        dockerOnPath(place, { info: JSON.stringify({ ...INFO, ServerVersion: '20.10.24+dfsg1' }), 'compose version': '2.40.3' }),
      requiring({ docker: '>=24' }),
    ),
  },
  {
    ...{ name: 'Compose is too old', code: 'E_PREFLIGHT', finding: 'old-compose' },
    message: /Docker Compose 2\.10\.2 is not >=2\.20/,
    hint: /Upgrade the Compose plugin/,
    cause: installWith(
      ({ place }) => dockerOnPath(place, { info: JSON.stringify(INFO), 'compose version': 'v2.10.2' }),
      requiring({ compose: '>=2.20' }),
    ),
  },
  {
    ...{ name: 'the engine is on another machine', code: 'E_PREFLIGHT', finding: 'engine-elsewhere' },
    message: /an engine on another machine \(ssh:\/\/other\.example\)/,
    hint: /Install on that machine itself, or unset DOCKER_HOST/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      return () => scene.install({}, { env: { ...scene.env, DOCKER_HOST: 'ssh://me@other.example' } });
    },
  },
  {
    ...{ name: 'Docker is a snap, and the folder is outside of /home', code: 'E_PREFLIGHT', finding: 'snap-docker' },
    message: /snap of Docker: it sees no files outside of \/home/,
    hint: /install below \/home with --dir/,
    cause: installWith(({ engine }) => withInfo(engine.client(), { DockerRootDir: '/var/snap/docker/common/var-lib-docker' })),
  },
  {
    ...{ name: 'the compose project belongs to another folder', code: 'E_PROJECT_ELSEWHERE', finding: 'project-elsewhere' },
    message: /the compose project acme belongs to .*\/first$/,
    hint: /project name of its own/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      await scene.install({ dir: join(scene.place, 'first') });
      return () => scene.install({ set: ['PORT=18099'] });
    },
  },
];

const PORTS = requiring({ ports: [{ port: '{{PORT}}', protocol: 'tcp' }] });

async function listen(server: Server, { context }: Scene): Promise<number> {
  context.onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return (server.address() as AddressInfo).port;
}

/** A small file system of its own, or the test is left out where none may be mounted. */
async function smallDisk({ place, context }: Scene): Promise<string> {
  const disk = join(place, 'small');
  await mkdir(disk);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status !== 0) context.skip('mounting is not allowed here');
  context.onTestFinished(() => void execFileSync('umount', [disk]));
  return disk;
}

const MACHINE: readonly Refusal[] = [
  {
    ...{ name: 'a program has the port', code: 'E_PREFLIGHT', finding: 'port-taken' },
    message: new RegExp(`^port \\d+/tcp is in use by .+ \\(process ${process.pid}\\)$`),
    hint: /Stop that, or choose another port/,
    cause: async (scene) => {
      await scene.publish('1.0.0', PORTS);
      const port = await listen(createTcpServer(), scene);
      return () => scene.install({ set: [`PORT=${port}`] });
    },
  },
  {
    ...{ name: 'a container of another project has the port', code: 'E_PREFLIGHT', finding: 'port-taken' },
    message: /^port \d+\/tcp is in use by the container shop-web-1$/,
    hint: /Stop that/,
    cause: async (scene) => {
      await scene.publish('1.0.0', PORTS);
      const port = await listen(createTcpServer(), scene);
      return () => scene.install({ set: [`PORT=${port}`] }, { run: publishing(scene.engine.client(), port) });
    },
  },
  {
    ...{ name: 'a rootless engine may not have the port', code: 'E_PREFLIGHT', finding: 'port-too-low' },
    message: /port 81\/tcp: this engine is rootless, and may only have ports from \d+ on/,
    hint: /sysctl net\.ipv4\.ip_unprivileged_port_start=81/,
    cause: async (scene) => {
      if (Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 81)
        scene.context.skip('every port is free here');
      await scene.publish('1.0.0', PORTS);
      return () => scene.install({ set: ['PORT=81'] }, { run: withInfo(scene.engine.client(), { SecurityOptions: ['name=rootless'] }) });
    },
  },
  {
    ...{ name: 'an image is not made for this machine', code: 'E_PREFLIGHT', finding: 'no-platform' },
    message: /the image db is made for linux\/s390x, and this machine is linux\/amd64/,
    hint: /Ask the maintainer for db on linux\/amd64/,
    cause: installWith(({ engine }) => engine.client(), {
      images: (PRODUCT.images ?? []).map((image) => ({ ...image, platforms: ['linux/s390x'] })),
    }),
  },
  {
    ...{ name: 'the disk of the images is too small', code: 'E_PREFLIGHT', finding: 'disk-full' },
    message: /small has .* free, and 5\.0 MB are needed: .* for its data/,
    hint: /Make room on the disk of .*small/,
    cause: async (scene) => {
      const disk = await smallDisk(scene);
      await scene.publish('1.0.0', requiring({ disk: 5_000_000 }));
      return () => scene.install({}, { run: withInfo(scene.engine.client(), { DockerRootDir: disk }) });
    },
  },
  {
    ...{ name: 'the disk of the install is too small', code: 'E_PREFLIGHT', finding: 'disk-full' },
    message: /for the files of the release/,
    hint: /Make room on the disk of .*small/,
    cause: async (scene) => {
      const disk = await smallDisk(scene);
      await writeFile(join(disk, 'fill'), Buffer.alloc(900_000));
      await scene.publish('1.0.0', {}, { ...PRODUCT_FILES, 'big.bin': 'x'.repeat(400_000) });
      return () => scene.install({ dir: join(disk, 'acme') });
    },
  },
  {
    ...{ name: 'the clock is two days behind', code: 'E_PREFLIGHT', finding: 'clock-off' },
    message: /^the clock of this machine is 48 hours behind the release host's$/,
    hint: /timedatectl set-ntp true/,
    cause: async (scene) => {
      await scene.publish('1.0.0');
      const server = createServer((request, response) => {
        response.setHeader('date', new Date(scene.engine.state().clock + 2 * 86_400_000).toUTCString());
        readFile(join(scene.host, decodeURIComponent(request.url ?? '/'))).then(
          (bytes) => response.end(bytes),
          () => response.writeHead(404).end(),
        );
      });
      const url = `http://127.0.0.1:${await listen(server, scene)}`;
      return () => scene.install({ releases: [url] });
    },
  },
  {
    ...{ name: 'an image is given only after a login', code: 'E_PREFLIGHT', finding: 'registry-login' },
    message: /acme\/api:1\.0\.0 is given only after a login/,
    hint: /docker login 127\.0\.0\.1:\d+/,
    cause: (scene) => fromRegistry(scene, { login: { kind: 'basic', username: 'acme', password: 'secret' } }),
  },
  {
    ...{ name: 'an image is not there', code: 'E_PREFLIGHT', finding: 'image-missing' },
    message: /acme\/api:1\.0\.0 is not there, or hidden without a login/,
    hint: /Log in to the registry when it is private/,
    cause: (scene) => fromRegistry(scene),
  },
];

/** An engine with one more container, which has a port. */
function publishing(run: Run, port: number): Run {
  const described = {
    ...{ Id: 'f'.repeat(64), Name: '/shop-web-1', Image: 'sha256:x', RestartCount: 0, Mounts: [] },
    Config: { Image: 'x', Labels: { 'com.docker.compose.project': 'shop' } },
    State: { Status: 'running', ExitCode: 0, StartedAt: '2026-01-01T00:00:00Z' },
    NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: String(port) }], '9/tcp': null } },
  };
  return async (argv, options) => {
    if (argv[1] === 'ps' && !argv.includes('--filter')) return { code: 0, stdout: `${described.Id}\n`, stderr: '' };
    if (argv[1] === 'inspect' && argv.includes(described.Id)) return { code: 0, stdout: JSON.stringify([described]), stderr: '' };
    return run(argv, options);
  };
}

async function fromRegistry(scene: Scene, options?: FakeRegistryOptions): Promise<() => Promise<Ran>> {
  const registry: FakeRegistry = await startFakeRegistry(options);
  scene.context.onTestFinished(registry.close);
  const [reference, digest] = [`${registry.host}/acme/api:1.0.0`, digestOf('nowhere') as Digest];
  const image = { name: 'api', reference, digest, platforms: ['linux/amd64'], size: 1000 };
  const compose = `name: acme\nservices:\n  api:\n    image: ${reference}@${digest}\n`;
  await scene.publish('1.0.0', { images: [image], env: {}, data: {} }, { 'docker-compose.yml': compose });
  return () => scene.install();
}

describe('an install is refused, with the next step named and nothing changed, when', () => {
  it.for([...ENGINE, ...MACHINE])('$name', expectRefusal);
});

test('everything that preflight blocks has a row here', async () => {
  const sources = ['preflight', 'surroundings', 'room'].map((name) => join(import.meta.dirname, `../../src/plan/${name}.ts`));
  const texts = await Promise.all(sources.map((path) => readFile(path, 'utf8')));
  const pairs = texts.flatMap((text) => [...text.matchAll(/severity: ([^\n]*'block'[^\n]*?),?\s+code: '([a-z-]+)'/g)]);
  const codes = [...new Set(pairs.map(([, , code]) => code))].sort();
  expect(codes.length).toBeGreaterThan(10);
  expect([...new Set([...ENGINE, ...MACHINE].map(({ finding }) => finding))].sort()).toEqual(codes);
});
