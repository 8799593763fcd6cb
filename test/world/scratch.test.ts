// Private folders, made by real processes that end in every way. Rule: none stays but that of a kill, which a later process of the same user removes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ownMark } from '../../src/world/made-by.ts';

const PROGRAM = `
  import { writeFile } from 'node:fs/promises';
  import { inScratch, makeScratch } from './src/world/scratch.ts';
  const folder = await makeScratch();
  await writeFile(folder + '/0.env', 'PASSWORD=secret');
  await inScratch((other) => writeFile(other + '/text', ''));
  console.log(folder);
  if (process.argv[2] === 'kill') process.kill(process.pid, 'SIGKILL');
  if (process.argv[2] === 'throw') throw new Error('on purpose');`;

let place: string;
let program: string;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'scratch-test-'));
  program = join(place, 'program.mjs');
  const stdin = { contents: PROGRAM, resolveDir: process.cwd(), loader: 'ts' as const };
  await build({ stdin, outfile: program, bundle: true, platform: 'node', format: 'esm', logLevel: 'warning' });
});

afterAll(async () => rm(place, { recursive: true, force: true }));

/** A process that makes a folder with a secret in it, and ends like this; where the folder was. */
async function make(end: 'well' | 'throw' | 'kill'): Promise<string> {
  const child = spawn(process.execPath, [program, end], { env: { TMPDIR: place }, stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  return text.trim();
}

const age = (path: string, hours: number): Promise<void> => utimes(path, new Date(), new Date(Date.now() - hours * 3_600_000));

test('a process that ends takes its folders along, also when something was thrown', async () => {
  const folders = [await make('well'), await make('throw')];
  for (const folder of folders) expect(folder).toMatch(/slipway-\d+-\d+-\d+-\w{6}$/);
  expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
});

test('what a killed process left with secrets in it is private, and goes with a later process, but nothing else does', async () => {
  const [old, young] = [await make('kill'), await make('kill')];
  expect((await stat(old)).mode & 0o777).toBe(0o700);
  const others = ['slipway-notes', 'slipway-1-2-of-mine', `slipway-${await ownMark()}-abcdef`].map((name) => join(place, name));
  for (const other of others) await mkdir(other);
  for (const path of [old, ...others]) await age(path, 2);
  await make('well');
  expect(
    (await readdir(place))
      .filter((name) => name.startsWith('slipway-'))
      .map((name) => join(place, name))
      .sort(),
  ).toEqual([young, ...others].sort());
});
