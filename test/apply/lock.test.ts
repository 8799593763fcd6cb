// Who may change an install: one living process, and nobody for a dead one.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { liveHolder, refuseHolder } from '../../src/apply/holder.ts';
import { projectLockPath, takeLock } from '../../src/apply/lock.ts';
import { lockPath } from '../../src/model/layout.ts';
import { ownMark } from '../../src/world/made-by.ts';
import { quietWorld } from '../fakes/release-builder.ts';

let root: string;
let path: string;
const world = quietWorld();
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-lock-'));
  path = lockPath(root);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process of its own that takes the lock and says how that went; it keeps it until it is ended. */
async function taker(program: string, startAt: number): Promise<string> {
  const child = spawn(process.execPath, [program, path, String(startAt)], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk;
      if (said.includes('\n')) resolve(said.trim());
    });
    child.on('error', reject);
    child.on('close', () => resolve(said.trim() || 'ended'));
  });
}

async function takerProgram(): Promise<string> {
  const program = join(root, 'taker.mjs');
  const contents = `
    import { takeLock } from ${JSON.stringify(join(import.meta.dirname, '../../src/apply/lock.ts'))};
    import { quietWorld } from ${JSON.stringify(join(import.meta.dirname, '../fakes/release-builder.ts'))};
    const [path, startAt] = process.argv.slice(2);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Number(startAt) - Date.now())));
    try {
      await takeLock({ path, command: 'upgrade' }, quietWorld());
      console.log('taken');
      setInterval(() => {}, 1000);
    } catch (error) {
      console.log(error.code ?? error.stack);
    }`;
  await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' },
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return program;
}

describe('a lock', () => {
  test('says who holds it, since when and for what, and goes when it is given back', async () => {
    const lock = await takeLock({ path, command: 'upgrade' }, world);
    expect(await liveHolder(path, world)).toMatchObject({
      pid: process.pid,
      command: 'upgrade',
      since: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    await expect(takeLock({ path, command: 'restore' }, world)).rejects.toMatchObject({
      code: 'E_LOCKED',
      message: expect.stringMatching(new RegExp(`^upgrade is at work here \\(process ${process.pid}, since `)),
      details: { pid: process.pid, command: 'upgrade' },
    });
    await lock.release();
    expect(readdirSync(dirname(path))).toEqual([]);
    await (await takeLock({ path, command: 'restore' }, world)).release();
  });

  test('of a process that is gone is nobody’s', async () => {
    const lock = await takeLock({ path, command: 'upgrade' }, world);
    const held = JSON.parse(readFileSync(path, 'utf8'));
    const dead = spawn(process.execPath, ['-e', '0']);
    await new Promise((resolve) => dead.on('close', resolve));
    writeFileSync(path, `${JSON.stringify({ ...held, pid: dead.pid, started: 'long ago' })}\n`);
    expect(await liveHolder(path, world)).toBeUndefined();
    await refuseHolder(path, world);
    await (await takeLock({ path, command: 'recover' }, world)).release();
    await lock.release();
  });

  test('sweeps what a process left that was killed while it took the lock, and leaves that of one that is trying', async () => {
    mkdirSync(dirname(path));
    const dead = spawn(process.execPath, ['-e', '0']);
    await new Promise((resolve) => dead.on('close', resolve));
    const left = (await ownMark()).replace(/^\d+/, String(dead.pid));
    const trying = `lock.${await ownMark()}-0123`;
    for (const name of [`lock.${left}-4567`, `lock.${left}-4567.stale`, trying]) writeFileSync(join(dirname(path), name), 'half');
    await (await takeLock({ path, command: 'upgrade' }, world)).release();
    expect(readdirSync(dirname(path))).toEqual([trying]);
  });

  test('of a process whose number another one has by now is nobody’s', async () => {
    await takeLock({ path, command: 'upgrade' }, world);
    const held = JSON.parse(readFileSync(path, 'utf8'));
    const key = Object.keys(held).find((name) => name !== 'since' && /start/i.test(name)) ?? '';
    expect(key).not.toBe('');
    writeFileSync(path, `${JSON.stringify({ ...held, [key]: `${held[key]}0` })}\n`);
    expect(await liveHolder(path, world)).toBeUndefined();
  });

  test('from before the last reboot is nobody’s', async () => {
    await takeLock({ path, command: 'upgrade' }, world);
    const held = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, `${JSON.stringify({ ...held, boot: 'another boot' })}\n`);
    expect(await liveHolder(path, world)).toBeUndefined();
  });

  test('is taken over by nonce, for the program that a command hands over to', async () => {
    const lock = await takeLock({ path, command: 'upgrade' }, world);
    await expect(takeLock({ path, command: 'upgrade', takeOver: 'another nonce' }, world)).rejects.toMatchObject({ code: 'E_LOCKED' });
    const taken = await takeLock({ path, command: 'upgrade', takeOver: lock.record.nonce }, world);
    expect((await liveHolder(path, world))?.nonce).toBe(taken.record.nonce);
    await taken.release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('has one taker among twelve processes that try in the same moment, and another only after a kill', async () => {
    const program = await takerProgram();
    const startAt = Date.now() + 1500;
    const said = await Promise.all(Array.from({ length: 12 }, () => taker(program, startAt)));
    expect(said.filter((word) => word === 'taken')).toHaveLength(1);
    expect(said.filter((word) => word === 'E_LOCKED')).toHaveLength(11);
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await expect.poll(() => liveHolder(path, world), { timeout: 5000 }).toBeUndefined();
    expect(await taker(program, 0)).toBe('taken');
  });
});

describe('the lock of a compose project', () => {
  test('is one for all folders of an engine, and another for another engine', async () => {
    const here = await projectLockPath('acme', {});
    expect(await projectLockPath('acme', {})).toBe(here);
    expect(await projectLockPath('other', {})).not.toBe(here);
    expect(await projectLockPath('acme', { DOCKER_HOST: 'ssh://elsewhere' })).not.toBe(here);
  });
});
