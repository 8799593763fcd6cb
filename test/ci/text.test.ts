// The text of workflow files: YAML that reads back as what was meant, and marked places that keep a person's lines.

import { expect as assert, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { differencesOf, ownLines, withOwnLines } from '../../src/ci/places.ts';
import { COMMENT, type Yaml, yamlLines } from '../../src/ci/yaml.ts';
import { fc } from '../property.ts';

const text = fc.oneof(
  fc.string(),
  fc.constantFrom('on', 'yes', 'null', '0 2 * * *', `\${{ a }}`, 'a: b', 'a #b', '!x', '- a', "it's", 'x:', '1.10', ' a', 'a '),
);
const scalar = fc.oneof(text, fc.integer(), fc.boolean());
const key = fc.stringMatching(/^[a-z][a-z_-]{0,8}$/).filter((name) => name !== 'uses');
const map = fc.dictionary(key, fc.oneof(scalar, fc.array(scalar, { minLength: 1, maxLength: 3 })), {
  minKeys: 1,
  maxKeys: 4,
  noNullPrototype: true,
});
const value = fc.dictionary(key, fc.oneof(map, fc.array(map, { minLength: 1, maxLength: 3 }), scalar), {
  minKeys: 1,
  maxKeys: 4,
  noNullPrototype: true,
});

describe('YAML', () => {
  test('reads back as what was written', () => {
    fc.assert(
      fc.property(value, (wanted) => {
        assert(parse(yamlLines(wanted as Yaml).join('\n'))).toEqual(withoutEndOfText(wanted));
      }),
      { numRuns: 200 },
    );
  });

  test('comments and places are between what they are between', () => {
    const lines = yamlLines({ steps: [{ name: 'a' }, { [`${COMMENT} x`]: 'begin\nend' }, { name: 'b', run: 'x "y"\nz' }] });
    expect(lines.join('\n')).toBe('steps:\n  - name: a\n  # begin\n  # end\n  - name: b\n    run: |\n      x "y"\n      z');
  });
});

/** A block ends with one line end, whatever ends it had: shell text and descriptions do not mind. */
function withoutEndOfText(wanted: unknown): unknown {
  if (typeof wanted === 'string' && wanted.includes('\n')) return `${wanted.trimEnd()}\n`;
  if (Array.isArray(wanted) || typeof wanted !== 'object' || wanted === null) return wanted;
  return Object.fromEntries(Object.entries(wanted).map(([name, inner]) => [name, withoutEndOfText(inner)]));
}

const MADE = 'a\n# slipway:begin own x\n# slipway:end own x\nb\n  # slipway:begin own y\n  # slipway:end own y\n';

describe('marked places', () => {
  test('lines in them are in the new text, wherever the place went', () => {
    const there =
      'old\n  # slipway:begin own y\n  mine: 1\n\n  too: 2\n  # slipway:end own y\n# slipway:begin own x\n# slipway:end own x\n';
    expect(withOwnLines(MADE, ownLines(there, 'f'), 'f')).toBe(
      'a\n# slipway:begin own x\n# slipway:end own x\nb\n  # slipway:begin own y\n  mine: 1\n\n  too: 2\n  # slipway:end own y\n',
    );
  });

  test('lines whose place is no more are refused, and empty ones forgotten', () => {
    const there = (line: string): string => `# slipway:begin own z\n${line}\n# slipway:end own z\n`;
    expect(() => withOwnLines(MADE, ownLines(there('mine'), 'f.yml'), 'f.yml')).toThrow(/f\.yml: there is no place "z" any more/);
    expect(withOwnLines(MADE, ownLines(there(''), 'f.yml'), 'f.yml')).toBe(MADE);
  });

  test.each([
    ['an end without a beginning', '# slipway:end own x\n', 1],
    ['a beginning without an end', 'a\n# slipway:begin own x\n', 3],
    ['two of one name', `${MADE}${MADE}`, 8],
    ['one within another', '# slipway:begin own x\n# slipway:begin own y\n', 2],
    ['the end of another', '# slipway:begin own x\n# slipway:end own y\n', 2],
  ])('%s is refused with its line', (_, broken, line) => {
    expect(() => ownLines(broken, 'f.yml')).toThrow(new RegExp(`^f\\.yml:${line}: the marks`));
  });
});

describe('differences', () => {
  test('each has its line, what is there, and what is wanted', () => {
    expect(differencesOf('a\nb\nc\nd\ne\n', 'a\nX\nc\nd\nY\ne\n')).toEqual([
      { line: 2, expected: ['b'], found: ['X'] },
      { line: 5, expected: [], found: ['Y'] },
    ]);
    expect(differencesOf('a\n', 'a\n')).toEqual([]);
  });

  test('there is one whenever the texts are not the same', () => {
    const lines = fc.array(fc.constantFrom('a', 'b', '', 'c'), { maxLength: 8 }).map((all) => all.join('\n'));
    fc.assert(
      fc.property(lines, lines, (one, other) => {
        expect(differencesOf(one, other).length === 0).toBe(one === other);
      }),
    );
  });
});
