// What preflight says besides its refusals: everything at once, warnings, the same before an upgrade and by a doctor. Rule: every cause is real; what only warns stops nothing.
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { doctor } from '../../src/commands/operator/doctor.ts';
import { upgrade } from '../../src/commands/operator/upgrade.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { failure } from '../failure.ts';
import { type InstallStage, makeInstallStage, type Ran, withInfo } from '../fakes/install-stage.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { dockerOnPath, requiring } from './refusal.ts';

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

const INFO = { ServerVersion: '28.0.0', OSType: 'linux', Architecture: 'x86_64', DockerRootDir: '/' };

describe('what is refused', () => {
  test('is told all at once: an engine and a Compose that are too old, as their own programs tell them', async () => {
    const run = await dockerOnPath(stage.place, {
      info: JSON.stringify({ ...INFO, ServerVersion: '20.10.24+dfsg1' }),
      'compose version': '2.10.2',
    });
    await stage.publish('1.0.0', requiring({ docker: '>=24', compose: '>=2.20' }));
    const { message } = await failure(stage.install({}, { run }));
    expect(message).toContain('Docker 20.10.24+dfsg1 is not >=24');
    expect(message).toContain('Docker Compose 2.10.2 is not >=2.20');
  });
});

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

  test('less memory than is asked for is a warning with both amounts', async () => {
    await stage.publish('1.0.0', requiring({ memory: 2 ** 50 }));
    const { events } = await stage.install();
    const text = expect.stringMatching(/^[\d.]+ [GT]B of memory, 1125\.9 TB are asked for$/);
    expect(events).toContainEqual(expect.objectContaining({ type: 'warning', text }));
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

  test('that is ten minutes ahead of the release host is told; seconds are nothing', async (context) => {
    await stage.publish('1.0.0');
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

  test('that do not answer are only told', async ({ onTestFinished }) => {
    const registry = await startFakeRegistry();
    onTestFinished(() => registry.close());
    await publishFrom(registry);
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

  test.each<[string, Partial<World>]>([
    ['docker', {}],
    ['the engine’s own socket', { askEngine: async (path) => (path === '/info' ? INFO : undefined) }],
  ])('a Compose that is gone, or older than the release needs, is what is told where %s tells of the engine', async (_, asked) => {
    await stage.publish('1.0.0');
    await stage.install();
    await stage.publish('1.1.0');
    const client = stage.engine.client();
    const gone: Run = async (argv, options) =>
      argv[1] === 'compose' ? { code: 125, stdout: '', stderr: 'unknown flag: --project-name\n' } : client(argv, options);
    expect(await failure(stage.run(upgrade, { yes: true }, { ...parts(withInfo(gone, { ClientInfo: {} })), ...asked }))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('Compose plugin (v2) is missing'),
    });
    await stage.publish('1.2.0', requiring({ compose: '>=2.20' }));
    const old: Run = async (argv, options) => (argv[2] === 'version' ? { code: 0, stdout: '2.10.2\n', stderr: '' } : client(argv, options));
    expect(await failure(stage.run(upgrade, { yes: true }, { ...parts(withInfo(old, { ClientInfo: {} })), ...asked }))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('Docker Compose 2.10.2 is not >=2.20'),
    });
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
