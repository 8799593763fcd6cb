// Who may import whom, and how large a file may grow. Rule: the table is the architecture; what it does not name is not allowed.
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const SOURCE = resolve(import.meta.dirname, '../src');

/** Room → the rooms it may import from, besides itself. The top files are rooms of their own. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['cli.ts', 'process.ts', 'commands'],
  'operator.ts': ['cli.ts', 'process.ts', 'commands'],
  'process.ts': ['world', 'show', 'model'],
  'cli.ts': ['commands', 'show', 'model'],
  commands: ['observe', 'plan', 'apply', 'show', 'ask', 'ci', 'model'],
  observe: ['world', 'model'],
  apply: ['world', 'model'],
  plan: ['model'],
  show: ['model'],
  ask: ['model'],
  ci: ['model'],
  world: ['model'],
  model: [],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

describe('the house', () => {
  test('every import goes to a room that the table allows', async () => {
    const wrong = (await listImports()).filter(({ from, to }) => !isAllowed(roomOf(from), roomOf(to)));
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  test('no file of a layer below is imported in a circle', async () => {
    const graph = new Map<string, string[]>();
    for (const { from, to, typeOnly } of await listImports()) if (!typeOnly) graph.set(from, [...(graph.get(from) ?? []), to]);
    expect(findCircles(graph)).toEqual([]);
  });

  test('no file is longer than 300 lines, and each begins with what it is for and its rule', async () => {
    const files = await listSources();
    const long = files.filter((file) => readFileSync(join(SOURCE, file), 'utf8').split('\n').length > 301);
    const mute = files.filter((file) => !/^\/\/ .*Rule: /s.test(readFileSync(join(SOURCE, file), 'utf8').split('\nimport')[0] ?? ''));
    expect({ long, mute }).toEqual({ long: [], mute: [] });
  });

  test('no name says nothing: utils, helpers, managers, default exports', async () => {
    const files = await listSources();
    const vague = files.filter((file) => /(util|helper|manager|common|misc)/i.test(file));
    const defaults = files.filter((file) => /^export default/m.test(readFileSync(join(SOURCE, file), 'utf8')));
    expect([...vague, ...defaults]).toEqual([]);
  });

  test('a planted violation would be seen', () => {
    expect(isAllowed('plan', 'world')).toBe(false);
    expect(isAllowed('apply', 'plan')).toBe(false);
    expect(isAllowed('model', 'world')).toBe(false);
    expect(
      findCircles(
        new Map([
          ['a', ['b']],
          ['b', ['a']],
        ]),
      ),
    ).toHaveLength(1);
  });
});

function isAllowed(from: string, to: string): boolean {
  return from === to || (MAY[from]?.includes(to) ?? false);
}

function roomOf(file: string): string {
  return file.split('/')[0] ?? file;
}

async function listSources(): Promise<string[]> {
  const entries = await readdir(SOURCE, { recursive: true });
  return entries.filter((file) => file.endsWith('.ts')).sort();
}

async function listImports(): Promise<Import[]> {
  const found: Import[] = [];
  for (const from of await listSources()) {
    const text = readFileSync(join(SOURCE, from), 'utf8');
    for (const match of text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from '(\.[^']+)'|import\('(\.[^']+)'\)/gm)) {
      const target = match[2] ?? match[3] ?? '';
      // A call that loads lazily is no circle at start, but it is an import all the same.
      found.push({
        from,
        to: relative(SOURCE, resolve(SOURCE, dirname(from), target)),
        typeOnly: match[1] !== undefined || match[3] !== undefined,
      });
    }
  }
  return found;
}

function findCircles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) walk(file, []);
  return circles;
}
