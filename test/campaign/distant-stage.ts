// An install whose operator command runs as a process of its own, on a fake engine that outlives it. Rule: real commands on real files; both ends of the upgrade
// are measured once, undisturbed, and every other end is held against them.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import type { Variable } from '../../src/model/description.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseInstall } from '../../src/model/install.ts';
import { hashOfService, readCompose } from '../fakes/compose-file.ts';
import { type FakeEngine, fakeEngine } from '../fakes/engine.ts';
import { serveEngine } from '../fakes/engine-server.ts';
import { buildRelease, publishRelease } from '../fakes/release-builder.ts';
import { type FolderImage, pathsWhere, personsView, putImage, takeImage, textAt } from './folder-image.ts';
import { readRows, registryFor, releaseOf, type Shape } from './product.ts';
import { addUploads, editByHand } from './stage.ts';

const SHAPE: Shape = { door: true, data: true, migrates: true };
const SECRETS: Readonly<Record<string, Variable>> = {
  SECRET: { secret: 'password', length: 32, immutable: true },
  LOG_LEVEL: { default: 'info' },
};

export interface Ended {
  /** 137 = killed. */
  readonly code: number;
  readonly result: Record<string, unknown>;
  readonly stderr: string;
}

export interface DistantStage {
  readonly place: string;
  readonly root: string;
  readonly program: string;
  readonly engine: FakeEngine;
  readonly env: Readonly<Record<string, string>>;
  /** Runs the command, behind `before` (strace and its options) when that is given. */
  readonly run: (words: readonly string[], before?: readonly string[]) => Promise<Ended>;
  /** The install as release 1.0.0 left it, edited and used. */
  readonly reset: () => Promise<void>;
  /** What is wrong with the state: exactly the old and exactly the new one are right, and nothing written is lost. */
  readonly judge: () => Judged;
  /** What is not there of the release that was installed first, with its images. */
  readonly missingOfOld: () => string[];
  readonly close: () => void;
}

export interface Judged {
  readonly end: 'old' | 'new' | 'neither';
  readonly wrongs: readonly string[];
}

/** Publishes both releases, installs the first, and measures both ends. The folder is the caller's to remove. */
export async function openDistantStage(place: string): Promise<DistantStage> {
  const [root, host, program] = [join(place, 'acme'), join(place, 'host'), join(place, 'operator.mjs')];
  const engine = fakeEngine(registryFor(SHAPE, 'none'));
  const server = await serveEngine(engine, join(place, 'engine'));
  await mkdir(join(place, 'tmp'), { recursive: true });
  await publishBoth(place, host, await buildProgram(program));
  const env = {
    ...{ PATH: process.env.PATH ?? '', HOME: place, TMPDIR: join(place, 'tmp'), FAKE_ENGINE: server.socket },
    ...{ SLIPWAY_BIN: join(place, 'bin'), SLIPWAY_SYSTEMD: '', DOCKER_CONTEXT: basename(place), UV_THREADPOOL_SIZE: '1' },
  };
  const run: DistantStage['run'] = async (words, before = []) => {
    const argv = [...before, process.execPath, program, ...words, '--dir', root, '--json'];
    const ended = await endOf(spawn(argv[0] ?? '', argv.slice(1), { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] }));
    await server.idle();
    return ended;
  };
  await installFirst(root, host, run);
  live(engine);
  const before = { folder: takeImage(root), engine: engine.snapshot() };
  const reset = async (): Promise<void> => {
    putImage(root, before.folder);
    engine.restore(before.engine);
  };
  const old = pictureOf(root, engine);
  const upgraded = await run(['upgrade', '--yes']);
  if (upgraded.result.outcome !== 'upgraded') throw new Error(`the upgrade ends with ${upgraded.code}: ${JSON.stringify(upgraded.result)}`);
  live(engine);
  const fresh = pictureOf(root, engine);
  const judge = (): Judged => judgeEnd(root, engine, { old, new: fresh });
  const kept = old.filter((line) => /^(image |kept \.slipway\/releases\/1\.0\.0)/.test(line));
  const missingOfOld = (): string[] => {
    const image = takeImage(root);
    const there = [
      ...pathsWhere(image, () => true).map((path) => `kept ${path}`),
      ...[...engine.state().images.keys()].map((name) => `image ${name}`),
    ];
    return kept.filter((line) => !there.includes(line)).map((line) => `before the point of no return there is no ${line}`);
  };
  await reset();
  return { place, root, program, engine, env, run, reset, judge, missingOfOld, close: server.close };
}

async function buildProgram(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, '../fakes/distant-program.ts')],
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'silent', write: false, minify: true },
    banner: { js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    define: { SLIPWAY_VERSION: '"0.0.0-test"' },
  });
  const text = outputFiles[0]?.text ?? '';
  await writeFile(file, text);
  return text;
}

/** Both releases bring the program that is at work, so that nothing is handed over and one process does it all. */
async function publishBoth(place: string, host: string, operator: string): Promise<void> {
  for (const version of ['1.0.0', '2.0.0'] as const) {
    const release = releaseOf(version, SHAPE);
    const { artifact: _, files: shipped, operator: __, ...rest } = release.manifest;
    const program = {
      path: 'acmectl',
      mode: '0755',
      size: Buffer.byteLength(operator),
      sha256: digestOf(operator),
      owner: 'vendor',
    } as const;
    const files = [...shipped.map((file) => (file.path.endsWith('.sh') ? { ...file, mode: '0755' as const } : file)), program];
    const more: Readonly<Record<string, Variable>> = version === '2.0.0' ? { NEW_DEFAULT: { default: 'yes' } } : {};
    const workspace = join(place, `workspace-${version}`);
    const manifest = { ...rest, files, env: { ...SECRETS, ...more } };
    const built = await buildRelease({ workspace, version, keys: null, operator, files: Object.fromEntries(release.files), manifest });
    await publishRelease(built, host);
  }
}

async function installFirst(root: string, host: string, run: DistantStage['run']): Promise<void> {
  mkdirSync(root);
  writeFileSync(join(root, 'docker-compose.override.yml'), 'services:\n  api:\n    labels: { mine: "1" }\n');
  const ended = await run(['install', '--product', 'acme', '--releases', host, '--release-version', '1.0.0', '--yes']);
  if (ended.code !== 0) throw new Error(`the install ends with ${ended.code}: ${JSON.stringify(ended.result)}`);
  editByHand(root);
  addUploads(root);
}

function live(engine: FakeEngine): void {
  for (let wait = 0; wait < 12; wait += 1) engine.wait(100);
}

function endOf(child: ChildProcess): Promise<Ended> {
  const out = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => {
    out.stdout += chunk;
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    out.stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const last = out.stdout.trimEnd().split('\n').at(-1) ?? '';
      const result = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
      resolve({ code: code ?? (signal === 'SIGKILL' ? 137 : 128), result, stderr: out.stderr });
    });
  });
}

/** A state in lines, each a fact: files, record, containers, volumes, networks, images, schema. Rows are judged apart. */
type Picture = readonly string[];

/** Caches, logs, backups and kept programs may differ; so may what install.json tells of the past. */
const APART = /^\.slipway($|\/(cache|operators|history|log|staged$|install\.json|backups))/;

function pictureOf(root: string, engine: FakeEngine): Picture {
  const image = takeImage(root);
  const state = engine.state();
  const record = parseInstall(textAt(image, '.slipway/install.json') ?? '', 'install.json');
  const { operations: _, held: __, ...lasting } = record; // a release that failed is held, wherever it ended
  const override = join(root, 'docker-compose.override.yml');
  const compose = { name: 'acme', folder: root, environment: join(root, '.env'), files: [join(root, 'docker-compose.yml'), override] };
  const hashes = Object.entries(readCompose(compose).services).map(([name, service]) => [name, hashOfService(service)]);
  const containers = [...state.containers.values()].map(({ labels, imageId, state: status }) => {
    const service = labels['com.docker.compose.service'] ?? '';
    const hash = labels['com.docker.compose.config-hash'];
    const isCurrent = hashes.some(([name, wanted]) => name === service && wanted === hash);
    const once = labels['com.docker.compose.oneoff'] === 'False' ? '' : ' one-off';
    const isJob = service === 'warmup'; // a job that ended runs no second time
    return `container ${service}${once} ${imageId} ${isJob ? '' : status}${isCurrent ? '' : ' with another configuration'}`;
  });
  return [
    ...[...personsView(image)].map(([path, text]) => `file ${path} ${text}`),
    ...pathsWhere(image, (path) => path.startsWith('.slipway') && !APART.test(path)).map((path) => `kept ${path}`),
    `record ${JSON.stringify(lasting)}`,
    ...containers,
    ...[...state.volumes.keys()].map((name) => `volume ${name}`),
    ...[...state.networks.keys()].map((name) => `network ${name}`),
    ...[...state.images.keys()].map((name) => `image ${name}`),
    `schema ${state.volumes.get('acme_pgdata')?.tree.get('base/schema')?.content}`,
  ].sort();
}

function judgeEnd(root: string, engine: FakeEngine, ends: { readonly old: Picture; readonly new: Picture }): Judged {
  live(engine);
  const found = pictureOf(root, engine);
  const differences = { old: differenceOf(found, ends.old), new: differenceOf(found, ends.new) };
  const end = differences.old.length === 0 ? 'old' : differences.new.length === 0 ? 'new' : 'neither';
  const nearer = differences.old.length <= differences.new.length ? 'old' : 'new';
  return {
    end,
    wrongs: [...differences[nearer], ...lostRows(engine, nearer), ...partsLeft(takeImage(root)), ...engine.state().violations],
  };
}

function differenceOf(found: Picture, wanted: Picture): string[] {
  const more = found.filter((line) => !wanted.includes(line)).map((line) => `there is ${line}`);
  return [...more, ...wanted.filter((line) => !found.includes(line)).map((line) => `there is no ${line}`)];
}

/** A row that the old release wrote, or that came through the open door, is never lost; going back drops what the new one wrote behind the shut door. */
function lostRows(engine: FakeEngine, end: 'old' | 'new'): string[] {
  const { volumes, ledger } = engine.state();
  const rows = readRows(volumes.get('acme_pgdata')?.tree ?? new Map(), end === 'old' ? '1' : '2') ?? [];
  const must = ledger.filter((row) => end === 'new' || row.version === '1.0.0' || row.door);
  return [
    ...must.filter(({ id }) => !rows.includes(id)).map(({ id }) => `the row ${id} is lost`),
    ...(new Set(rows).size < rows.length ? ['a row is there twice'] : []),
  ];
}

/** What is between two names must not stay, wherever it lies. */
function partsLeft(image: FolderImage): string[] {
  return pathsWhere(image, (path) => /\.slipway-(new|aside)$|\.partial$|\.part-|\.slipway\/(cache\/incoming-|lock\.)/.test(path)).map(
    (path) => `left over: ${path}`,
  );
}
