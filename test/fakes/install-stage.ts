// A small product on a folder host and a machine to install it on, for the commands of the operator program. Rule: real commands, real files, real plans; the engine alone is fake.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestContext } from 'vitest';
import type { Command, CommandResult } from '../../src/commands/command.ts';
import { install } from '../../src/commands/operator/install.ts';
import { type Digest, digestOf } from '../../src/model/digest.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import type { Run, World } from '../../src/model/seams.ts';
import { type FakeEngine, fakeEngine } from './engine.ts';
import type { Registry } from './engine-call.ts';
import type { FakeImage, Work } from './engine-state.ts';
import { buildRelease, publishRelease, quietWorld } from './release-builder.ts';
import { type ScriptedTerminal, scriptedTerminal } from './scripted-terminal.ts';

export interface InstallStage {
  readonly place: string;
  /** The install's folder. */
  readonly root: string;
  readonly host: string;
  readonly bin: string;
  readonly engine: FakeEngine;
  /** The environment of its commands. */
  readonly env: Readonly<Record<string, string>>;
  /** Publishes a release; `manifest` overrides fields of it. */
  readonly publish: (version: string, manifest?: Partial<Manifest>, files?: Readonly<Record<string, string>>) => Promise<Manifest>;
  readonly run: (command: Command, flags?: Flags, parts?: Partial<World>) => Promise<Ran>;
  /** `install` with what install.sh would give it. */
  readonly install: (flags?: Flags, parts?: Partial<World>) => Promise<Ran>;
}

export interface Ran extends CommandResult {
  readonly terminal: ScriptedTerminal;
  readonly events: readonly object[];
}

type Flags = Readonly<Record<string, string | boolean | readonly string[]>>;

const PROGRAM = '#!/usr/bin/env node\n// the operator program of these tests\n';

export function imageOf(name: string, major = '1'): FakeImage {
  return {
    id: digestOf(`config of ${name} ${major}`),
    pinned: `registry.test/acme/${name}:${major}.0.0@${digestOf(`manifest of ${name} ${major}`)}`,
    program: name,
  };
}

export const COMPOSE = `name: acme
services:
  db:
    image: ${imageOf('db').pinned}
    restart: unless-stopped
    environment: { PASSWORD: "\${DB_PASSWORD:?set it}" }
    volumes: ["pgdata:/data"]
  api:
    image: ${imageOf('api').pinned}
    restart: unless-stopped
    ports: ["\${PORT:-18080}:80"]
    environment: { TOKEN: "\${API_TOKEN:-}" }
    volumes: ["./configs:/etc/api:ro", "./data/uploads:/uploads"]
volumes:
  pgdata:
`;

export const PRODUCT_FILES: Readonly<Record<string, string>> = {
  'docker-compose.yml': COMPOSE,
  'configs/api.conf': 'shipped\n',
  'configs/more.conf': 'shipped too\n',
  'content/welcome.txt': 'welcome\n',
};

/** The parts of a manifest that the small product has. */
export const PRODUCT: Partial<Manifest> = {
  images: ['db', 'api'].map((name) => {
    const [reference = '', digest = ''] = imageOf(name).pinned.split('@');
    return { name, reference, digest: digest as Digest, platforms: ['linux/amd64'], size: 1000 };
  }),
  folders: ['data/uploads'],
  userOwned: ['content/'],
  env: {
    PORT: { type: 'port', default: '18080' },
    DB_PASSWORD: { secret: 'password', immutable: true },
    API_TOKEN: { sensitive: true, default: '' },
  },
  data: { pgdata: {}, uploads: { path: 'data/uploads' } },
  upgrade: { from: '>=1.0.0', stop: false, entry: [], timeout: 2, probation: 0, migrate: [], health: [] },
};

/** `migrate` comes to its end; every other command runs until it is stopped. */
function migrate([verb]: readonly string[]): Work | undefined {
  return verb === 'migrate' ? { parts: [() => undefined], exitCode: 0 } : undefined;
}

/** A stage that is gone when the test has finished. */
export async function makeInstallStage(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  registry: Partial<Registry> = {},
): Promise<InstallStage> {
  const place = await mkdtemp(join(tmpdir(), 'slipway-install-'));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  const [root, host, bin] = [join(place, 'acme'), join(place, 'host'), join(place, 'bin')];
  const file = join(place, 'operator.js');
  await writeFile(file, PROGRAM);
  await mkdir(bin);
  // Engines with different contexts are different machines: their locks are too, while tests run side by side.
  const env = { PATH: process.env.PATH ?? '', HOME: place, SLIPWAY_BIN: bin, SLIPWAY_SYSTEMD: '', DOCKER_CONTEXT: basename(place) };
  const engine = fakeEngine({
    images: [imageOf('db'), imageOf('api'), imageOf('db', '2'), imageOf('api', '2')],
    programs: { db: { version: 'db' }, api: { version: 'api', work: migrate } },
    ...registry,
  });
  const run = async (command: Command, flags: Flags = {}, parts: Partial<World> = {}): Promise<Ran> => {
    const events: object[] = [];
    const terminal = (parts.terminal as ScriptedTerminal | undefined) ?? scriptedTerminal();
    const world = quietWorld({
      env,
      run: engine.client(),
      sleep: async (milliseconds) => engine.wait(milliseconds),
      now: () => new Date(engine.state().clock),
      terminal,
      report: (event) => void events.push(event),
      ...parts,
    });
    const result = await command.run({ world, flags: { dir: root, ...flags }, positionals: [], program: 'acmectl', file });
    return { ...result, terminal, events };
  };
  const publish: InstallStage['publish'] = async (version, manifest = {}, files = PRODUCT_FILES) => {
    const workspace = await mkdtemp(join(place, 'workspace-'));
    const built = await buildRelease({ workspace, version, keys: null, operator: PROGRAM, files, manifest: { ...PRODUCT, ...manifest } });
    await publishRelease(built, host);
    return built.manifest;
  };
  const installIt: InstallStage['install'] = (flags = {}, parts = {}) =>
    run(install, { yes: true, product: 'acme', releases: [host], ...flags }, parts);
  return { place, root, host, bin, engine, env, publish, run, install: installIt };
}

/** The engine's client with other answers to `docker info`. */
export function withInfo(run: Run, info: Readonly<Record<string, unknown>>): Run {
  return async (argv, options) => {
    const result = await run(argv, options);
    return argv[1] === 'info' ? { ...result, stdout: JSON.stringify({ ...JSON.parse(result.stdout), ...info }) } : result;
  };
}
