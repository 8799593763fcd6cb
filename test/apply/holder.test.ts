// Whose lock is stale, across pid namespaces as containers have them. Rule: real processes in real namespaces; only docker is a little program.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { judgeHolder, liveHolder } from '../../src/apply/holder.ts';
import { takeLock } from '../../src/apply/lock.ts';
import { lockPath } from '../../src/model/layout.ts';
import type { LockRecord } from '../../src/model/lock.ts';
import type { Run } from '../../src/model/seams.ts';
import { endProcessesWith } from '../../src/world/processes.ts';
import { failure } from '../failure.ts';
import { quietWorld } from '../fakes/release-builder.ts';

const NAMESPACE = ['unshare', '--map-root-user', '--pid', '--fork', '--kill-child', '--mount-proc'];
const CONTAINER = { id: 'c'.repeat(64), startedAt: '2026-03-15T10:00:00.123456789Z' };

let programs: string;
let root: string;
let path: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), 'slipway-holder-'));
  await buildProgram(join(programs, 'holder.mjs'));
  return () => rmSync(programs, { recursive: true, force: true });
});

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-lock-'));
  path = lockPath(root);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

/** `take` holds the lock until it is ended; `judge` says what it thinks of the holder; `try` takes it, or says why not. */
async function buildProgram(outfile: string): Promise<void> {
  const source = (file: string): string => JSON.stringify(join(import.meta.dirname, '../..', file));
  const contents = `
    import { judgeHolder } from ${source('src/apply/holder.ts')};
    import { takeLock } from ${source('src/apply/lock.ts')};
    import { runProgram } from ${source('src/world/run.ts')};
    import { readLock } from ${source('src/world/state.ts')};
    import { quietWorld } from ${source('test/fakes/release-builder.ts')};
    const [verb, path] = process.argv.slice(2);
    const world = quietWorld({ env: process.env, run: runProgram });
    if (verb === 'judge') console.log(await judgeHolder(await readLock(path), { world, root: '/' }));
    else
      try {
        await takeLock({ path, command: 'upgrade' }, world);
        console.log('taken');
        if (verb === 'take') setInterval(() => {}, 1000);
      } catch (error) {
        console.log(error.code + ': ' + error.message + ' | ' + error.hint);
      }`;
  await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    ...{ outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'silent' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
}

/** The first line of the program, run in a pid namespace of its own. */
function inNamespace(verb: 'take' | 'try' | 'judge', env: Readonly<Record<string, string>> = {}): Promise<string> {
  const [program = '', ...words] = [...NAMESPACE, process.execPath, join(programs, 'holder.mjs'), verb, path];
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  children.push(child);
  return firstLine(child);
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk;
      if (said.includes('\n')) resolve(said.trim());
    });
    child.on('error', reject);
    child.on('close', () => resolve(said.trim() || 'ended'));
  });
}

/** The lock of this process, changed. */
async function leaveLock(change: Partial<LockRecord> = {}): Promise<void> {
  await takeLock({ path, command: 'upgrade' }, quietWorld());
  writeFileSync(path, `${JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change })}\n`);
}

/** A docker that knows one container. */
function docker(answer: { readonly state?: object; readonly refusal?: string }): Record<string, string> {
  const bin = join(root, 'bin');
  const described = { Id: CONTAINER.id, Name: '/x', Image: 'sha256:1', Config: { Image: 'x' }, State: answer.state };
  const line = answer.refusal === undefined ? `echo '${JSON.stringify([described])}'` : `echo '${answer.refusal}' >&2; exit 1`;
  execFileSync('mkdir', ['-p', bin]);
  writeFileSync(join(bin, 'docker'), `#!/bin/sh\n${line}\n`);
  chmodSync(join(bin, 'docker'), 0o755);
  return { PATH: `${bin}:${process.env.PATH}` };
}

const RUNNING = { Status: 'running', ExitCode: 0, StartedAt: CONTAINER.startedAt };

describe('a lock that was taken in a container', () => {
  test('is alive for the machine as long as its process is, though another process here has that pid', async () => {
    expect(await inNamespace('take')).toBe('taken');
    const holder = await liveHolder(path, quietWorld());
    expect(holder?.pidNamespace).toMatch(/^pid:\[\d+\]$/);
    expect(holder?.pid).toBeLessThan(10);
    expect(await failure(takeLock({ path, command: 'recover' }, quietWorld()))).toMatchObject({ code: 'E_LOCKED' });
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await expect.poll(() => liveHolder(path, quietWorld()), { timeout: 5000 }).toBeUndefined();
    await (await takeLock({ path, command: 'recover' }, quietWorld())).release();
  });

  test('names its container when that has the install’s folder, and the engine is asked for it', async () => {
    const mounts = join(root, 'mountinfo');
    writeFileSync(mounts, `1 2 8:1 /var/lib/docker/containers/${CONTAINER.id}/hostname /etc/hostname rw - ext4 x rw\n`);
    const describe = (target: string): Run => {
      const found = [
        { Id: CONTAINER.id, Name: '/x', Image: '1', Config: { Image: 'x' }, State: RUNNING, Mounts: [{ Destination: target }] },
      ];
      return async () => ({ code: 0, stdout: JSON.stringify(found), stderr: '' });
    };
    const env = { SLIPWAY_MOUNTINFO: mounts };
    const lock = await takeLock({ path, command: 'upgrade' }, quietWorld({ env, run: describe(root) }));
    expect(lock.record.container).toEqual(CONTAINER);
    await lock.release();
    // The names and hosts of a container whose network is shared are that one's.
    const guest = await takeLock({ path, command: 'upgrade' }, quietWorld({ env, run: describe(`${root}-not`) }));
    expect(guest.record.container).toBeUndefined();
    await guest.release();
    const refused: Run = async () => ({ code: 1, stdout: '', stderr: 'Cannot connect to the Docker daemon' });
    await (await takeLock({ path, command: 'upgrade' }, quietWorld({ env, run: refused }))).release();
  });
});

describe('a lock that was taken outside of this container', () => {
  test('is respected, though its process cannot be seen, and what to do is said', async () => {
    await leaveLock();
    expect(await inNamespace('try')).toMatch(
      /^E_LOCKED: upgrade is at work here \(process \d+, outside of this container, since .*\) \| .*on the machine itself, or remove .*lock\.$/,
    );
  });

  test.each([
    ['runs', { state: RUNNING }, 'unseen'],
    ['was started again', { state: { ...RUNNING, StartedAt: '2026-03-15T10:00:00.2Z' } }, 'gone'],
    ['has ended', { state: { ...RUNNING, Status: 'exited' } }, 'gone'],
    ['was removed', { refusal: 'Error response from daemon: No such container: x' }, 'gone'],
    ['cannot be asked for', { refusal: 'Cannot connect to the Docker daemon' }, 'unseen'],
  ])('by a container that %s', async (_, answer, expected) => {
    await leaveLock({ container: CONTAINER });
    expect(await inNamespace('judge', docker(answer))).toBe(expected);
  });

  test('is stale for everybody when its boot is over', async () => {
    await leaveLock({ boot: 'another boot' });
    expect(await inNamespace('try')).toBe('taken');
  });
});

describe('a lock of an older program', () => {
  test('is judged by its pid alone, as it always was', async () => {
    await leaveLock();
    const { pidNamespace: _, ...old } = JSON.parse(readFileSync(path, 'utf8')) as LockRecord;
    const engine = { world: quietWorld(), root };
    expect(await judgeHolder(old, engine)).toBe('works');
    expect(await judgeHolder({ ...old, started: '1' }, engine)).toBe('gone');
  });
});

describe('what a killed run left behind', () => {
  test('is ended, and a process that has another folder at the same path is not', async () => {
    const wait = ['sh', '-c', 'echo up; exec sleep 60'];
    const env = { ...process.env, SLIPWAY_TEST_RUN: path };
    await takeLock({ path, command: 'upgrade' }, quietWorld());
    const start = ([program = '', ...words]: readonly string[]): ChildProcess => {
      const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'], env });
      children.push(child);
      return child;
    };
    const own = start(wait);
    const elsewhere = start([
      'unshare',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      `mount -t tmpfs none ${root} && mkdir ${root}/.slipway && ${wait[2]}`,
    ]);
    expect([await firstLine(own), await firstLine(elsewhere)]).toEqual(['up', 'up']);
    expect(await endProcessesWith('SLIPWAY_TEST_RUN', path)).toBe(1);
    await expect.poll(() => own.signalCode).toBe('SIGKILL');
    expect(elsewhere.signalCode).toBeNull();
  });
});
