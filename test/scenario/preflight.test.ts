// What stops an install or an upgrade before anything starts. Rule: every refusal has a real cause: a real port, a real clock, a real registry, a real full disk.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { type InstallStage, makeInstallStage, PRODUCT, PRODUCT_FILES, type Ran, withInfo } from '../fakes/install-stage.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';

let stage: InstallStage;
beforeEach(async (context) => {
  stage = await makeInstallStage(context);
});

interface Finding {
  readonly severity: string;
  readonly code: string;
  readonly message: string;
}

const findingsOf = (ran: Ran): Finding[] => ran.fields.findings as Finding[];
const found = (ran: Ran, code: string): Finding | undefined => findingsOf(ran).find((finding) => finding.code === code);

/** Nothing of the product is there: no folder, container, volume or image. */
function expectUntouched(): void {
  const { containers, volumes, images } = stage.engine.state();
  expect([existsSync(stage.root), containers.size, volumes.size, images.size]).toEqual([false, 0, 0, 0]);
}

async function refusal(manifest: Partial<Manifest>, run?: Run, flags = {}): Promise<{ message: string; hint: string | undefined }> {
  await stage.publish('1.0.0', manifest);
  const error = await failure(stage.install(flags, run === undefined ? {} : { run }));
  expect(error.code).toBe('E_PREFLIGHT');
  expectUntouched();
  return { message: error.message, hint: error.hint };
}

/** Programs called `docker` that answer as an engine of other versions does, found on PATH like the real one. */
async function dockerOnPath(answers: Readonly<Record<string, string>>): Promise<Run> {
  const folder = join(stage.place, 'path');
  await mkdir(folder);
  const cases = Object.entries(answers).map(([words, answer]) => `  "${words}"*) cat <<'END'\n${answer}\nEND\n  exit 0 ;;`);
  await writeFile(join(folder, 'docker'), `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\nesac\nexit 0\n`);
  await chmod(join(folder, 'docker'), 0o755);
  return (argv, options) => runProgram(argv, { ...options, env: { ...options?.env, PATH: `${folder}:${process.env.PATH}` } });
}

const INFO = { ServerVersion: '28.0.0', OSType: 'linux', Architecture: 'x86_64', DockerRootDir: '/' };
const requiring = (requires: Partial<Manifest['requires']>): Partial<Manifest> => ({
  requires: { ports: [], platforms: ['linux/amd64'], ...requires },
});

describe('versions', () => {
  test('an engine and a Compose that are too old are refused together, as their own programs tell them', async () => {
    const run = await dockerOnPath({ info: JSON.stringify({ ...INFO, ServerVersion: '20.10.24+dfsg1' }), 'compose version': '2.10.2' });
    const { message } = await refusal(requiring({ docker: '>=24', compose: '>=2.20' }), run);
    expect(message).toContain('Docker 20.10.24+dfsg1 is not >=24');
    expect(message).toContain('Docker Compose 2.10.2 is not >=2.20');
  });

  test.each([
    ['no Docker at all', undefined, /docker is not installed/, 'Install Docker Engine'],
    [
      'an engine that this user may not use',
      '{"ServerErrors":["permission denied while trying to connect to the Docker daemon socket"]}',
      /permission denied/,
      'docker group',
    ],
    [
      'an engine that is not started',
      '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"]}',
      /Cannot connect/,
      'Start it',
    ],
  ])('%s is told as such', async (_, info, message, hint) => {
    const nowhere: Run = (argv, options) => runProgram(argv, { ...options, env: { PATH: stage.bin } });
    const run = info === undefined ? nowhere : await dockerOnPath({ info });
    const refused = await refusal({}, run);
    expect(refused.message).toMatch(message);
    expect(refused.hint).toContain(hint);
  });

  test('Docker without its Compose plugin is refused', async () => {
    const { message } = await refusal({}, withoutCompose(stage.engine.client()));
    expect(message).toContain('Compose plugin (v2) is missing');
  });
});

const withoutCompose =
  (run: Run): Run =>
  async (argv, options) =>
    argv.join(' ') === 'docker compose version --short'
      ? { code: 1, stdout: '', stderr: "docker: 'compose' is not a docker command." }
      : run(argv, options);

describe('the machine', () => {
  test('a port that a program has is refused, and the program is named; a container is named by its own name', async ({
    onTestFinished,
  }) => {
    const server = createTcpServer().listen(0, '0.0.0.0');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const needs = requiring({ ports: [{ port: '{{PORT}}', protocol: 'tcp' }] });
    const { message } = await refusal(needs, undefined, { set: [`PORT=${port}`] });
    expect(message).toMatch(new RegExp(`^port ${port}/tcp is in use by .+ \\(process ${process.pid}\\)$`));
    const run = publishing(stage.engine.client(), port, 'shop-web-1', 'shop');
    expect(await failure(stage.install({ set: [`PORT=${port}`] }, { run }))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: `port ${port}/tcp is in use by the container shop-web-1`,
    });
  });

  test('too little room on a real small file system is refused, naming disk and need', async ({ skip, onTestFinished }) => {
    const disk = join(stage.place, 'small');
    await mkdir(disk);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status !== 0) skip('mounting is not allowed here');
    onTestFinished(() => void execFileSync('umount', [disk]));
    const { message } = await refusal(requiring({ disk: 5_000_000 }), withInfo(stage.engine.client(), { DockerRootDir: disk }));
    expect(message).toMatch(/small has .* free, and 5\.0 MB are needed: .* for its data/);
    await writeFile(join(disk, 'fill'), Buffer.alloc(900_000));
    const files = { ...PRODUCT_FILES, 'big.bin': 'x'.repeat(400_000) };
    await stage.publish('1.1.0', {}, files);
    expect(await failure(stage.install({ dir: join(disk, 'acme') }))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('for the files of the release'),
    });
  });

  test('an image that is not made for it is refused', async () => {
    const images = (PRODUCT.images ?? []).map((image) => ({ ...image, platforms: ['linux/s390x'] }));
    expect((await refusal({ images })).message).toContain('the image db is made for linux/s390x, and this machine is linux/amd64');
  });

  test.each([['a snap of Docker outside of /home', { DockerRootDir: '/var/snap/docker/common/var-lib-docker' }, /snap of Docker/]])(
    '%s is refused',
    async (_, info, message) => {
      expect((await refusal({}, withInfo(stage.engine.client(), info))).message).toMatch(message);
    },
  );

  test('a rootless engine is refused a port that it cannot have', async () => {
    await stage.publish('1.0.0', requiring({ ports: [{ port: '{{PORT}}', protocol: 'tcp' }] }));
    const lowest = Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
    const run = withInfo(stage.engine.client(), { SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'] });
    const outcome = await stage.install({ set: ['PORT=81'] }, { run }).catch((error: Error) => error);
    if (lowest > 81)
      expect(outcome).toMatchObject({ code: 'E_PREFLIGHT', message: expect.stringContaining('port 81/tcp: this engine is rootless') });
    else expect(outcome).toMatchObject({ fields: { outcome: 'installed' } });
  });
});

/** An engine with one more container, which has a port. */
function publishing(run: Run, port: number, name: string, project: string): Run {
  const described = {
    ...{ Id: 'f'.repeat(64), Name: `/${name}`, Image: 'sha256:x', RestartCount: 0, Mounts: [] },
    Config: { Image: 'x', Labels: { 'com.docker.compose.project': project } },
    State: { Status: 'running', ExitCode: 0, StartedAt: '2026-01-01T00:00:00Z' },
    NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: String(port) }], '9/tcp': null } },
  };
  return async (argv, options) => {
    if (argv[1] === 'ps' && !argv.includes('--filter')) return { code: 0, stdout: `${described.Id}\n`, stderr: '' };
    if (argv[1] === 'inspect' && argv.includes(described.Id)) return { code: 0, stdout: JSON.stringify([described]), stderr: '' };
    return run(argv, options);
  };
}

describe('what is only told', () => {
  test.each([
    ['selinux', { SecurityOptions: ['name=selinux'] }, /chcon/],
    ['slow-storage', { Driver: 'vfs' }, /overlay2/],
  ])('%s is a warning', async (code, info, hint) => {
    await stage.publish('1.0.0');
    const { events } = await stage.install({}, { run: withInfo(stage.engine.client(), info) });
    expect(events).toContainEqual(expect.objectContaining({ type: 'warning', hint: expect.stringMatching(hint) }));
    expect(found(await stage.run(doctor, {}, { run: withInfo(stage.engine.client(), info) }), code)).toMatchObject({ severity: 'warn' });
  });

  test('a proxy that the shell has and the engine has not is a warning that does not show its password', async () => {
    await stage.publish('1.0.0');
    const env = { ...stage.env, HTTPS_PROXY: 'http://me:hidden@127.0.0.1:9' };
    const { events } = await stage.install({}, { env });
    expect(JSON.stringify(events)).toContain('uses a proxy (HTTPS_PROXY)');
    expect(JSON.stringify(events)).not.toContain('hidden');
    const run = withInfo(stage.engine.client(), { HttpsProxy: 'http://127.0.0.1:9' });
    expect(found(await stage.run(doctor, {}, { env, run }), 'engine-without-proxy')).toBeUndefined();
  });

  test('an engine on another machine is refused, for the files are here', async () => {
    await stage.publish('1.0.0');
    const env = { ...stage.env, DOCKER_HOST: 'ssh://me@other.example' };
    expect(await failure(stage.install({}, { env }))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('ssh://other.example'),
    });
    expectUntouched();
  });
});

describe('the clock', () => {
  /** A web server before the releases whose Date is off by so many seconds. */
  async function serve({ onTestFinished }: Pick<TestContext, 'onTestFinished'>, off: number): Promise<string> {
    const server = createServer((request, response) => {
      const path = join(stage.host, decodeURIComponent(request.url ?? '/'));
      response.setHeader('date', new Date(stage.engine.state().clock + off * 1000).toUTCString());
      readFile(path).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  }

  test('that is two days behind the release host stops an install; ten minutes are told; seconds are nothing', async (context) => {
    await stage.publish('1.0.0');
    const behind = await failure(stage.install({ releases: [await serve(context, 2 * 86_400)] }));
    expect(behind).toMatchObject({
      code: 'E_PREFLIGHT',
      message: "the clock of this machine is 48 hours behind the release host's",
      hint: expect.stringContaining('timedatectl'),
    });
    expectUntouched();
    const { events } = await stage.install({ releases: [await serve(context, -600)] });
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'warning', text: "the clock of this machine is 10 minutes ahead of the release host's" }),
    );
    const fine = await stage.install({
      dir: join(stage.place, 'second'),
      project: 'second',
      set: ['PORT=18081'],
      releases: [await serve(context, 20)],
    });
    expect(fine.events.filter((event) => 'type' in event && event.type === 'warning' && JSON.stringify(event).includes('clock'))).toEqual(
      [],
    );
  });
});

describe('registries', () => {
  async function publishFrom(registry: FakeRegistry): Promise<void> {
    const image = {
      name: 'api',
      reference: `${registry.host}/acme/api:1.0.0`,
      digest: digestOf('nowhere') as Digest,
      platforms: ['linux/amd64'],
      size: 1000,
    };
    const compose = `name: acme\nservices:\n  api:\n    image: ${image.reference}@${image.digest}\n`;
    await stage.publish('1.0.0', { images: [image], env: {}, data: {} }, { 'docker-compose.yml': compose });
  }

  test('an image that needs a login stops an install before anything is asked, and names the registry', async ({ onTestFinished }) => {
    const registry = await startFakeRegistry({ login: { kind: 'basic', username: 'acme', password: 'secret' } });
    onTestFinished(registry.close);
    await publishFrom(registry);
    expect(await failure(stage.install())).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('login'),
      hint: expect.stringContaining(`docker login ${registry.host}`),
    });
    expectUntouched();
  });

  test('an image that is not there stops an install; a registry that does not answer is only told', async ({ onTestFinished }) => {
    const registry = await startFakeRegistry();
    onTestFinished(() => registry.close());
    await publishFrom(registry);
    expect(await failure(stage.install())).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('acme/api:1.0.0 is not there'),
    });
    await registry.close();
    const error = await failure(stage.install());
    expect(error.code).not.toBe('E_PREFLIGHT');
  });
});

describe('before an upgrade', () => {
  const parts = (run: Run): Partial<World> => ({ run });

  test('all of it is looked at again, and a doctor says the same beforehand without changing anything', async () => {
    await stage.publish('1.0.0');
    await stage.install();
    await stage.publish('1.1.0');
    const run = withInfo(stage.engine.client(), { DockerRootDir: '/var/snap/docker/common' });
    const before = await readFile(join(stage.root, '.slipway/install.json'), 'utf8');
    expect(await failure(stage.run(upgrade, { yes: true }, parts(run)))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('snap of Docker'),
    });
    const ran = await stage.run(doctor, { preflight: true }, parts(run));
    expect(ran).toMatchObject({ exit: 3, text: expect.stringContaining('BLOCKS   this is the snap of Docker') });
    expect(findingsOf(ran).every(({ code }) => ['snap-docker', 'engine'].includes(code))).toBe(true);
    expect(await readFile(join(stage.root, '.slipway/install.json'), 'utf8')).toBe(before);
  });

  test('a data volume that is gone, or another project name in the way, is refused', async () => {
    await stage.publish('1.0.0');
    await stage.install();
    await stage.publish('1.1.0');
    stage.engine.state().containers.clear();
    stage.engine.state().volumes.clear();
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('acme_pgdata is gone'),
    });
    const settings = join(stage.root, '.env');
    await writeFile(settings, (await readFile(settings, 'utf8')).replace(/DB_PASSWORD=.*/, 'DB_PASSWORD='));
    expect(await failure(stage.run(upgrade, { yes: true }))).toMatchObject({
      code: 'E_POLICY',
      message: expect.stringContaining('DB_PASSWORD'),
    });
  });
});
