import { expect, test } from 'vitest';
import { allReferences, fillReferences, referencesIn } from '../../src/model/interpolation.ts';

const D = '$';

test.each<[string, [string | undefined, string][]]>([
  ['plain', []],
  [`${D}A-x`, [['A', '']]],
  [`${D}{A}`, [['A', '']]],
  [`${D}${D}A ${D}${D}{B}`, []],
  [`${D}${D}${D}A`, [['A', '']]],
  [
    `${D}{A:-x}${D}{B-}${D}{C:?why}${D}{D?}${D}{E:+y}${D}{F+y}`,
    [
      ['A', ':-'],
      ['B', '-'],
      ['C', ':?'],
      ['D', '?'],
      ['E', ':+'],
      ['F', '+'],
    ],
  ],
  [`a ${D} b ${D}(date) ${D}`, []],
  [
    `${D}{A:-${D}{B:-c}}d`,
    [
      ['A', ':-'],
      ['B', ':-'],
    ],
  ],
  [`${D}{}`, [[undefined, '']]],
  [`${D}{A`, [[undefined, '']]],
  [`${D}{A!x}`, [[undefined, '']]],
])('%s', (text, wanted) => {
  expect(allReferences(text).map(({ name, operator }) => [name, operator])).toEqual(wanted);
});

test('references know where they begin and end', () => {
  const text = `x${D}{A:-${D}{B}}y`;
  const [reference] = referencesIn(text);
  expect(text.slice(reference?.start, reference?.end)).toBe(`${D}{A:-${D}{B}}`);
});

test.each([
  [`${D}{A:-./data}:/x`, './data:/x'],
  [`${D}{SET:-./data}`, '/srv'],
  [`${D}{BLANK:-d}${D}{BLANK-d}`, 'd'],
  [`${D}{A:-${D}{SET}/sub}`, '/srv/sub'],
  [`${D}A/${D}${D}x`, '/$x'],
])('%s fills to %s', (text, wanted) => {
  expect(fillReferences(text, (name) => ({ SET: '/srv', BLANK: '' })[name])).toBe(wanted);
});
