// Hosts without Node.js, or with one that is too old: the one-liner, the command and an upgrade there. Rule: the real runtimes, built from npm's packages.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf, hexOf } from '../../src/model/digest.ts';
import { parseInstall } from '../../src/model/install.ts';
import { parseRuntimeSet, printRuntimeSet, type Runtime, type RuntimeSet } from '../../src/model/runtime.ts';
import { buildRelease, type Keys, makeKeys, publishRelease } from '../fakes/release-builder.ts';
import { type BareHost, CACHE, hasBareRoot, openBareHost, RUNTIMES } from './bare-host.ts';
import { freePort, installedAt, must, openStage, type Ran, REPOSITORY, run, type Stage } from './stage.ts';

const OPERATOR = join(REPOSITORY, 'dist/operator.mjs');
const leftOut = !hasBareRoot();
let stage: Stage;
let built: RuntimeSet;

beforeAll(async () => {
  if (leftOut) return;
  built = parseRuntimeSet(await readFile(join(RUNTIMES, 'bundle.json'), 'utf8'), 'bundle.json');
  stage = await openStage({ SLIPWAY_RUNTIMES: RUNTIMES });
});

afterAll(() => stage?.close());

function runtimeFor(arch: string): Runtime {
  const found = built.files.find((file) => file.os === 'linux' && file.arch === arch);
  if (found === undefined) throw new Error(`no runtime for ${arch}`);
  return found;
}

/** Where an install keeps it, below the folder of the account. */
function keptBelow(folder: string): string {
  return join(folder, 'slipway/runtime', hexOf(runtimeFor('x64').program.sha256), 'node');
}

describe.skipIf(leftOut)('a Debian without Node.js', () => {
  let host: BareHost;
  let port: number;

  beforeAll(async () => {
    await stage.publish('1.0.0', 1);
    host = await openBareHost(stage.folder);
    port = await freePort();
  });

  const nowhere = { DOCKER_HOST: 'unix:///nowhere' };
  const oneLiner = (options: string): string[] => {
    const answers = `--set DOMAIN=notes.example --set HTTP_PORT=${port} --set WORKERS=0`;
    return ['sh', '-c', `curl -fsS ${stage.url}/install.sh | sh -s -- --yes ${answers} ${options}`];
  };

  /** Besides the way to the stage's folder. */
  const leftInTmp = async (): Promise<string[]> =>
    (await readdir(join(host.root, 'tmp'))).filter((name) => !stage.folder.split('/').includes(name));

  test('has none, and docker', async () => {
    expect((await host.run(['sh', '-c', 'command -v node nodejs'])).stdout).toBe('');
    expect((await host.run(['docker', '--version'])).code).toBe(0);
  });

  test('gets the product, the command on PATH, and Node.js where the installs of root share it', async () => {
    const ran = await host.run(oneLiner('--no-start'), { env: nowhere });
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain(`Fetching Node.js ${built.node}`);
    expect(ran.stdout).toContain('is installed at /opt/acme');
    expect(existsSync(join(host.root, keptBelow('/usr/local/lib')))).toBe(true);
    expect(await leftInTmp()).toEqual([]);
    const history = await host.run(['acmectl', 'history', '--json'], { env: nowhere });
    expect(history.result, history.stderr).toMatchObject({ ok: true });
    const record = parseInstall(await readFile(join(host.root, 'opt/acme/.slipway/install.json'), 'utf8'), 'install.json');
    expect(record).toMatchObject({
      launcher: '/usr/local/bin/acmectl',
      runtime: { node: built.node, store: '/usr/local/lib/slipway/runtime' },
    });
  });

  test('gets the same for an account that is not root, in its home folder', async () => {
    const user = { id: 1000, home: '/home/op' };
    await host.makeHome(user.id, user.home);
    const ran = await host.run(oneLiner('--no-start'), { env: nowhere, user });
    expect(ran.code, ran.stderr).toBe(0);
    expect(existsSync(join(host.root, keptBelow('/home/op/.local/share')))).toBe(true);
    const history = await host.run(['/home/op/.local/bin/acmectl', 'history', '--json'], { env: nowhere, user });
    expect(history.result, history.stderr).toMatchObject({ ok: true });
  });

  test('ends an install that was killed before there was a command, and leaves nothing of it', async () => {
    const env = { ...nowhere, SLIPWAY_SHARED: '/srv/shared', SLIPWAY_BIN: '/srv/bin' };
    const [line = ''] = oneLiner('--dir /srv/acme --no-start').slice(-1);
    const state = '/srv/acme/.slipway';
    const killer = `until [ -s ${state}/journal.ndjson ] && grep -q start ${state}/journal.ndjson; do kill -0 $! || exit 9; done
      kill -9 "$(sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p' ${state}/lock)"; wait`;
    const killed = await host.run(['sh', '-c', `{ ${line}; } & ${killer}`], { env });
    expect(existsSync(join(host.root, state, 'journal.ndjson')), killed.stderr).toBe(true);
    const again = await host.run(['sh', '-c', line], { env });
    expect(again.code).toBe(6);
    expect(again.stderr).toContain('install.sh --recover --dir /srv/acme');
    const rescue = `curl -fsS ${stage.url}/install.sh | sh -s -- --recover --dir /srv/acme`;
    const recovered = await host.run(['sh', '-c', rescue], { env });
    expect(recovered.code, recovered.stderr).toBe(0);
    expect(await readdir(join(host.root, 'srv'))).toEqual([]);
  });

  test('fetches nothing again for a second product, and runs it on the engine', async () => {
    await rm(join(stage.releases, 'releases', runtimeFor('x64').tag), { recursive: true });
    await rm(join(stage.releases, 'runtimes'), { recursive: true });
    const root = join(stage.folder, 'on-the-engine');
    const env = { DOCKER_HOST: process.env.DOCKER_HOST ?? '', SLIPWAY_BIN: '/usr/local/sbin' };
    const acme = installedAt(root, port, 'acme');
    try {
      const ran = await host.run(oneLiner(`--dir ${root}`), { env });
      expect(ran.code, ran.stderr).toBe(0);
      expect(ran.stderr).not.toContain('Fetching Node.js');
      expect(await (await acme.http('/api/health')).json()).toMatchObject({ status: 'ok', version: '1.0.0' });
      const status = await host.run(['/usr/local/sbin/acmectl', 'status', '--json'], { env });
      expect(status.result, status.stderr).toMatchObject({ product: 'acme', version: '1.0.0', openOperation: null });
    } finally {
      await acme.remove();
    }
    expect(await readdir(join(host.root, keptBelow('/usr/local/lib'), '../used-by'))).toHaveLength(2);
  });

  test('keeps nothing of an install that did not come about', async () => {
    const env = { ...nowhere, SLIPWAY_SHARED: '/srv/shared', SLIPWAY_BIN: '/srv/bin' };
    const ran = await host.run(oneLiner('--dir /srv/acme --no-start --set HTTP_PORT=none'), { env });
    expect(ran.code).not.toBe(0);
    expect(await readdir(join(host.root, 'srv'))).toEqual([]);
  });
});

describe.skipIf(leftOut)('a host whose own Node.js is too old for a release', () => {
  let keys: Keys;
  let place: string;
  let operator: string;
  const root = (): string => join(place, 'acme');
  const launcher = (): string => join(place, 'bin/acmectl');

  beforeAll(async () => {
    keys = makeKeys();
    place = join(stage.folder, 'too-old');
    operator = await readFile(OPERATOR, 'utf8');
    await mkdir(join(place, 'workspace'), { recursive: true });
    await mkdir(join(place, 'host/releases'), { recursive: true });
    await cp(RUNTIMES, join(place, 'host/releases', runtimeFor('x64').tag), { recursive: true });
  });

  async function release(version: string, needs?: string): Promise<void> {
    const runtime = needs === undefined ? {} : { runtime: { needs, files: built.files } };
    const compose = 'name: acme\nservices: { web: { image: web } }\n';
    const files = { 'docker-compose.yml': compose, VERSION: version };
    const options = {
      workspace: join(place, 'workspace'),
      version,
      keys,
      operator: `${operator}\n// ${version}\n`,
      files,
      manifest: runtime,
    };
    await publishRelease(await buildRelease(options), join(place, 'host'));
  }

  const call = (...argv: readonly string[]): Promise<Ran> =>
    run([...argv, '--no-start', '--yes', '--json'], { env: { SLIPWAY_SHARED: join(place, 'shared'), SLIPWAY_BIN: join(place, 'bin') } });
  const usedNode = async (): Promise<string> => /SLIPWAY_NODE:-'(.*)'/.exec(await readFile(launcher(), 'utf8'))?.[1] ?? '';
  const kept = (): string => join(place, 'shared/runtime', hexOf(runtimeFor('x64').program.sha256), 'node');

  test('installs and upgrades with its own as long as that suffices', async () => {
    await release('1.0.0');
    await writeFile(join(place, 'operator.mjs'), `${operator}\n// 1.0.0\n`);
    const words = ['install', '--releases', join(place, 'host'), '--product', 'acme', '--dir', root(), '--key', keys.publicKey];
    const ran = await call(process.execPath, join(place, 'operator.mjs'), ...words);
    expect(ran.code, ran.stderr).toBe(0);
    expect(await usedNode()).toBe(process.execPath);
    await release('1.1.0', '>=20.19');
    expect((await call(launcher(), 'upgrade')).result).toMatchObject({ outcome: 'upgraded', to: '1.1.0' });
    expect(await usedNode()).toBe(process.execPath);
    expect(existsSync(join(place, 'shared'))).toBe(false);
  });

  test('shows with --plan that it would keep another one, and changes nothing', async () => {
    await release('2.0.0', `>${process.versions.node}`);
    const { result, stderr } = await call(launcher(), 'upgrade', '--plan');
    expect(result, stderr).toMatchObject({ to: '2.0.0' });
    const { steps } = result.plan as { steps: { kind: string }[] };
    expect(steps.slice(0, 2).map(({ kind }) => kind)).toEqual(['keep-runtime', 'put-launcher']);
    expect([await usedNode(), existsSync(join(place, 'shared'))]).toEqual([process.execPath, false]);
  });

  test('fetches the one of the signed channel file, and the command runs on it from then on', async () => {
    const { result, stderr } = await call(launcher(), 'upgrade');
    expect(result, stderr).toMatchObject({ outcome: 'upgraded', from: '1.1.0', to: '2.0.0' });
    expect(await usedNode()).toBe(kept());
    expect(execFileSync(kept(), ['--version'], { encoding: 'utf8' }).trim()).toBe(`v${built.node}`);
    expect((await run([launcher(), 'status', '--json'])).result).toMatchObject({ version: '2.0.0' });
    expect(existsSync(join(root(), '.slipway/cache'))).toBe(false);
  });

  test('goes on with it, and fetches nothing again', async () => {
    await rm(join(place, 'host/releases', runtimeFor('x64').tag), { recursive: true });
    await release('2.1.0', `>${process.versions.node}`);
    const { result, stderr } = await call(launcher(), 'upgrade');
    expect(result, stderr).toMatchObject({ outcome: 'upgraded', to: '2.1.0' });
    expect(await usedNode()).toBe(kept());
  });

  test('refuses a release that needs a newer one than there is, before anything changes', async () => {
    await release('3.0.0', '>=99');
    const { code, result } = await call(launcher(), 'upgrade');
    expect([code, result.code]).toEqual([3, 'E_PREFLIGHT']);
    expect(result.message).toContain(`3.0.0 needs Node.js >=99, and this is ${built.node}`);
    expect((await run([launcher(), 'status', '--json'])).result).toMatchObject({ version: '2.1.0', openOperation: null });
  });
});

describe.skipIf(leftOut)('what build:runtime made', () => {
  test('is what its own list and SHA256SUMS say, and slipway writes that list in the same way', async () => {
    expect(printRuntimeSet(built)).toBe(await readFile(join(RUNTIMES, 'bundle.json'), 'utf8'));
    await must(['sha256sum', '--check', '--quiet', 'SHA256SUMS'], { cwd: RUNTIMES });
    expect(built.files.map(({ os, arch }) => `${os}-${arch}`)).toEqual(['linux-x64', 'linux-arm64']);
    expect(await readFile(join(RUNTIMES, 'LICENSE'), 'utf8')).toContain('Node.js is licensed for use as follows');
  });

  test('starts on arm64, and so does the operator program with it', async () => {
    const { name, program } = runtimeFor('arm64');
    const bytes = gunzipSync(await readFile(join(RUNTIMES, name)));
    expect([bytes.length, digestOf(bytes)]).toEqual([program.size, program.sha256]);
    const node = join(stage.folder, 'node-arm64');
    await writeFile(node, bytes);
    await chmod(node, 0o755);
    const emulated = [join(CACHE, 'qemu/usr/bin/qemu-aarch64-static'), '-L', join(CACHE, 'qemu/usr/aarch64-linux-gnu'), node];
    expect((await must([...emulated, '--version'])).stdout.trim()).toBe(`v${built.node}`);
    expect((await must([...emulated, '-p', 'process.arch'])).stdout.trim()).toBe('arm64');
    const native = await must([process.execPath, OPERATOR, 'help']);
    expect((await must([...emulated, OPERATOR, 'help'])).stdout).toBe(native.stdout);
  });
});
