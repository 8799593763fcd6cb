// The table of README.md in this folder: every capability has its row, and what it cites is there. Rule: a test that is renamed or gone is found here.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PRODUCTS } from './stage.ts';

const CAPABILITIES = 49;
const SYSTEMS = ['Z', 'E', 'M', 'C', 'L'];
const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');

interface Shown {
  readonly systems: readonly string[];
  /** Undefined where it is not there yet. */
  readonly file?: string;
  /** The test's name, or what is missing. */
  readonly text: string;
}

interface Row {
  readonly capability: number;
  /** Those that have it today, wholly or in part. */
  readonly wanted: readonly string[];
  readonly shown: readonly Shown[];
}

const rows = readme
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map(rowOf);

function rowOf(line: string): Row {
  const [number = '', , ...cells] = line.replace(/^\| | \|$/g, '').split(' | ');
  const shown = (cells[SYSTEMS.length] ?? '').split('<br>').map(shownOf);
  return { capability: Number(number), wanted: SYSTEMS.filter((_, index) => cells[index] !== '–'), shown };
}

function shownOf(text: string): Shown {
  const [, systems = '', file, name] = /^\*\*([ZEMCL ]+)\*\* (?:`([^`]+)` › (.+)|not yet: .+)$/.exec(text) ?? [];
  if (systems === '') throw new Error(`the table has a part that says nothing: ${text}`);
  return { systems: systems.split(' '), text: name ?? text, ...(file === undefined ? {} : { file }) };
}

describe('the table of capabilities', () => {
  test('has a row for each of them, in order', () => {
    expect(rows.map(({ capability }) => capability)).toEqual(Array.from({ length: CAPABILITIES }, (_, index) => index + 1));
  });

  test('says for each system that has a capability today where it is shown here, or that it is not yet', () => {
    const silent = rows.flatMap(({ capability, wanted, shown }) =>
      wanted.filter((system) => !shown.some(({ systems }) => systems.includes(system))).map((system) => `${capability} ${system}`),
    );
    expect(silent).toEqual([]);
  });

  test('cites tests that are there, by their whole names', () => {
    const cited = rows.flatMap(({ shown }) => shown).filter(({ file }) => file !== undefined);
    const wrong = cited.filter(({ file = '', text }) => {
      const path = join(import.meta.dirname, '..', file);
      return !existsSync(path) || ![`'${text}'`, `\`${text}\``, `"${text}"`].some((name) => readFileSync(path, 'utf8').includes(name));
    });
    expect(wrong).toEqual([]);
    expect(cited.length).toBeGreaterThan(80);
  });

  test('names every folder of a product', () => {
    expect(PRODUCTS.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});
