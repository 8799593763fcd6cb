// A machine that the products of this folder are installed on: its engine is fake, its ports are real. Rule: it pulls what was published, and nothing else; what
// a container listens on answers once it runs.
import { mkdtemp, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestContext } from 'vitest';
import type { Command, CommandResult, Flags } from '../../src/commands/command.ts';
import { digestOf } from '../../src/model/digest.ts';
import { envValues, parseEnvFile } from '../../src/model/env-file.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { type FakeEngine, fakeEngine } from '../fakes/engine.ts';
import type { FakeImage, Program, Programs } from '../fakes/engine-state.ts';
import { withInfo } from '../fakes/install-stage.ts';
import { quietWorld } from '../fakes/release-builder.ts';

export interface Machine {
  /** The install's folder. */
  readonly root: string;
  readonly engine: FakeEngine;
  /** What a release names can be pulled from now on. */
  readonly learn: (manifest: Manifest) => void;
  /** A command of the operator program, confirmed. */
  readonly operate: (command: Command, flags?: Flags) => Promise<CommandResult>;
  readonly settings: () => Promise<ReadonlyMap<string, string>>;
  /** The services with a running container, sorted. */
  readonly running: () => string[];
  readonly imagesOf: (service: string) => string[];
}

export interface MachineOptions {
  /** Of the install's folder. */
  readonly name: string;
  /** The operator program that the releases have. */
  readonly operator: string;
  /** By the image's name in the table. */
  readonly programs: Programs;
  /** As the engine names it. */
  readonly architecture?: string;
}

const FINE = { code: 0, stdout: 'fine\n', stderr: '' };

/** What runs until it is stopped, and answers every command. */
export const RUNS: Program = { version: 'any', exec: () => FINE };

/** What does its work and ends; `only` = commands that begin with one of these words, and everything else runs. */
export function ends(exitCode = 0, only?: readonly string[]): Program {
  const isWork = ([first = '']: readonly string[]): boolean => only?.includes(first) ?? true;
  return { ...RUNS, work: (command) => (isWork(command) ? { parts: [], exitCode } : undefined) };
}

/** What answers at this port of the machine once its container runs. */
export function serves(port: number, status: number, { onTestFinished }: Pick<TestContext, 'onTestFinished'>, body = '{}'): Program {
  let server: Server | undefined;
  onTestFinished(() => void server?.close());
  const listen = (): void => {
    server ??= createServer((_, response) => response.writeHead(status).end(body)).listen(port, '127.0.0.1');
  };
  return { ...RUNS, tick: listen };
}

export async function newMachine({ name, operator, programs, architecture = 'x86_64' }: MachineOptions): Promise<Machine> {
  const home = await mkdtemp(join(tmpdir(), 'slipway-machine-'));
  const [root, images] = [join(home, name), [] as FakeImage[]];
  const engine = fakeEngine({ images, programs });
  const env = { PATH: process.env.PATH, HOME: home, SLIPWAY_BIN: '', SLIPWAY_SYSTEMD: '', DOCKER_CONTEXT: basename(home) };
  let slept = 0;
  const sleep = async (milliseconds: number): Promise<void> => {
    slept += milliseconds;
    engine.wait(milliseconds);
  };
  const now = (): Date => new Date(Date.now() + slept);
  const all = () =>
    [...engine.state().containers.values()].map((each) => ({ ...each, service: each.labels['com.docker.compose.service'] ?? '' }));
  return {
    ...{ root, engine },
    learn: (manifest) => {
      const named = manifest.images.map(({ name: program, reference, digest }) => {
        return { id: digestOf(`config of ${digest}`), pinned: `${reference}@${digest}`, program };
      });
      images.push(...named.filter(({ pinned }) => !images.some((each) => each.pinned === pinned)));
    },
    operate: (command, flags = {}) => {
      const run = withInfo(engine.client(), { Architecture: architecture });
      const world = quietWorld({ env, run, now, sleep });
      return command.run({ world, flags: { dir: root, yes: true, ...flags }, positionals: [], program: name, file: operator });
    },
    settings: async () => envValues(parseEnvFile(await readFile(join(root, '.env'), 'utf8'))),
    running: () =>
      all()
        .flatMap(({ state, service }) => (state === 'running' ? [service] : []))
        .sort(),
    imagesOf: (wanted) => all().flatMap(({ service, image }) => (service === wanted ? [image] : [])),
  };
}
