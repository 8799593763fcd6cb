import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Site } from '../../../src/apply/handler.ts';
import { runtimeSteps } from '../../../src/apply/steps/runtime.ts';
import { digestOf, hexOf } from '../../../src/model/digest.ts';
import type { Step } from '../../../src/model/plan.ts';
import { quietWorld } from '../../fakes/release-builder.ts';

const PROGRAM = '#!/bin/sh\necho v24.21.0\n';
let folder: string;
let site: Site;

beforeEach(async ({ onTestFinished }) => {
  folder = await mkdtemp(join(tmpdir(), 'runtime-steps-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'program'), PROGRAM);
  site = { root: folder, planId: 'p', world: quietWorld(), interrupted: () => false, content: () => join(folder, 'program') };
});

const kept = (): string => join(folder, 'lib/slipway/runtime', hexOf(digestOf(PROGRAM)));

/** The same Node.js for the install of this name, which has a state folder. */
async function stepFor<K extends 'keep-runtime' | 'drop-runtime'>(kind: K, name: string): Promise<Step<K>> {
  await mkdir(join(folder, name, '.slipway'), { recursive: true });
  const runtime = { store: join(folder, 'lib/slipway/runtime'), program: digestOf(PROGRAM), node: '24.21.0' };
  return { kind, why: 'test', ...runtime, user: join(folder, name) } as Step<K>;
}

async function keep(name: string): Promise<() => Promise<void>> {
  const step = await stepFor('keep-runtime', name);
  const { save, run, undo, done } = runtimeSteps['keep-runtime'];
  const saved = (await save?.(step, site)) ?? {};
  await run(step, site);
  expect(await done(step, site)).toBe(true);
  return async () => undo?.(step, saved, site);
}

async function drop(name: string): Promise<void> {
  const step = await stepFor('drop-runtime', name);
  await runtimeSteps['drop-runtime'].run(step, site);
  expect(await runtimeSteps['drop-runtime'].done(step, site)).toBe(true);
}

describe('a Node.js that installs share', () => {
  test('lies there once, can be started by everybody, and goes with its last user', async () => {
    await keep('one');
    await keep('two');
    expect(await readdir(kept())).toEqual(['node', 'used-by']);
    expect((await stat(join(kept(), 'node'))).mode & 0o777).toBe(0o755);
    await drop('one');
    expect(await readFile(join(kept(), 'node'), 'utf8')).toBe(PROGRAM);
    await drop('two');
    expect(existsSync(join(folder, 'lib/slipway'))).toBe(false);
    expect(existsSync(join(folder, 'lib'))).toBe(true);
  });

  test('is not held by an install that is gone', async () => {
    await keep('one');
    await keep('two');
    await rm(join(folder, 'two'), { recursive: true });
    await drop('one');
    expect(existsSync(kept())).toBe(false);
  });

  test('is put there again when what lies there was damaged', async () => {
    await keep('one');
    await writeFile(join(kept(), 'node'), 'damaged');
    expect(await runtimeSteps['keep-runtime'].done(await stepFor('keep-runtime', 'one'), site)).toBe(false);
    await keep('one');
    expect(await readFile(join(kept(), 'node'), 'utf8')).toBe(PROGRAM);
  });

  test('is refused when it is not the program that the plan names', async () => {
    await writeFile(join(folder, 'program'), 'another program');
    await expect(keep('one')).rejects.toMatchObject({ code: 'E_DIGEST' });
  });

  test('goes again when the install is undone, unless it was there before', async () => {
    const undo = await keep('one');
    await undo();
    await undo(); // safe to repeat
    expect(existsSync(join(folder, 'lib/slipway'))).toBe(false);
    await keep('one');
    const undoSecond = await keep('two');
    await undoSecond();
    expect(await readdir(join(kept(), 'used-by'))).toHaveLength(1);
    const undoAgain = await keep('one'); // an upgrade that keeps what the install had
    await undoAgain();
    expect(await readdir(join(kept(), 'used-by'))).toHaveLength(1);
  });

  test('when it was cut off at any moment, going on or back ends as if it had not been', async () => {
    const step = await stepFor('keep-runtime', 'one');
    const saved = (await runtimeSteps['keep-runtime'].save?.(step, site)) ?? {};
    await mkdir(join(kept(), 'used-by'), { recursive: true });
    await writeFile(join(kept(), 'node.slipway-new'), PROGRAM.slice(0, 5));
    await runtimeSteps['keep-runtime'].run(step, site);
    expect(await readdir(kept())).toEqual(['node', 'used-by']);
    await runtimeSteps['keep-runtime'].undo?.(step, saved, site);
    expect(existsSync(kept())).toBe(false);
  });
});

describe('the launcher', () => {
  const { save, run, undo, done } = runtimeSteps['put-launcher'];
  const step = (): Step<'put-launcher'> => {
    return { kind: 'put-launcher', why: 'test', path: join(folder, 'home/.local/bin/acmectl'), content: digestOf(PROGRAM) };
  };

  test('is put there with its folders, and all of that goes when it is undone', async () => {
    const saved = (await save?.(step(), site)) ?? {};
    await run(step(), site);
    expect(await done(step(), site)).toBe(true);
    expect((await stat(step().path)).mode & 0o777).toBe(0o755);
    for (const _ of [1, 2]) await undo?.(step(), saved, site);
    expect(existsSync(join(folder, 'home'))).toBe(false);
  });

  test('takes the place of the former one, which comes back when it is undone', async () => {
    await mkdir(join(folder, 'home/.local/bin'), { recursive: true });
    await writeFile(step().path, '#!/bin/sh\n# the former one\n', { mode: 0o755 });
    const saved = (await save?.(step(), site)) ?? {};
    await run(step(), site);
    expect(await readFile(step().path, 'utf8')).toBe(PROGRAM);
    await undo?.(step(), saved, site);
    expect(await readFile(step().path, 'utf8')).toBe('#!/bin/sh\n# the former one\n');
  });
});
