// What a person reads of the operator command: the product's own name, and only the commands that are for them.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';

let folder: string;
let loaded: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'acme-label-'));
  const { metafile } = await build({
    entryPoints: [join(import.meta.dirname, '../../src/operator.ts')],
    outfile: join(folder, 'acmectl.mjs'),
    bundle: true,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    define: { SLIPWAY_VERSION: '"1.0.0"' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  loaded = Object.entries(metafile.inputs)
    .filter(([path]) => path.startsWith('src/world/'))
    .flatMap(([path, { imports }]) => imports.map((each) => `${path} ${each.kind} ${each.original ?? ''}`))
    .join('\n');
  await writeFile(join(folder, 'bundle.json'), '{"cli":"acmectl","title":"Acme Platform"}');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function say(...words: string[]): { text: string; code: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'acmectl.mjs'), ...words], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder },
  });
  return { text: `${stdout}${stderr}`, code: status };
}

/** Names of environment variables and of the folder of an install are fixed. */
const withoutFixed = (text: string): string => text.replaceAll(/SLIPWAY_[A-Z_<>]+|\.slipway\b/g, '');

it('its help has the product’s title and command, and none of a maintainer’s commands', () => {
  const { text, code } = say('help');
  expect(code).toBe(0);
  expect(text).toContain('Acme Platform\n\nUsage: acmectl COMMAND');
  const names = [...text.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name]) => name ?? '');
  expect(names).toEqual(expect.arrayContaining(['install', 'configure', 'status', 'upgrade']));
  for (const name of ['pack', 'publish', 'promote', 'reserve', 'images', 'keys']) expect(names).not.toContain(name);
});

it('neither the help of a command nor an error names the maker of the tool', () => {
  const names = [...say('help').text.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name]) => name ?? '');
  for (const words of [...names.map((name) => ['help', name]), ['frobnicate'], ['status'], ['configure', '--sett'], ['install']]) {
    const { text } = say(...words);
    expect(withoutFixed(text), words.join(' ')).not.toMatch(/slipway/i);
  }
}, 120_000);

it('loads the library of its questions only where a person is asked', () => {
  expect(loaded).toContain('src/world/terminal.ts dynamic-import ./ask-redrawn.ts');
  const importers = loaded.split('\n').filter((line) => line.includes('@inquirer/'));
  expect(importers.every((line) => line.startsWith('src/world/ask-redrawn.ts '))).toBe(true);
});
