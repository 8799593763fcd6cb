// The product's own images by the real docker: built, pushed to a real registry, promoted, pulled back by digest and run. Rule: nothing stands in for anything.
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { commitFiles, git, gitEnvironment } from '../fakes/git-workspace.ts';
import { must, type Ran, REPOSITORY, run } from './stage.ts';

const REGISTRY = process.env.SLIPWAY_TESTBED_REGISTRY ?? '';
const SLIPWAY = join(REPOSITORY, 'dist/slipway.mjs');
/** A namespace of this run's own: what other runs pushed stays out of it. */
const NAMESPACE = `build${process.pid}`;
const SECONDS = 3123;
let folder: string;
let root: string;

const DOCKERFILES = {
  'base/Dockerfile': 'FROM scratch\nCOPY busybox /bin/busybox\n',
  'api/Dockerfile': `FROM base AS build
ARG VERSION
RUN ["/bin/busybox", "sh", "-c", "echo acme $VERSION > /greeting"]
FROM base AS production
COPY --from=build /greeting /greeting
CMD ["/bin/busybox", "cat", "/greeting"]
FROM production AS debug
CMD ["/bin/busybox", "echo", "wrong stage"]
`,
};

function describeImages(api: string): string {
  return `schema: 1
product: acme
release:
  tag: "v{version}"
  channels: { stable: { promoteFrom: staging }, staging: { prerelease: staging, float: [staging] } }
  hosts: { local: { type: folder, path: ../releases } }
images:
  registry: ${REGISTRY}/${NAMESPACE}
  own:
    api: { repository: acme-api, context: api, target: production, ${api}, needs: [base], platforms: [linux/amd64] }
    base: { repository: acme-base, context: base }
`;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-e2e-'));
  root = join(folder, 'workspace');
  mkdirSync(join(root, 'base'), { recursive: true });
  const busybox = execFileSync('sh', ['-c', 'command -v busybox']).toString().trim();
  copyFileSync(busybox, join(root, 'base/busybox'));
  await commitFiles(root, {
    ...DOCKERFILES,
    '.gitignore': '.slipway/\ndist/\n',
    'slipway.yaml': describeImages('args: { VERSION: "{version}" }'),
  });
});

const slipway = (words: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  run([process.execPath, SLIPWAY, ...words, '--yes', '--json'], { cwd: root, env: { ...gitEnvironment, PATH: process.env.PATH, ...env } });

const rowsOf = ({ result }: Ran): Record<string, unknown>[] => result.images as Record<string, unknown>[];
const docker = async (...words: string[]): Promise<string> => (await must(['docker', ...words])).stdout.trim();

async function tagsOf(repository: string): Promise<string[]> {
  return ((await (await fetch(`http://${REGISTRY}/v2/${NAMESPACE}/${repository}/tags/list`)).json()) as { tags: string[] }).tags;
}

/** Pulls by digest onto an engine that does not have it, and runs it. */
async function runFromRegistry(repository: string, digest: string): Promise<string> {
  const name = `${REGISTRY}/${NAMESPACE}/${repository}@${digest}`;
  for (const _ of ['images', 'what they were built from']) {
    const here = await docker('image', 'ls', '--quiet', '--filter', `reference=${REGISTRY}/${NAMESPACE}/*`);
    await run(['docker', 'image', 'rm', '--force', ...new Set(here.split('\n').filter(Boolean))]);
  }
  expect((await run(['docker', 'image', 'inspect', name])).code).not.toBe(0);
  await docker('pull', '--quiet', name);
  return docker('run', '--rm', '--network', 'none', name);
}

describe('with docker buildx', () => {
  test('images are built, pushed, promoted, pulled back by digest and run', async () => {
    expect(await docker('buildx', 'version')).toContain('buildx');
    const built = await slipway(['images', 'build', '--push', '--version', '0.1.0-staging.0']);
    expect(built.code, built.stderr).toBe(0);
    expect(rowsOf(built).map(({ name, outcome }) => [name, outcome])).toEqual([
      ['base', 'pushed'],
      ['api', 'pushed'],
    ]);
    const verified = await slipway(['images', 'verify-tags', '--tag', '0.1.0-staging.0', '--tag', 'staging']);
    expect(verified.code).toBe(0);
    const promoted = await slipway(['promote', '--version', '0.1.0']);
    expect(promoted.code).toBe(0);
    const digest = String(rowsOf(promoted).find(({ name }) => name === 'api')?.digest);
    expect(digest).toBe(rowsOf(built).find(({ name }) => name === 'api')?.digest);
    expect(await runFromRegistry('acme-api', digest)).toBe('acme 0.1.0-staging.0');
  });

  test('a release is built once; from another commit it is refused', async () => {
    git(root, 'tag', 'v1.5.0');
    const first = await slipway(['images', 'build', '--push']);
    expect(first.code).toBe(0);
    const digest = String(rowsOf(first).find(({ name }) => name === 'api')?.digest);
    expect(await runFromRegistry('acme-api', digest)).toBe('acme 1.5.0');
    const again = await slipway(['images', 'build', '--push']);
    expect(rowsOf(again).map(({ outcome }) => outcome)).toEqual(['present', 'present']);
    git(root, 'commit', '-q', '--allow-empty', '-m', 'later');
    const other = await slipway(['images', 'build', '--push', '--version', '1.5.0']);
    expect([other.code, other.result.code]).toEqual([5, 'E_PUBLISHED_DIFFERS']);
  });

  test('a pull request is built, and nothing is pushed', async () => {
    const env = { GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: 'refs/pull/1/merge' };
    const built = await slipway(['images', 'build', '--push'], env);
    expect(built.code).toBe(0);
    expect(rowsOf(built).map(({ outcome }) => outcome)).toEqual(['built', 'built']);
    expect((await tagsOf('acme-api')).filter((tag) => tag.startsWith('pull-request'))).toEqual([]);
  });

  test('an alias is the same image, and old builds go from the registry and off this machine', async () => {
    expect((await slipway(['images', 'alias', 'api:1.5.0', 'stable'])).code).toBe(0);
    const shas: string[] = [];
    for (const message of ['one', 'two']) {
      git(root, 'commit', '-q', '--allow-empty', '-m', message);
      shas.push(git(root, 'rev-parse', 'HEAD').slice(0, 7));
      expect((await slipway(['images', 'build', '--push', '--event', 'main', '--run', '1'])).code).toBe(0);
    }
    git(root, 'commit', '-q', '--allow-empty', '-m', 'three');
    expect((await slipway(['images', 'build', '--push', '--event', 'main'])).code).toBe(0);
    const before = await tagsOf('acme-api');
    const pruned = await slipway(['images', 'prune', '--keep', '1', '--repository', 'api']);
    expect(pruned.code, pruned.stderr).toBe(0);
    const after = await tagsOf('acme-api');
    expect(before.filter((tag) => !after.includes(tag))).toEqual([shas[0]]);
    expect(after).toEqual(expect.arrayContaining(['1.5.0', 'stable', 'latest', '0.1.0', shas[1]]));

    const name = `${REGISTRY}/${NAMESPACE}/acme-api:1.5.0`;
    await docker('pull', '--quiet', name);
    const container = await docker('create', '--network', 'none', name);
    expect((await slipway(['images', 'prune', '--local'])).code).toBe(0);
    const left = await docker('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=${REGISTRY}/${NAMESPACE}/*`);
    expect(left).toBe(name);
    await docker('rm', container);
  });

  test('a build that fails shows its output, keeps it, and is named', async () => {
    const text = readFileSync(join(root, 'api/Dockerfile'), 'utf8');
    writeFileSync(join(root, 'api/Dockerfile'), 'FROM base\nRUN ["/bin/busybox", "sh", "-c", "echo the reason; exit 3"]\n');
    writeFileSync(join(root, 'slipway.yaml'), describeImages('args: { VERSION: "{version}" }').replace('target: production, ', ''));
    const failed = await slipway(['images', 'build', '--push', '--event', 'main']);
    git(root, 'checkout', '-q', '--', '.');
    expect(readFileSync(join(root, 'api/Dockerfile'), 'utf8')).toBe(text);
    expect([failed.code, failed.result.code]).toEqual([5, 'E_STEP_FAILED']);
    expect(rowsOf(failed).map(({ name, outcome }) => [name, outcome])).toEqual([
      ['base', 'pushed'],
      ['api', 'failed'],
    ]);
    expect(readFileSync(join(root, '.slipway/log/api.log'), 'utf8')).toContain('the reason');
    expect(failed.stdout).toContain('the reason');
  });

  test('Ctrl-C ends it with everything that it runs', async () => {
    writeFileSync(join(root, 'api/Dockerfile'), `FROM base AS production\nRUN ["/bin/busybox", "sleep", "${SECONDS}"]\n`);
    const argv = [SLIPWAY, 'images', 'build', '--push', '--event', 'main', '--yes'];
    const child = spawn(process.execPath, argv, {
      cwd: root,
      env: { ...process.env, ...gitEnvironment, PATH: process.env.PATH },
      stdio: 'ignore',
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await until(() => isRunning('sleep', String(SECONDS)), 60);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    await until(() => !isRunning('sleep', String(SECONDS)) && !isRunning('buildx', 'build'), 15);
    git(root, 'checkout', '-q', '--', '.');
    expect(readdirSync(join(root, '.slipway'))).not.toContain('lock');
    expect(readdirSync(join(root, '.slipway'))).not.toContain('journal.ndjson');
  });
});

describe('with plain docker build', () => {
  test('images are built, pushed, pulled back by digest and run', async () => {
    const config = join(folder, 'docker-config');
    mkdirSync(config, { recursive: true });
    writeFileSync(join(root, 'slipway.yaml'), describeImages('args: { VERSION: "{version}", BASE: "{image:base}" }'));
    writeFileSync(join(root, 'api/Dockerfile'), `ARG BASE\n${DOCKERFILES['api/Dockerfile'].replaceAll('FROM base', 'FROM $' + '{BASE}')}`);
    await commitFiles(root, {});
    expect((await run(['docker', 'buildx', 'version'], { env: { DOCKER_CONFIG: config } })).code).not.toBe(0);
    const built = await slipway(['images', 'build', '--push', '--version', '2.0.0'], { DOCKER_CONFIG: config });
    expect(built.code, built.stderr).toBe(0);
    const digest = String(rowsOf(built).find(({ name }) => name === 'api')?.digest);
    expect(await runFromRegistry('acme-api', digest)).toBe('acme 2.0.0');
    const refused = await slipway(['images', 'build', '--push', '--event', 'main', '--builder', 'mine'], { DOCKER_CONFIG: config });
    expect(refused.result.code).toBe('E_COMMAND');
  });
});

/** A process of this machine whose command line has both words. */
function isRunning(...words: string[]): boolean {
  const lines = readdirSync('/proc').flatMap((id) => {
    try {
      return /^\d+$/.test(id) ? [readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0')] : [];
    } catch {
      return []; // it has just ended
    }
  });
  return lines.some((line) => words.every((word) => line.includes(word)));
}

async function until(isTrue: () => boolean, seconds: number): Promise<void> {
  for (let tries = 0; tries < seconds * 10; tries += 1) {
    if (isTrue()) return;
    await wait(100);
  }
  throw new Error(`not within ${seconds} seconds`);
}
