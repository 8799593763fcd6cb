// Two commands at one install, one of which only looks yet. Rule: the other is a real process that holds the real lock.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { CHANGING_FLAGS, type Command, type Context, type Flags } from '../../src/commands/command.ts';
import { toldWhoWorks } from '../../src/commands/operator/who-works.ts';
import { type ErrorCode, ToolError } from '../../src/model/error.ts';
import { lockPath } from '../../src/model/layout.ts';
import { printLock } from '../../src/model/lock.ts';
import { bootId, pidNamespace, processStart } from '../../src/world/processes.ts';
import { failure } from '../failure.ts';
import { quietWorld } from '../fakes/release-builder.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

async function makeInstall({ isHeld }: { isHeld: boolean }): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'slipway-works-'));
  await mkdir(dirname(lockPath(root)), { recursive: true });
  if (!isHeld) return root;
  const child = spawn('sleep', ['60']);
  children.push(child);
  const pid = child.pid ?? 0;
  const namespace = await pidNamespace();
  const process = {
    pid,
    started: (await processStart(pid)) ?? '',
    boot: await bootId(),
    ...(namespace === undefined ? {} : { pidNamespace: namespace }),
  };
  await writeFile(lockPath(root), printLock({ ...process, nonce: 'n', command: 'upgrade', since: '2026-03-15T10:00:00Z' }));
  return root;
}

/** A changing command that fails, before or after it has begun. */
function failing(code: ErrorCode, { begun = false, name = 'restore' } = {}): Command {
  const run = async ({ world, flags }: Context): Promise<never> => {
    if (begun)
      world.report({
        type: 'begun',
        folder: String(flags.dir),
        command: 'restore',
        pid: 1,
        started: '1',
        boot: 'b',
        since: '2026-03-15T10:00:00Z',
      });
    throw new ToolError(code, 'the compose file cannot be read');
  };
  return toldWhoWorks({ name, summary: '', usage: '', flags: CHANGING_FLAGS, run });
}

async function codeOf(
  command: Command,
  root: string,
  env: Readonly<Record<string, string>> = {},
  flags: Flags = { dir: root },
): Promise<string> {
  const context = { world: quietWorld({ env }), flags, positionals: [], program: 'acmectl', file: join(root, 'acmectl') };
  return (await failure(command.run(context))).code;
}

test('what cannot be read while another command changes it is told as who is at work', async () => {
  expect(await codeOf(failing('E_CONFIG'), await makeInstall({ isHeld: true }))).toBe('E_LOCKED');
});

test('what cannot be read while nobody is at work is told as it is', async () => {
  expect(await codeOf(failing('E_CONFIG'), await makeInstall({ isHeld: false }))).toBe('E_CONFIG');
});

test('a command that had begun, or that the lock was handed to, tells its own failure', async () => {
  const root = await makeInstall({ isHeld: true });
  expect(await codeOf(failing('E_STEP_FAILED', { begun: true }), root)).toBe('E_STEP_FAILED');
  expect(await codeOf(failing('E_CONFIG'), root, { SLIPWAY_LOCK_NONCE: 'n' })).toBe('E_CONFIG');
});

test('a person who said no, or typed a wrong word, is told that', async () => {
  const root = await makeInstall({ isHeld: true });
  expect([await codeOf(failing('E_NOT_CONFIRMED'), root), await codeOf(failing('E_USAGE'), root)]).toEqual(['E_NOT_CONFIRMED', 'E_USAGE']);
});

test('where there is no install, a command tells what it found instead of one', async () => {
  expect(await codeOf(failing('E_CONFIG'), await makeInstall({ isHeld: true }), {}, {})).toBe('E_CONFIG');
});

test('whoever makes an install tells its own failure, whatever is at work in the folder it is called from', async () => {
  expect(await codeOf(failing('E_NETWORK', { name: 'install' }), await makeInstall({ isHeld: true }))).toBe('E_NETWORK');
});
