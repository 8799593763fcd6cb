// init as a maintainer calls it, and what comes of it: a product that is checked, locked, packed, published and installed as it is.
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { CommandResult, Flags } from '../../src/commands/command.ts';
import { install } from '../../src/commands/operator/install.ts';
import { status } from '../../src/commands/operator/status.ts';
import { init } from '../../src/commands/slipway/init.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseManifest } from '../../src/model/manifest.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import { failure } from '../failure.ts';
import { fakeEngine } from '../fakes/engine.ts';
import type { Work } from '../fakes/engine-state.ts';
import { git, gitEnvironment } from '../fakes/git-workspace.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import { pushImage } from '../fakes/registry-push.ts';
import { makeKeys, quietWorld } from '../fakes/release-builder.ts';
import { type ScriptedTerminal, scriptedTerminal } from '../fakes/scripted-terminal.ts';
import { buildSlipway, runSlipway, type SlipwayEnd } from '../fakes/slipway-program.ts';

let folder: string;
let program: string;
let registry: FakeRegistry;
let root: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-init-'));
  program = await buildSlipway(join(folder, 'program'));
  registry = await startFakeRegistry();
  await pushImage(registry, 'shop/nginx', { tag: '1.27-alpine', architecture: 'amd64', layers: ['nginx'] });
});

beforeEach(async () => {
  root = join(await mkdtemp(join(folder, 'place-')), 'my-shop');
  await mkdir(root);
});

afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

interface Asked extends CommandResult {
  readonly terminal: ScriptedTerminal;
}

/** With lines there is a person who types them; without, everything is confirmed beforehand. */
async function runInit(flags: Flags = {}, lines?: readonly string[], world: Partial<World> = {}): Promise<Asked> {
  const terminal = scriptedTerminal(lines);
  const around = quietWorld({ env: gitEnvironment, run: runProgram, terminal, ...world });
  const confirmed = lines === undefined ? { yes: true } : {};
  const result = await init.run({
    world: around,
    flags: { dir: root, ...confirmed, ...flags },
    positionals: [],
    program: 'slipway',
    file: program,
  });
  return { ...result, terminal };
}

async function slipway(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<SlipwayEnd> {
  const end = await runSlipway(program, words, { cwd: root, env });
  expect({ words, code: end.code, message: end.result.message }).toEqual({ words, code: 0 });
  return end;
}

const text = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

describe('a product that init made', () => {
  test('is checked, locked, packed, published to a folder and installed as it is', async () => {
    const keys = makeKeys();
    await slipway(['init', '--yes', '--registry', `${registry.host}/shop`]);
    expect((await slipway(['check'])).result.problems).toEqual([]);
    const file = await text('slipway.yaml');
    await writeFile(join(root, 'slipway.yaml'), file.replace(/^ {2}# publicKey:.*$/m, `  publicKey: ${keys.publicKey}`));
    await slipway(['images', 'lock', '--yes']);
    git(root, 'init', '-q', '-b', 'main');
    git(root, 'add', '-A');
    git(root, 'commit', '-q', '-m', 'The first release');
    git(root, 'tag', 'v0.1.0');
    const key = { SLIPWAY_SECRET_KEY: keys.secretKeyText };
    const packed = await slipway(['pack', '--locked', '--yes'], key);
    expect(packed.result.warnings).toEqual([]);
    const published = await slipway(['publish', '--yes'], key);
    expect(published.result.hosts).toMatchObject([{ name: 'local', outcome: 'published' }]);
    const manifest = parseManifest(await readFile(String(packed.result.manifest), 'utf8'));
    expect(await installed(manifest, keys.publicKey)).toMatchObject({
      product: 'my-shop',
      version: '0.1.0',
      services: [{ name: 'web', state: 'running' }],
    });
  });

  test('asks a person, and names product, title, registry and address', async () => {
    const lines = ['shop', 'Shop: the "best"', 'registry.example.com/shop', 'https://releases.example.com', 'gitea', '', 'y'];
    const { terminal } = await runInit({}, lines);
    expect(terminal.shown()).toContain('The product in one short word');
    const { result } = await slipway(['check']);
    expect(result.problems).toEqual([]);
    expect(await text('slipway.yaml')).toContain('\ntitle: "Shop: the \\"best\\""\n');
    expect(await text('slipway.yaml')).toContain('\n  registry: registry.example.com/shop ');
    expect(await text('slipway.yaml')).toContain('url: https://releases.example.com ');
    expect(await readdir(join(root, '.gitea/workflows'))).toContain('slipway-check.yml');
  });

  test('keeps keys and what is packed out of the repository', async () => {
    await runInit();
    git(root, 'init', '-q');
    await mkdir(join(root, 'dist'));
    for (const path of ['slipway.key', 'dist/x', '.env']) await writeFile(join(root, path), 'x');
    expect(git(root, 'status', '--porcelain', '--untracked-files=all')).not.toMatch(/key|dist|\.env/);
    expect((await readdir(root)).sort()).toEqual([
      '.env',
      '.git',
      '.github',
      '.gitignore',
      'VERSION',
      'dist',
      'docs',
      'files',
      'slipway.key',
      'slipway.yaml',
      'templates',
    ]);
  });
});

describe('workflows', () => {
  test.each(['github', 'gitea'])('are there at once for %s, as `ci generate` makes them', async (forge) => {
    const { fields } = await runInit({ forge });
    const names = ['check', 'mirror', 'outdated', 'refresh', 'release'];
    const wanted = names
      .map((name) => `.${forge}/workflows/slipway-${name}.yml`)
      .filter((path) => forge !== '' && !path.includes('mirror'));
    expect(fields.files).toEqual(expect.arrayContaining(wanted));
    const { result } = await slipway(['ci', 'generate', '--check']);
    expect(
      (result.files as { path: string; outcome: string }[]).every(
        ({ path, outcome }) => path.startsWith(`.${forge}/`) && outcome === 'unchanged',
      ),
    ).toBe(true);
  });

  test('are left out when nobody wants them, and an unknown forge is refused', async () => {
    expect(await failure(runInit({ forge: 'gitlab' }))).toMatchObject({ code: 'E_ANSWER', message: expect.stringContaining('github') });
    const { fields } = await runInit({ forge: 'none' });
    expect((fields.files as string[]).filter((path) => path.startsWith('.g'))).toEqual(['.gitignore']);
    expect((await slipway(['check'])).result.problems).toEqual([]);
  });

  test('belong to the top of the repository: below it, nothing is asked, and the way to them is told', async () => {
    git(join(root, '..'), 'init', '-q');
    const { fields, text: shown } = await runInit({});
    expect((fields.files as string[]).some((path) => path.includes('workflows'))).toBe(false);
    expect(shown).toContain('`slipway ci generate` writes them there');
    await slipway(['ci', 'generate', '--yes']);
    expect(await readdir(join(root, '../.github/workflows'))).toContain('slipway-my-shop-check.yml');
  });

  test('come with the thin scripts when those are asked for', async () => {
    const { fields } = await runInit({ scripts: true });
    expect(fields.files).toEqual(
      expect.arrayContaining(['scripts/build-release.sh', 'scripts/mirror-images.sh', '.github/workflows/slipway-check.yml']),
    );
    expect(fields.files).not.toContain('scripts/build-and-push.sh'); // it builds no image of its own yet
    await slipway(['ci', 'generate', '--check']);
  });
});

describe('init', () => {
  test.each(['slipway.yaml', 'files/content/index.html.hbs', 'docs'])(
    'writes nothing when %s is there already, and names it',
    async (path) => {
      await mkdir(join(root, path, '..'), { recursive: true });
      await writeFile(join(root, path), 'mine\n');
      const before = await readdir(root, { recursive: true });
      expect(await failure(runInit({}, []))).toMatchObject({
        code: 'E_CONFLICT',
        message: `${path} exists already`,
        hint: expect.any(String),
      });
      expect(await readdir(root, { recursive: true })).toEqual(before);
      expect(await text(path)).toBe('mine\n');
    },
  );

  test('counts a link that leads nowhere as a file', async () => {
    await symlink('/nowhere', join(root, 'slipway.yaml'));
    expect(await failure(runInit())).toMatchObject({ code: 'E_CONFLICT' });
  });

  test('keeps a .gitignore that is there, and says what it should name', async () => {
    await writeFile(join(root, '.gitignore'), 'mine\n');
    const { fields, terminal } = await runInit();
    expect(fields.files).not.toContain('.gitignore');
    expect(terminal.shown()).toContain('.gitignore stays as it is; it should name dist/');
    expect(await text('.gitignore')).toBe('mine\n');
  });

  test('shows what it would write with --plan, and writes nothing', async () => {
    const { fields, exit, text: shown } = await runInit({ plan: true, 'exit-code': true });
    expect(fields.plan).toMatchObject({ command: 'init', steps: [{ kind: 'stage-files' }, { kind: 'swap-files' }] });
    expect({ exit, left: await readdir(root) }).toEqual({ exit: 4, left: [] });
    expect(shown).toContain('slipway.yaml');
  });

  test('does nothing that a person did not confirm', async () => {
    expect(await failure(runInit({}, ['', '', '', '', '', '', 'n']))).toMatchObject({ code: 'E_NOT_CONFIRMED' });
    expect(await failure(runInit({ yes: false }))).toMatchObject({ code: 'E_NOT_CONFIRMED' });
    expect(await readdir(root)).toEqual([]);
  });

  test('refuses answers that cannot be, all at once', async () => {
    const refused = await failure(runInit({ product: 'My Shop', set: ['URL=example', 'COLOUR=red'] }));
    expect(refused).toMatchObject({ code: 'E_ANSWER' });
    for (const name of ['PRODUCT', 'URL', 'COLOUR']) expect(refused.message).toContain(name);
    expect(await readdir(root)).toEqual([]);
  });
});

/** Installs from the folder host with an engine that has the image, and gives the status. */
async function installed(manifest: ReturnType<typeof parseManifest>, key: string): Promise<object> {
  const images = manifest.images.map(({ name, reference, digest }) => ({
    id: digestOf(name),
    pinned: `${reference}@${digest}`,
    program: name,
  }));
  const engine = fakeEngine({ images, programs: { nginx: { version: '1', healthyAfter: 1, work } } });
  const place = await mkdtemp(join(folder, 'machine-'));
  const file = join(folder, 'program/operator.mjs');
  const port = 20_000 + (process.pid % 20_000);
  const world = quietWorld({
    env: { ...gitEnvironment, HOME: place, DOCKER_CONTEXT: place },
    run: answering(engine.client(), port),
    sleep: async (milliseconds) => engine.wait(milliseconds),
  });
  const flags = { dir: join(place, 'my-shop'), yes: true };
  const base = { world, positionals: [], program: 'my-shopctl', file };
  const wanted = { product: 'my-shop', releases: [join(root, 'dist/releases')], key, set: [`HTTP_PORT=${port}`] };
  await install.run({ ...base, flags: { ...flags, ...wanted } });
  return (await status.run({ ...base, flags })).fields;
}

/** The container answers on its port once it is up. */
function answering(run: Run, port: number): Run {
  const server = createServer((_, response) => response.end('{"status":"ok"}'));
  onTestFinished(() => void server.close());
  return async (argv, options) => {
    const result = await run(argv, options);
    if (argv.includes('up') && !argv.includes('--no-start') && !server.listening)
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return result;
  };
}

/** `nginx -t` ends; nginx itself runs. */
function work(command: readonly string[]): Work | undefined {
  return command.join(' ') === 'nginx -t' ? { parts: [], exitCode: 0 } : undefined;
}
