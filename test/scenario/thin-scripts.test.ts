// The thin scripts of a product's repository, really run: each option ends in the command that it stands for, and nothing else is taken.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildMachine } from '../ci/runner/stage.ts';
import { gitEnvironment } from '../fakes/git-workspace.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { makeTinyProduct, type TinyProduct, tinyProductFile } from '../fakes/tiny-product.ts';
import { isThere } from '../installer/stage.ts';

let folder: string;
let bin: string;
let registry: FakeRegistry;
let product: TinyProduct;

interface End {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Without waiting for the child this process could not answer as the registry. */
function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<End> {
  const [program = '', ...words] = argv;
  const path = [join(bin, 'slipway'), join(bin, 'docker'), process.env.PATH].join(':');
  const all = { ...gitEnvironment, HOME: folder, PATH: path, ...env };
  const child = spawn(program, words, { cwd: product.root, env: all, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (end.out += chunk));
  child.stderr.on('data', (chunk: Buffer) => (end.err += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, ...end }));
  });
}

const script = (name: string, ...words: readonly string[]): Promise<End> => run([`./scripts/${name}`, ...words]);
const called = ({ err }: End): string[] => err.split('\n').filter((line) => line.startsWith('+ '));
const at = (path: string): string => join(product.root, path);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-scripts-'));
  bin = await buildMachine();
  registry = await startFakeRegistry();
  product = await makeTinyProduct(join(folder, 'tiny'), registry);
  await pushImage(registry, 'acme/editor', { architecture: 'amd64', layers: ['editor'], tag: '1.0.0' });
  await pushImage(registry, 'library/postgres', { architecture: 'amd64', layers: ['postgres'], tag: '16' });
  const yaml = tinyProductFile(registry.host, '  base: VERSION\n')
    .replace('path: releases }', `path: releases, url: "file://${product.root}/releases" }`)
    .replace('staging: { prerelease: staging }', 'staging: { prerelease: staging, branch: staging }')
    .replace('stable: {}', 'stable: { branch: main, promoteFrom: staging }')
    .replace('api: { repository: tiny-api }', 'api: { repository: tiny-api, context: api }\n    editor: { context: editor, optIn: true }')
    .replace('docker.io/library/postgres:16', `${registry.host}/library/postgres:16`);
  const files = {
    VERSION: '1.0.0\n',
    'api/Dockerfile': 'FROM scratch\n',
    'editor/Dockerfile': 'FROM scratch\n',
    '.gitignore': '.slipway\ndist\nreleases\n',
  };
  await product.commit({
    ...files,
    'slipway.yaml': `${yaml}sync: { train: [main, staging, feature/x] }\n`.replace('branch: main, promoteFrom: staging', ''),
  });
});

afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

test('init --scripts writes them into a product that is there, and never over a file', async () => {
  const made = await run(['slipway', 'init', '--scripts', '--yes']);
  expect({ code: made.code, err: made.code === 0 ? '' : made.err }).toEqual({ code: 0, err: '' });
  expect(readdirSync(at('scripts')).sort()).toEqual([
    'build-and-push.sh',
    'build-release.sh',
    'bump-version.sh',
    'install.sh',
    'mirror-images.sh',
    'sync-main-to-staging.sh',
    'sync-staging-to-feature-x.sh',
    'upgrade.sh',
  ]);
  for (const name of readdirSync(at('scripts'))) expect(statSync(at(`scripts/${name}`)).mode & 0o777, name).toBe(0o755);
  await product.commit({});
  const again = await run(['slipway', 'init', '--scripts', '--yes']);
  expect(again).toMatchObject({ code: 3, err: expect.stringContaining('scripts/build-release.sh') });
});

describe('every script', () => {
  test('says what it calls, and takes no other option', async () => {
    for (const name of readdirSync(at('scripts'))) {
      const help = await script(name, '--help');
      expect(help, name).toMatchObject({ code: 0, out: expect.stringContaining(`scripts/${name}`), err: '' });
      expect(help.out, name).toMatch(
        name === 'install.sh' ? /install\.sh of the newest release/ : name === 'upgrade.sh' ? /tinyctl upgrade/ : /slipway [a-z]/,
      );
      if (name !== 'install.sh')
        expect(await script(name, '--frobnicate'), name).toMatchObject({ code: 2, out: '', err: expect.stringContaining('--frobnicate') });
    }
  });

  test.skipIf(!isThere('shellcheck'))('is one that ShellCheck has nothing against', () => {
    for (const name of readdirSync(at('scripts'))) {
      expect(spawnSync('shellcheck', ['-s', 'sh', at(`scripts/${name}`)], { encoding: 'utf8' }).stdout, name).toBe('');
    }
  });

  test('runs in every plain shell', async () => {
    for (const shell of [['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(([name = '']) => isThere(name))) {
      for (const name of readdirSync(at('scripts')))
        expect((await run([...shell, `./scripts/${name}`, '--help'])).code, `${shell} ${name}`).toBe(0);
    }
  });
});

test('build-release.sh: shows, packs, publishes once for ever, and replaces only where the product allows it', async () => {
  const shown = await script('build-release.sh', '--dry-run');
  expect({ called: called(shown), code: shown.code }).toEqual({ called: ['+ slipway plan release'], code: 0 });
  expect(shown.out).toContain('The next release: v1.0.0');
  const both = await script('build-release.sh', '--tag', 'v1.0.0', '--upload', '--dry-run');
  expect(both).toMatchObject({ code: 0, out: expect.stringContaining('The next release: v1.0.0') });
  expect(existsSync(at('dist'))).toBe(false);
  const upload = await script('build-release.sh', '--tag', 'v1.0.0', '--upload');
  expect({ called: called(upload), code: upload.code, err: upload.code === 0 ? '' : upload.err }).toEqual({
    called: ['+ slipway pack --tag v1.0.0', '+ slipway publish --tag v1.0.0 --yes'],
    code: 0,
    err: '',
  });
  expect(existsSync(at('releases/releases/v1.0.0/tiny-1.0.0.tar.gz'))).toBe(true);
  expect((await script('build-release.sh', '--tag=v1.0.0', '--upload')).code).toBe(0);
  const replace = await script('build-release.sh', '--tag', 'v1.0.0', '--upload', '--replace');
  expect(replace).toMatchObject({ code: 3, err: expect.stringContaining('never replaced') });
  expect(await script('build-release.sh', '--replace')).toMatchObject({ code: 2, err: expect.stringContaining('--upload') });
});

test('install.sh hands its options to the install.sh of the newest release, fetched anew', async () => {
  const { code, out, err } = await script('install.sh', '--', '--help');
  expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('Tiny Product') });
  expect(called({ code, out, err })).toEqual([`+ file://${product.root}/releases/install.sh --help`]);
  const text = readFileSync(at('scripts/install.sh'), 'utf8');
  for (let cut = 100; cut < text.length - 2; cut += 173) {
    const half = spawnSync('sh', ['-s', '--', '--help'], { input: text.slice(0, cut), encoding: 'utf8' });
    expect(half.stdout, String(cut)).toBe('');
  }
});

test('build-and-push.sh: all that are built by default, those that are named, those that are opted in; pushed or not', async () => {
  const plans: [readonly string[], string][] = [
    [[], '+ slipway images build --push --plan'],
    [['--services', 'api,editor'], '+ slipway images build api editor --push --plan'],
    [['--services=api', '--no-push'], '+ slipway images build api --plan'],
    [['--include-editor'], '+ slipway images build --include editor --push --plan'],
  ];
  for (const [words, wanted] of plans) {
    const end = await script('build-and-push.sh', ...words, '--dry-run');
    expect({ words, called: called(end), code: end.code, err: end.code === 0 ? '' : end.err }).toEqual({
      words,
      called: [wanted],
      code: 0,
      err: '',
    });
    expect(end.out, words.join()).toContain('Plan: images build');
  }
  expect(await script('build-and-push.sh', '--services', '--push')).toMatchObject({ code: 2 });
  expect(await script('build-and-push.sh', '--no-push')).toMatchObject({ code: 0, out: expect.stringMatching(/^built {2}api/m) });
});

test('mirror-images.sh: a look first, then one group or all, and nothing a second time', async () => {
  expect(called(await script('mirror-images.sh', '--core-only', '--dry-run'))).toEqual(['+ slipway images mirror --only core --plan']);
  expect(await script('mirror-images.sh', '--core-only')).toMatchObject({ code: 0 });
  expect(await script('mirror-images.sh')).toMatchObject({ code: 0, out: expect.stringContaining('nothing to copy') });
});

test('bump-version.sh: the version it is given; without one it asks, where somebody can answer', async () => {
  expect(await script('bump-version.sh')).toMatchObject({ code: 2, err: expect.stringContaining('which version?') });
  expect(await script('bump-version.sh', 'minor', '--dry-run')).toMatchObject({ code: 0, out: expect.stringContaining('1.1.0') });
  expect(readFileSync(at('VERSION'), 'utf8')).toBe('1.0.0\n');
  expect(await script('bump-version.sh', '1.2.0')).toMatchObject({ code: 0 });
  expect(readFileSync(at('VERSION'), 'utf8')).toBe('1.2.0\n');
  await product.commit({});
});

test('sync-main-to-staging.sh: a look, and then the branch goes forward', async () => {
  const origin = join(folder, 'origin.git');
  product.git('clone', '-q', '--bare', product.root, origin);
  product.git('remote', 'add', 'origin', origin);
  product.git('push', '-q', 'origin', 'HEAD~1:refs/heads/staging');
  const staging = (): string => product.git('--git-dir', origin, 'rev-parse', 'staging');
  const head = product.git('rev-parse', 'HEAD');
  expect(await script('sync-main-to-staging.sh', '--dry-run')).toMatchObject({
    code: 0,
    out: expect.stringContaining('staging goes forward by 1 commit'),
  });
  expect(await script('sync-main-to-staging.sh')).toMatchObject({ code: 3 });
  expect(staging()).not.toBe(head);
  expect(await script('sync-main-to-staging.sh', '--yes')).toMatchObject({ code: 0 });
  expect(staging()).toBe(head);
});

test('upgrade.sh: the command of the install around it; what is built or pulled matters to a git checkout alone', async () => {
  writeFileSync(at('tinyctl'), '#!/bin/sh\necho "tinyctl $*"\n');
  chmodSync(at('tinyctl'), 0o755);
  const words = ['--use-registry', '--dry-run', '--yes'];
  expect((await script('upgrade.sh', ...words)).out).toBe(`tinyctl upgrade --dir ${product.root} --use-registry --plan --yes\n`);
  const release = join(folder, 'release');
  expect(
    (await run(['sh', '-c', `mkdir "$0" && cp -r scripts tinyctl "$0" && cd "$0" && scripts/upgrade.sh --use-registry`, release])).out,
  ).toBe(`tinyctl upgrade --dir ${release}\n`);
});
