// How a process of ours ends that should not. Rule: never in silence, and never as if all were well.
import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';

const PROGRAM = `
  import { openProcess } from './src/process.ts';
  const world = openProcess(false);
  if (process.argv[2] === 'applying') world.report({ type: 'step', index: 0, of: 1, kind: 'make-folders', why: 'a folder', direction: 'forward' });
  process.exitCode = process.argv[2] === 'well' ? 0 : await new Promise(() => undefined);`;

let program: string;

beforeAll(async () => {
  program = join(await mkdtemp(join(tmpdir(), 'process-test-')), 'program.mjs');
  const stdin = { contents: PROGRAM, resolveDir: process.cwd(), loader: 'ts' as const };
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  await build({ stdin, outfile: program, bundle: true, platform: 'node', format: 'esm', logLevel: 'warning', banner });
});

test.each([
  ['well', 0, /^$/],
  ['looking', 1, /^\nstopped in the middle, .* this is a bug, please report it\.\n$/],
  ['applying', 6, /this is a bug, please report it\. Run `recover`\.\n$/],
])('a process in which nothing is left to wait for (%s) ends with %i', (how, code, said) => {
  const { status, stderr } = spawnSync(process.execPath, [program, how], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([code, expect.stringMatching(said)]);
});
