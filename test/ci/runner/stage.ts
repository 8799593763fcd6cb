// Everything around a run of generated workflows: git with a token, registries with logins, a forge, and machines that have slipway and docker.
// Rule: what the workflows do not do themselves is what a maintainer does: push, tag, and commit the lock file.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, onTestFinished } from 'vitest';
import { type DockerRegistry, REGISTRY_LOGIN, startDockerRegistry } from '../../fakes/docker-registry.ts';
import { gitServer } from '../../fakes/git-server.ts';
import { commitFiles, git } from '../../fakes/git-workspace.ts';
import { startGitea } from '../../fakes/gitea.ts';
import type { GiteaState } from '../../fakes/gitea-state.ts';
import { startGithub } from '../../fakes/github.ts';
import type { GithubState } from '../../fakes/github-state.ts';
import { listen } from '../../fakes/http-server.ts';
import { pushImage } from '../../fakes/registry-push.ts';
import { makeKeys } from '../../fakes/release-builder.ts';
import { buildSlipway, runSlipway } from '../../fakes/slipway-program.ts';
import { TINY_FILES, tinyProductFile } from '../../fakes/tiny-product.ts';
import { type Forge, type JobEnd, type RunEvent, type RunnerWorld, runWorkflow } from './runner.ts';

export const TOKEN = 'good-token';
const { username, password } = REGISTRY_LOGIN;
const BASIC = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

export interface Stage {
  readonly folder: string;
  /** A maintainer's clone. */
  readonly work: string;
  /** The repository on the server. */
  readonly bare: string;
  readonly registry: DockerRegistry;
  readonly upstream: DockerRegistry;
  readonly github: GithubState | undefined;
  readonly gitea: GiteaState | undefined;
  /** Commits files on the branch that is checked out, generates, and pushes it. */
  readonly push: (files?: Readonly<Record<string, string>>) => Promise<string>;
  readonly tag: (tag: string) => string;
  /** Runs one of the generated files. */
  readonly run: (name: string, event: RunEvent, apiUrl?: string) => Promise<JobEnd[]>;
  /** Runs `images lock`, as a maintainer who is logged in does. */
  readonly lock: () => Promise<void>;
  /** The digest of a tag in the product's registry. */
  readonly digestOf: (repository: string, tag: string) => Promise<string | null>;
  readonly tagsOf: (repository: string) => Promise<string[]>;
}

export interface StageWish {
  readonly kind: 'github' | 'gitea';
  /** Lines below `release:`, made from the address of the git repository and the forge's lines. */
  readonly release?: (urls: { readonly git: string; readonly forge: string }) => string;
  /** Changes the product file at the end. */
  readonly change?: (text: string) => string;
}

/** The programs of every machine; built once for a test file. */
export async function buildMachine(): Promise<string> {
  const bin = await mkdtemp(join(tmpdir(), 'slipway-machine-'));
  const slipway = await buildSlipway(join(bin, 'programs'));
  const docker = join(bin, 'programs/docker.mjs');
  const entry = join(import.meta.dirname, '../../fakes/docker-program.ts');
  await build({
    entryPoints: [entry],
    outfile: docker,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
  });
  for (const [folder, name, program] of [
    ['slipway', 'slipway', slipway],
    ['docker', 'docker', docker],
  ] as const) {
    mkdirSync(join(bin, folder));
    writeFileSync(join(bin, folder, name), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
    chmodSync(join(bin, folder, name), 0o755);
  }
  return bin;
}

/** Starts everything, with the first commit of the product pushed. */
export async function openStage(bin: string, { kind, release, change = (text) => text }: StageWish): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-flow-'));
  const keys = makeKeys();
  const [registry, upstream] = await Promise.all([startDockerRegistry({ login: true }), startDockerRegistry()]);
  const server = kind === 'github' ? await startGithub() : await startGitea();
  onTestFinished(async () => void (await Promise.all([registry.close(), upstream.close(), server.close()])));
  const bare = join(folder, 'git/acme/acme.git');
  mkdirSync(bare, { recursive: true });
  git(bare, 'init', '-q', '--bare', '-b', 'main');
  git(bare, 'config', 'http.receivepack', 'true');
  git(bare, 'config', 'uploadpack.allowAnySHA1InWant', 'true');
  const serverUrl = `http://${await listen(gitServer(join(folder, 'git'), TOKEN))}`;
  await pushImage({ host: upstream.host }, 'library/postgres', { architecture: 'amd64', layers: ['postgres'], tag: '16' });
  const forgeLine =
    kind === 'github'
      ? `github: { type: github, repository: acme/acme, url: "${server.url}", token: GITHUB_TOKEN }`
      : `forge: { type: gitea, repository: acme/acme, url: "${server.url}", token: GITEA_TOKEN }`;
  const lines = release?.({ git: `${serverUrl}/acme/acme.git`, forge: forgeLine }) ?? `  hosts: { ${forgeLine} }\n`;
  const text = change(productText({ registry: registry.host, upstream: upstream.host, lines, publicKey: keys.publicKey, bin }));
  const work = join(folder, 'work');
  const secrets = { SLIPWAY_SECRET_KEY: keys.secretKeyText, DOCKER_USERNAME: username, DOCKER_TOKEN: password };
  const apiUrl = kind === 'github' ? server.url : `${server.url}/api/v1`;
  const forge: Forge = { kind, serverUrl, apiUrl, repository: 'acme/acme', token: TOKEN, secrets };
  const world: RunnerWorld = { folder, forge, path: [join(bin, 'docker')], run: 1 };
  const slipway = join(bin, 'programs/slipway.mjs');
  let runs = 0;

  const push = async (files: Readonly<Record<string, string>> = {}): Promise<string> => {
    for (const [path, content] of Object.entries(files)) writeTree(work, path, content);
    const made = await runSlipway(slipway, ['ci', 'generate', '--forge', kind], { cwd: work });
    expect(made.code, made.stderr).toBe(0);
    const commit = await commitAll(work);
    git(work, 'push', '-q', `file://${bare}`, 'HEAD');
    server.state.commits.add(commit);
    return commit;
  };
  const read = async (repository: string, path: string): Promise<Response> => {
    const accept = 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json';
    return fetch(`http://${registry.host}/v2/${repository}/${path}`, { headers: { authorization: BASIC, accept } });
  };

  await commitFiles(work, { ...FILES, 'slipway.yaml': text });
  await push();
  return {
    ...{ folder, work, bare, registry, upstream, push },
    github: kind === 'github' ? (server.state as GithubState) : undefined,
    gitea: kind === 'gitea' ? (server.state as GiteaState) : undefined,
    tag: (tag) => {
      git(work, 'tag', tag);
      git(work, 'push', '-q', `file://${bare}`, tag);
      return git(work, 'rev-parse', 'HEAD');
    },
    run: async (name, event, elsewhere) => {
      runs += 1;
      const file = readFileSync(join(work, `.${kind}/workflows/slipway-${name}.yml`), 'utf8');
      return runWorkflow(file, event, { ...world, run: event.run ?? runs, forge: { ...forge, apiUrl: elsewhere ?? apiUrl } });
    },
    lock: async () => {
      const home = join(folder, 'maintainer');
      mkdirSync(join(home, '.docker'), { recursive: true });
      const auth = BASIC.slice('Basic '.length);
      writeFileSync(join(home, '.docker/config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
      const locked = await runSlipway(slipway, ['images', 'lock'], { cwd: work, env: { HOME: home } });
      expect(locked.code, locked.stdout + locked.stderr).toBe(0);
    },
    digestOf: async (repository, tag) => (await read(repository, `manifests/${tag}`)).headers.get('docker-content-digest'),
    tagsOf: async (repository) => (((await (await read(repository, 'tags/list')).json()) as { tags?: string[] }).tags ?? []).sort(),
  };
}

/** Every job went well, but for those that were to be skipped; each logged out of what it logged in to. */
export function expectWell(ends: readonly JobEnd[], skipped: readonly string[] = []): void {
  const failed = ends.flatMap(({ name, steps }) =>
    steps.filter(({ result }) => result === 'failure').map((step) => `${name}: ${step.name}\n${step.log}`),
  );
  expect(failed.join('\n')).toBe('');
  expect(ends.filter(({ result }) => result !== 'success').map(({ name }) => name)).toEqual(skipped);
  expect(ends.flatMap(({ logins }) => logins)).toEqual([]);
}

const FILES = {
  ...TINY_FILES,
  'package.json': '{ "version": "1.0.0" }\n',
  'api/Dockerfile': 'FROM scratch\nCOPY server /server\n',
  'api/server': 'x',
  'web/Dockerfile': 'FROM scratch\n',
  '.gitignore': 'dist\n.slipway\n',
};

interface ProductWish {
  readonly registry: string;
  readonly upstream: string;
  readonly lines: string;
  readonly publicKey: string;
  readonly bin: string;
}

function productText({ registry, upstream, lines, publicKey, bin }: ProductWish): string {
  const own =
    'api: { repository: tiny-api, context: api, cache: registry, platforms: [linux/amd64, linux/arm64] }\n    web: { repository: tiny-web, context: web }';
  return `${tinyProductFile(registry, `${lines}  publicKey: ${publicKey}\n  base: package.json#version\n`)
    .replace(/ {2}channels:.*\n {2}hosts:.*\n/, '')
    .replace('api: { repository: tiny-api }', own)
    .replace('docker.io/library/postgres:16', `${upstream}/library/postgres:16`)}ci:
  setup: ['echo "${join(bin, 'slipway')}" >> "$GITHUB_PATH"']
  validate: [test -f package.json]
  logins: { "${registry}": { username: DOCKER_USERNAME, password: DOCKER_TOKEN } }
`;
}

async function commitAll(work: string): Promise<string> {
  git(work, 'add', '-A');
  git(work, 'commit', '-q', '--allow-empty', '-m', 'change');
  return git(work, 'rev-parse', 'HEAD');
}

function writeTree(root: string, path: string, content: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
}
