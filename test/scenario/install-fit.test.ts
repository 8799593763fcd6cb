// From a registry to somebody's machine: what pack learns of images is what preflight refuses with. Rule: real manifests, real files, a real full disk; the engine alone is fake.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { install } from '../../src/commands/operator/install.ts';
import { type Manifest, parseManifest } from '../../src/model/manifest.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { type DataPlaces, observeDataSizes, sumOfSizes } from '../../src/observe/data-size.ts';
import { observeMachine } from '../../src/observe/machine.ts';
import { failure } from '../failure.ts';
import { fakeEngine } from '../fakes/engine.ts';
import { commitFiles } from '../fakes/git-workspace.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { entryOf, pushImage, pushIndex } from '../fakes/registry-push.ts';
import { quietWorld } from '../fakes/release-builder.ts';
import { buildSlipway, OPERATOR_TEXT, runSlipway } from '../fakes/slipway-program.ts';

const BASE = 'base '.repeat(60_000);
let folder: string;
let program: string;
let registry: FakeRegistry;
let root: string;
let host: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-fit-'));
  program = await buildSlipway(join(folder, 'program'));
  await writeFile(join(folder, 'operator.js'), OPERATOR_TEXT);
});
beforeEach(async (context) => {
  registry = await startFakeRegistry();
  context.onTestFinished(registry.close);
  const place = await mkdtemp(join(folder, 'place-'));
  [root, host] = [join(place, 'acme'), join(place, 'host')];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Pushes an image for these platforms, each with the base and a layer of its own. */
async function push(name: string, ...architectures: readonly string[]): Promise<void> {
  const repository = `acme/${name}`;
  const entries = [];
  for (const architecture of architectures) {
    const pushed = await pushImage(registry, repository, { architecture, layers: [`${BASE}${architecture}`, `${name} ${architecture}`] });
    entries.push(entryOf(pushed, { os: 'linux', architecture }));
  }
  await pushIndex(registry, repository, { tag: '1.0.0', entries });
}

/** Packs and publishes a product of these images; gives what the bundle says. */
async function publish(...names: readonly string[]): Promise<Manifest> {
  const workspace = await mkdtemp(join(folder, 'workspace-'));
  const own = names.map((name) => `    ${name}: { repository: ${name} }`).join('\n');
  await commitFiles(workspace, {
    '.gitignore': 'dist/\n.slipway/\n',
    'slipway.yaml': `schema: 1
product: acme
release: { tag: "v{version}", hosts: { local: { type: folder, path: ${host} } }, publishTo: [local] }
bundle: { compose: compose.yml.hbs }
images:
  registry: ${registry.host}/acme
  own:
${own}
`,
    'compose.yml.hbs': `name: acme\nservices:\n${names.map((name) => `  ${name}:\n    image: {{image "${name}"}}\n`).join('')}`,
  });
  for (const words of [
    ['pack', '--tag', 'v1.0.0'],
    ['publish', '--tag', 'v1.0.0', '--yes'],
  ]) {
    const { code, stderr } = await runSlipway(program, words, { cwd: workspace });
    expect(code, stderr).toBe(0);
  }
  return parseManifest(await readFile(join(host, 'releases/v1.0.0/bundle.json'), 'utf8'));
}

/** The engine of this machine, with its images in another folder. */
function engine(parts: Readonly<Record<string, string>> = {}): Run {
  const run = fakeEngine({ images: [], programs: {} }).client();
  return async (argv, options) => {
    const result = await run(argv, options);
    return argv[1] === 'info' ? { ...result, stdout: JSON.stringify({ ...JSON.parse(result.stdout), ...parts }) } : result;
  };
}

function installOn(run: Run): Promise<unknown> {
  const world = quietWorld({ env: { PATH: process.env.PATH }, run });
  const flags = { dir: root, yes: true, product: 'acme', releases: [host] };
  return install.run({ world, flags, positionals: [], program: 'acmectl', file: join(folder, 'operator.js') });
}

async function bytesOf(seams: World, at: string, places: DataPlaces): Promise<number | undefined> {
  return sumOfSizes(await observeDataSizes(seams, at, places), places);
}

describe('what a registry knows of images', () => {
  test('is in the bundle: digests, platforms, sizes, and what an image adds to those before it', async () => {
    await push('api', 'amd64', 'arm64');
    await push('worker', 'arm64');
    const { images } = await publish('api', 'worker');
    expect(images).toMatchObject([
      { name: 'api', digest: registry.repositories.get('acme/api')?.tags.get('1.0.0'), platforms: ['linux/amd64', 'linux/arm64'] },
      { name: 'worker', digest: registry.repositories.get('acme/worker')?.tags.get('1.0.0'), platforms: ['linux/arm64'] },
    ]);
    const [api, worker] = images;
    expect(api?.size).toBeGreaterThan(BASE.length);
    expect(api?.added).toBeUndefined();
    expect(worker?.size).toBeGreaterThan(BASE.length);
    expect(worker?.added).toBeLessThan(1000);
  });

  test('refuses an install on a machine that an image is not made for, naming image and platforms, before anything is there', async () => {
    await push('api', 'amd64', 'arm64');
    await push('worker', 'arm64');
    await publish('api', 'worker');
    expect(await failure(installOn(engine()))).toMatchObject({
      code: 'E_PREFLIGHT',
      message: 'the image worker is made for linux/arm64, and this machine is linux/amd64',
      hint: expect.stringContaining('worker on linux/amd64'),
    });
    expect(existsSync(root)).toBe(false);
    const onArm = await failure(installOn(engine({ Architecture: 's390x' })));
    expect(onArm.message).toMatch(/image api is made for linux\/amd64, linux\/arm64, .*image worker is made for linux\/arm64/);
  });

  test('refuses an install where the disk of the engine is too small for them, and not where it is just large enough', async ({ skip }) => {
    await push('api', 'amd64');
    await push('worker', 'amd64');
    const { images } = await publish('api', 'worker');
    const needed = images.reduce((sum, { size, added }) => sum + (added ?? size), 0) * 3.5;
    for (const [name, bytes] of [
      ['small', needed - 50_000],
      ['large', needed + 50_000],
    ] as const) {
      const disk = join(folder, name);
      await mkdir(disk);
      if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${Math.ceil(bytes / 4096) * 4096}`, 'tmpfs', disk]).status !== 0)
        skip('mounting is not allowed here');
      try {
        const { code, message } = await failure(installOn(engine({ DockerRootDir: disk })));
        const full = {
          code,
          message: expect.stringMatching(/\/small has .* free, and 1\.1 MB are needed: 1\.1 MB for 2 images to pull \(api, worker\)/),
        };
        if (name === 'small') expect({ code, message }).toEqual({ ...full, code: 'E_PREFLIGHT' });
        else expect(code).not.toBe('E_PREFLIGHT');
      } finally {
        execFileSync('umount', [disk]);
      }
    }
  });
});

describe('the data of an install', () => {
  const world = (run: Run) => quietWorld({ env: { PATH: process.env.PATH }, run });

  test('is measured: folders by their files, volumes by what the engine says', async () => {
    await mkdir(join(root, 'data/deep'), { recursive: true });
    await writeFile(join(root, 'data/deep/file'), Buffer.alloc(300_000, 1));
    const places = { paths: ['data', 'absent'], volumes: [] };
    const folders = await bytesOf(world(engine()), root, places);
    expect(folders).toBeGreaterThanOrEqual(300_000);
    expect(folders).toBeLessThan(400_000);
    const rows = [
      { Name: 'acme_db', Size: '1.5GB' },
      { Name: 'other_db', Size: '9GB' },
    ];
    const run: Run = async () => ({ code: 0, stdout: JSON.stringify(rows), stderr: '' });
    expect(await bytesOf(world(run), root, { paths: [], volumes: ['acme_db', 'acme_new'] })).toBe(1.5e9);
  });

  test.each([
    ['an older engine that cannot say', { code: 125, stdout: '' }],
    ['a size that nobody knows', { code: 0, stdout: '[{"Name":"acme_db","Size":"N/A"}]' }],
    ['an answer that is no JSON', { code: 0, stdout: 'VOLUME NAME  LINKS  SIZE' }],
  ])('is not known, rather than nothing, with %s', async (_, answer) => {
    const run: Run = async () => ({ stderr: '', ...answer });
    expect(await bytesOf(world(run), root, { paths: [], volumes: ['acme_db'] })).toBeUndefined();
  });

  test('lies on the disk of its folder, which may not be there yet; another host’s disks are not this one’s', async () => {
    const wish = { root, project: 'acme', ports: [], images: [], backups: 'backups', data: { paths: [], volumes: [] } };
    const { disks } = await observeMachine(world(engine({ DockerRootDir: folder })), wish);
    expect(disks.install?.device).toBe(disks.images?.device);
    expect([disks.install?.path, disks.backups?.path, disks.images?.path]).toEqual([join(root, '..'), join(root, '..'), folder]);
    const remote = quietWorld({
      env: { PATH: process.env.PATH, DOCKER_HOST: 'ssh://other.example' },
      run: engine({ DockerRootDir: folder }),
    });
    expect((await observeMachine(remote, wish)).disks.images).toBeUndefined();
  });
});
