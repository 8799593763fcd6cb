// A product with three services on the fake engine, published to a folder and installed from there by the real commands. Rule: what a person does, and what the containers get of it.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command, CommandResult, Flags } from '../../src/commands/command.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import { type InstallRecord, parseInstall } from '../../src/model/install.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { World } from '../../src/model/seams.ts';
import { fakeEngine } from '../fakes/engine.ts';
import type { FakeContainer, FakeImage, Inside, Programs } from '../fakes/engine-state.ts';
import { fileNode } from '../fakes/file-tree.ts';
import { buildRelease, publishRelease, quietWorld } from '../fakes/release-builder.ts';
import { scriptedTerminal } from '../fakes/scripted-terminal.ts';

const OPERATOR = '#!/usr/bin/env node\n// the operator of these releases\n';
export const IMAGES = ['db', 'api', 'web'].map((name) => ({
  id: digestOf(`config of ${name}`),
  pinned: `registry.test/acme/${name}:1@${digestOf(`manifest of ${name}`)}`,
  program: name,
}));

export interface InstallStage {
  readonly root: string;
  readonly host: string;
  /** Publishes a version with these variables; `compose` is the text of its compose file. */
  readonly release: (version: string, env: Manifest['env'], more?: Partial<Manifest>, compose?: string) => Promise<void>;
  readonly install: (flags?: Flags, world?: Partial<World>) => Promise<CommandResult>;
  readonly operate: (command: Command, flags?: Flags, positionals?: readonly string[], world?: Partial<World>) => Promise<CommandResult>;
  readonly read: (path: string) => Promise<string>;
  readonly mode: (path: string) => Promise<number>;
  readonly record: () => Promise<InstallRecord>;
  readonly container: (service: string) => FakeContainer;
  /** The password that the database lets in. */
  readonly password: () => string;
  /** Every word of every command line so far. */
  readonly words: () => string;
  /** An image goes from the engine behind our back. */
  readonly forget: (reference: string) => void;
  readonly close: () => Promise<void>;
}

export interface StageOptions {
  /** True while `rotate-password` takes nothing. */
  readonly refuses?: () => boolean;
  /** The only password that api gets on with, if there is one. */
  readonly insists?: () => string | undefined;
  /** Further images that the engine can pull. */
  readonly images?: readonly FakeImage[];
  /** What stands before the engine. */
  readonly wrap?: (run: World['run']) => World['run'];
}

export async function openInstallStage(options: StageOptions = {}): Promise<InstallStage> {
  const { refuses = () => false, insists = () => undefined, images: further = [], wrap = (run) => run } = options;
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  const [root, host, workspace] = [join(folder, 'acme'), join(folder, 'host'), join(folder, 'workspace')];
  const engine = fakeEngine({ images: [...IMAGES, ...further], programs: programs(refuses, insists) });
  const project = `acme-${randomBytes(6).toString('hex')}`; // other tests run meanwhile, and a project has one lock on a machine
  let slept = 0;
  const words: string[] = [];
  await mkdir(workspace);
  await writeFile(join(folder, 'operator.js'), OPERATOR);
  const now = (): Date => new Date(Date.now() + slept);
  const sleep = async (milliseconds: number): Promise<void> => {
    slept += milliseconds;
    engine.wait(milliseconds);
  };
  const operate: InstallStage['operate'] = (command, flags = {}, positionals = [], world = {}) => {
    const run = wrap(engine.client());
    const seen: World['run'] = (argv, options) => {
      words.push(...argv);
      return run(argv, options);
    };
    const terminal = scriptedTerminal();
    const around = quietWorld({ env: { PATH: process.env.PATH }, run: seen, terminal, now, sleep, ...world });
    const all = { dir: root, yes: true, ...flags };
    return command.run({ world: around, flags: all, positionals, program: 'acmectl', file: join(folder, 'operator.js') });
  };
  const install: InstallStage['install'] = async (flags = {}, world = {}) => {
    const { install: command } = await import('../../src/commands/operator/install.ts');
    return operate(command, { product: 'acme', releases: [host], project, ...flags }, [], world);
  };
  return {
    ...{ root, host, operate, install },
    release: async (version, env, more = {}, compose = COMPOSE) => {
      const files = { 'docker-compose.yml': compose, VERSION: version };
      const images = IMAGES.map(({ program, pinned }) => imageOf(program, pinned));
      const manifest = { env, images, data: { pgdata: {} }, upgrade: UPGRADE, ...more };
      await publishRelease(await buildRelease({ workspace, version, keys: null, operator: OPERATOR, files, manifest }), host);
    },
    read: (path) => readFile(join(root, path), 'utf8'),
    mode: async (path) => (await stat(join(root, path))).mode & 0o777,
    record: async () => parseInstall(await readFile(join(root, '.slipway/install.json'), 'utf8'), 'install.json'),
    container: (service) => {
      const found = [...engine.state().containers.values()].find(({ labels }) => labels['com.docker.compose.service'] === service);
      if (found === undefined) throw new Error(`${service} has no container`);
      return found;
    },
    password: () => engine.state().volumes.get(`${project}_pgdata`)?.tree.get('password')?.content ?? '',
    words: () => words.join('\n'),
    forget: (reference) => void engine.state().images.delete(reference),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

export const COMPOSE = `name: acme
services:
  db:
    image: ${IMAGES[0]?.pinned}
    environment: { PASSWORD: "\${DB_PASSWORD:-none}" }
    volumes: ["pgdata:/data"]
  api:
    image: ${IMAGES[1]?.pinned}
    env_file:
      - ./env/api.env
    environment: { PASSWORD: "\${DB_PASSWORD:-none}" }
  web:
    image: ${IMAGES[2]?.pinned}
    environment: { LEVEL: "\${LEVEL:-info}" }
volumes:
  pgdata:
`;

const UPGRADE: Manifest['upgrade'] = {
  ...{ from: '>=0.0.0', stop: false, migrate: [], entry: [], timeout: 5, probation: 0 },
  health: [{ service: 'api', command: ['can-log-in'] }],
};

function programs(refuses: () => boolean, insists: () => string | undefined): Programs {
  return {
    db: {
      version: 'db',
      healthyAfter: 1,
      tick: initialise,
      exec: (command, inside, input) => rotatePassword(command, inside, input, refuses),
    },
    api: { version: 'api', exec: (_, inside) => ({ code: canLogIn(inside, insists()) ? 0 : 1, stdout: '', stderr: '' }) },
    web: { version: 'web' },
  };
}

function imageOf(name: string, pinned: string): Manifest['images'][number] {
  const [reference = '', digest = ''] = pinned.split('@');
  return { name, reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
}

function treeOf({ me, state, siblings, programOf }: Inside): Map<string, ReturnType<typeof fileNode>> | undefined {
  const db = [me, ...siblings].find((each) => programOf(each).version === 'db');
  const mount = db?.mounts.find(({ target }) => target === '/data');
  return state.volumes.get(mount?.source ?? '')?.tree as Map<string, ReturnType<typeof fileNode>> | undefined;
}

/** Like the real ones it takes the password of its environment only when its data is new. */
function initialise(inside: Inside): void {
  const tree = treeOf(inside);
  if (tree !== undefined && !tree.has('password')) tree.set('password', fileNode(inside.me.environment.PASSWORD ?? '', 0o600, 999));
}

function rotatePassword(command: readonly string[], inside: Inside, input: string, refuses: () => boolean) {
  if (command[0] !== 'rotate-password') return { code: 0, stdout: '', stderr: '' };
  if (refuses()) return { code: 3, stdout: '', stderr: `ERROR: ALTER ROLE acme PASSWORD '${input.trim()}'\n` };
  treeOf(inside)?.set('password', fileNode(input.replace(/\n$/, ''), 0o600, 999));
  return { code: 0, stdout: '', stderr: '' };
}

function canLogIn(inside: Inside, only: string | undefined): boolean {
  const { PASSWORD = '' } = inside.me.environment;
  return treeOf(inside)?.get('password')?.content === PASSWORD && PASSWORD === (only ?? PASSWORD);
}
