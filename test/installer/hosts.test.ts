// The one-liner on every kind of host: shell × terminal × program that fetches × with or without Node.js × root or not. Rule: served by a plain web server; every host ends
// in a started operator that heard its person, or had none, and nothing is left.
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { Runtime } from '../../src/model/runtime.ts';
import { serveFiles } from '../fakes/fault-server.ts';
import { isThere, OPERATOR_PATH, type Outcome, pathOf, RELEASE_FILES, SHELLS, Stage } from './stage.ts';

const BASE = ['uname', 'mktemp', 'rm', 'cat', 'wc', 'cp', 'sleep', 'gzip', 'chmod', 'id', 'printf', 'sha256sum'];
const TAG = 'runtime-node-24.21.0';
const NOBODY = 65_534;

/** Stands in for Node.js: says which one it is, and otherwise is the one that runs this test. */
const PROGRAM = Buffer.from(
  `#!/bin/sh\nif [ "$1" = --version ]; then echo v24.21.0; exit; fi\nexec '${process.execPath}' "$@"\nexit\n${randomBytes(9000).toString('base64')}\n`,
);
const PACKED = gzipSync(PROGRAM);
const RUNTIMES = ['x64', 'arm64'].map((arch): Runtime => {
  const program = { size: PROGRAM.length, sha256: digestOf(PROGRAM) };
  return {
    ...{ node: '24.21.0', os: 'linux', arch, name: `runtime-linux-${arch}.gz`, tag: TAG, program },
    size: PACKED.length,
    sha256: digestOf(PACKED),
  };
});
const FILES = new Map([...RELEASE_FILES, ...RUNTIMES.map(({ name }) => [`/releases/${TAG}/${name}`, PACKED] as const)]);

interface Host {
  readonly shell: readonly string[];
  readonly terminal: 'a terminal' | '/dev/tty only' | 'no terminal';
  readonly fetcher: 'curl' | 'wget' | 'wget=busybox';
  readonly node: boolean;
  readonly root: boolean;
}

const terminals = ['a terminal', '/dev/tty only', 'no terminal'] as const;
const fetchers = ['curl', 'wget', 'wget=busybox'] as const;
const surroundings = terminals.flatMap((terminal) =>
  fetchers.flatMap((fetcher) => [true, false].flatMap((node) => [true, false].map((root) => ({ terminal, fetcher, node, root })))),
);

/** The shells that are promised; the others of `SHELLS` are tried elsewhere. */
const promised = SHELLS.filter(([name = '', option]) => ['dash', 'bash', 'busybox', 'zsh'].includes(name) && option !== '--posix');
const hosts = promised.flatMap((shell) => surroundings.map((around): Host => ({ ...around, shell })));

const isRoot = process.getuid?.() === 0;

function needs({ shell, terminal, fetcher, root }: Host): boolean {
  const programs = [shell[0] ?? '', fetcher.split('=').at(-1) ?? '', ...(terminal === 'no terminal' ? [] : ['script'])];
  return programs.every(isThere) && (isRoot ? root || isThere('setpriv') : !root);
}

function nameOf(host: Host): string {
  const words = [
    host.shell.join(' '),
    host.terminal,
    host.fetcher.replace('=', ' of '),
    host.node ? 'Node.js' : 'no Node.js',
    host.root ? 'root' : 'not root',
  ];
  return `${words.join(', ')}${needs(host) ? '' : ' (left out: something is not installed, or the user is another)'}`;
}

/** Types an answer when the operator asks for it. */
function answerWhenAsked(child: ChildProcess): void {
  let screen = '';
  child.stdout?.on('data', (piece: Buffer) => {
    if (screen.includes('your answer?')) return;
    screen += piece;
    if (screen.includes('your answer?')) setTimeout(() => child.stdin?.write('forty-two\r'), 100);
  });
}

async function runOn(stage: Stage, host: Host, url: string): Promise<Outcome> {
  const facts = { locations: [url], runtimes: RUNTIMES };
  const PATH = await stage.path(...BASE, host.fetcher, ...(host.node ? ['node'] : []));
  const script = await stage.script(facts);
  await handTo(host, [stage.root, PATH, script, ...['tmp', 'work', 'home'].map((name) => join(stage.root, name))]);
  const shell = [pathOf(host.shell[0] ?? '') ?? '', ...host.shell.slice(1)];
  const user = host.root || !isRoot ? [] : [pathOf('setpriv') ?? '', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const env = { PATH, FAKE_ASK: '1', FAKE_EXIT: '3' };
  if (host.terminal === 'no terminal') {
    const line = `${pathOf('cat')} '${script}' | ${[...user, ...shell].join(' ')}`;
    return stage.run({ env, wrap: () => [pathOf('sh') ?? '', '-c', line], meet: (child) => void child.stdin?.end() });
  }
  const own = [...user, ...shell].join(' ');
  const line = host.terminal === 'a terminal' ? `${own} ${script}` : `cat ${script} | ${own}`;
  return stage.run({ env, meet: answerWhenAsked, wrap: () => [pathOf('script') ?? '', '-qefc', line, '/dev/null'] });
}

/** The folders of a host belong to whoever installs. */
async function handTo({ root }: Host, paths: readonly string[]): Promise<void> {
  if (root || !isRoot) return;
  for (const path of paths) {
    await chown(path, NOBODY, NOBODY);
    await chmod(path, 0o755);
  }
}

describe.concurrent('the one-liner on a host with', () => {
  it.for(hosts.map((host) => [nameOf(host), host] as const))('%s', { timeout: 120_000 }, async ([, host], context) => {
    if (!needs(host)) context.skip();
    const stage = await Stage.for(context);
    const server = await serveFiles(FILES);
    context.onTestFinished(() => server.close());
    const outcome = await runOn(stage, host, server.url);
    const isAsked = host.terminal !== 'no terminal';
    context
      .expect(outcome, outcome.stderr + outcome.stdout)
      .toMatchObject({ code: 3, left: [], operator: { terminal: isAsked, answer: isAsked ? 'forty-two' : null } });
    context.expect(outcome.operator?.argv.slice(0, 3)).toEqual(['install', '--releases', server.url]);
    const fetched = server.requests.map(({ path }) => path);
    context
      .expect(fetched)
      .toEqual([OPERATOR_PATH, ...(host.node ? [] : [context.expect.stringContaining(`/releases/${TAG}/runtime-linux-`)])]);
  });
});
