import { expect, test } from 'vitest';
import { readYaml } from '../../src/model/yaml-file.ts';

const problemsOf = (text: string): [string, number][] => readYaml(text, 'a.yaml').problems.map(({ code, line }) => [code, line]);

test.each<[string, string, [string, number][]]>([
  ['a duplicate key', 'a: 1\nb: 2\na: 3\n', [['E_DUPLICATE_KEY', 3]]],
  ['a list that is not closed', 'a: [1\nb: 2\n', [['E_YAML', 2]]],
  ['a tab as indentation', 'a:\n\tb: 1\n', [['E_YAML', 2]]],
  ['two documents', 'a: 1\n---\nb: 1\n', [['E_YAML', 2]]],
  ['an alias without an anchor', 'a: 1\nb: *nope\n', [['E_YAML', 2]]],
  ['an alias inside of its own anchor', 'a: &x\n  b: *x\n', [['E_YAML', 2]]],
  ['a list as a key', 'a: 1\n? [x, y]\n: 1\n', [['E_YAML', 2]]],
])('%s is a problem with its line', (_, text, wanted) => {
  expect(problemsOf(text)).toEqual(wanted);
});

test('aliases that multiply without end are refused', () => {
  const levels = Array.from({ length: 12 }, (_, n) => `l${n + 1}: &l${n + 1} [${Array(10).fill(`*l${n}`).join(', ')}]`);
  const { value, problems } = readYaml(`l0: &l0 [x, x]\n${levels.join('\n')}\n`, 'a.yaml');
  expect(value).toBeUndefined();
  expect(problems.map(({ code }) => code)).toEqual(['E_YAML']);
});

test('a huge file is refused unread', () => {
  expect(problemsOf(`a: ${'x'.repeat(1024 * 1024)}`)).toEqual([['E_TOO_LARGE', 1]]);
});

test('anchors and merge keys work, and everything written has its line', () => {
  const { value, source, problems } = readYaml('base: &b { k: 1 }\nc:\n  <<: *b\n  list:\n    - x\n    - y: 2\n', 'a.yaml');
  expect(problems).toEqual([]);
  expect(value).toEqual({ base: { k: 1 }, c: { k: 1, list: ['x', { y: 2 }] } });
  expect(Object.fromEntries(source.lines)).toMatchObject({ base: 1, 'base.k': 1, c: 2, 'c.list': 4, 'c.list[0]': 5, 'c.list[1].y': 6 });
});

test('texts come with the line they stand on, keys and comments do not', () => {
  const { texts } = readYaml('# $A\n$B: "x $C"\nd: |\n  one\n  $E\n', 'a.yaml');
  expect(texts.filter(({ text }) => text.includes('$')).map(({ line, text }) => [line, text.trim()])).toEqual([
    [2, '"x $C"'],
    [5, '$E'],
  ]);
});
