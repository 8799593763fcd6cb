// Runs install.sh as people do, in folders of its own. Rule: no controlling terminal unless a test asks for one, and only the environment given here.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { type InstallerFacts, renderInstaller } from '../../src/model/installer.ts';
import { OPERATOR_PROGRAM, type OperatorRecord } from '../fakes/operator-program.ts';

export const KEY = { text: 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3', keyId: 'E7620F1842B4E81F' };
export const OPERATOR_PATH = '/releases/bundle-v2.4.0/operator.js';
export const RELEASE_FILES: ReadonlyMap<string, Buffer> = new Map([[OPERATOR_PATH, Buffer.from(OPERATOR_PROGRAM)]]);

const FACTS: InstallerFacts = {
  product: 'acme',
  title: "Acme's $(touch owned) `Platform`",
  cli: 'acmectl',
  version: '2.4.0',
  tag: 'bundle-v2.4.0',
  channel: 'stable',
  operator: digestOf(OPERATOR_PROGRAM),
  operatorSize: Buffer.byteLength(OPERATOR_PROGRAM),
  locations: [],
  key: KEY,
};

/** The shells that install.sh promises to run in. */
export const SHELLS: readonly (readonly string[])[] = [
  ['dash'],
  ['bash'],
  ['bash', '--posix'],
  ['busybox', 'sh'],
  ['mksh'],
  ['zsh', '--emulate', 'sh'],
  ['yash'],
];

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What the operator program saw; undefined when it was never started. */
  readonly operator: OperatorRecord | undefined;
  /** What is left in the folder for temporary files and in the working folder. */
  readonly left: readonly string[];
}

export interface RunInput {
  readonly shell?: readonly string[];
  readonly facts?: Partial<InstallerFacts>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Wraps the command line, for example to give it a terminal. */
  readonly wrap?: (argv: readonly string[]) => readonly string[];
  /** Sees the process when it has started. */
  readonly meet?: (child: ChildProcess) => void;
}

/** The text of install.sh for the test product. */
export function installerText(facts: Partial<InstallerFacts> = {}): string {
  return renderInstaller(readFileSync(join(import.meta.dirname, '../../templates/install.sh'), 'utf8'), { ...FACTS, ...facts });
}

/** True when the program is on PATH; in CI everything has to be, so that nothing is left out unseen. */
export function isThere(program: string): boolean {
  return process.env.CI === 'true' || pathOf(program) !== undefined;
}

/** The name for a test, saying so when it is left out. */
export function named(shell: readonly string[]): string {
  return `${shell.join(' ')}${isThere(shell[0] ?? '') ? '' : ' (left out: not installed)'}`;
}

/** Temporary folders for one test, and ways to run install.sh in them. */
export class Stage {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** A stage that is gone when the test has finished. */
  static async for({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<Stage> {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'installer-test-')));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    for (const name of ['tmp', 'work', 'home']) await mkdir(join(root, name));
    return new Stage(root);
  }

  /** A folder with the release in it. */
  async releases(program: string = OPERATOR_PROGRAM, name = 'rel eases'): Promise<string> {
    const folder = join(this.root, name);
    await mkdir(join(folder, 'releases/bundle-v2.4.0'), { recursive: true });
    await writeFile(join(folder, OPERATOR_PATH), program);
    return folder;
  }

  /** A folder for PATH with these programs only; `name=target` links another one under that name. */
  async path(...programs: readonly string[]): Promise<string> {
    const folder = await mkdtemp(join(this.root, 'path-'));
    for (const program of programs) {
      const [name = '', target = name] = program.split('=');
      const found = target === 'node' ? process.execPath : (pathOf(target) ?? target);
      await symlink(found, join(folder, name));
    }
    return folder;
  }

  /** The path of a file that holds install.sh. */
  async script(facts: Partial<InstallerFacts> = {}): Promise<string> {
    const path = join(this.root, 'install.sh');
    await writeFile(path, installerText(facts));
    return path;
  }

  /** The environment of a run: nothing of this process's own but PATH. */
  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const own = {
      PATH: process.env.PATH ?? '',
      HOME: join(this.root, 'home'),
      TMPDIR: join(this.root, 'tmp'),
      LC_ALL: 'C',
      SHELL: '/bin/sh',
    };
    return { ...own, FAKE_RECORD: join(this.root, 'record.json'), ...more };
  }

  /** Pipes install.sh into a shell, dash by default, and waits for its end. */
  async run(input: RunInput = {}): Promise<Outcome> {
    const [name = 'dash', ...options] = input.shell ?? ['dash'];
    const own = [pathOf(name) ?? name, ...options, ...(input.args ? ['-s', '--', ...input.args] : [])];
    const [command = '', ...args] = input.wrap?.(own) ?? own;
    await rm(join(this.root, 'record.json'), { force: true });
    // a session of its own has no controlling terminal
    const child = spawn(command, args, { cwd: join(this.root, 'work'), env: this.environment(input.env), detached: true });
    input.meet?.(child);
    if (input.wrap === undefined) child.stdin.end(installerText(input.facts));
    child.stdin.on('error', () => {}); // a shell that stops early does not read the rest
    const [stdout, stderr, code] = await Promise.all([textOf(child.stdout), textOf(child.stderr), codeOf(child)]);
    return { code, stdout, stderr, operator: await this.record(), left: await this.left() };
  }

  async left(): Promise<string[]> {
    return [
      ...(await readdir(join(this.root, 'tmp'))),
      ...(await readdir(join(this.root, 'work'))),
      ...(await readdir(join(this.root, 'home'))),
    ];
  }

  private async record(): Promise<OperatorRecord | undefined> {
    const text = await readFile(join(this.root, 'record.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as OperatorRecord);
  }
}

/** The absolute path of a program on PATH. */
export function pathOf(program: string): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, program));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const piece of stream) text += piece;
  return text;
}

function codeOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}
