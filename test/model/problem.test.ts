import { expect, test } from 'vitest';
import { lineOf, type Problem, pathText, problemAt, refuseProblems, sortProblems, withoutIgnored } from '../../src/model/problem.ts';

const source = {
  file: 'slipway.yaml',
  lines: new Map([
    ['env', 3],
    ['env.A', 4],
    ['upgrade.health[1]', 9],
  ]),
  refused: new Set<string>(),
};
const problem = (code: Problem['code'], path: Problem['path']): Problem => ({
  severity: 'error',
  code,
  message: 'wrong',
  hint: 'mend it.',
  file: 'slipway.yaml',
  line: 4,
  ...(path === undefined ? {} : { path }),
});

test('a problem has the line of its path, or of what is written around it', () => {
  const text = { code: 'E_VALUE', message: 'm', hint: 'h' } as const;
  expect(problemAt(source, { ...text, path: ['env', 'A', 'type'] })).toEqual({
    severity: 'error',
    ...text,
    file: 'slipway.yaml',
    line: 4,
    path: 'env.A.type',
  });
  expect(problemAt(source, { ...text, code: 'W_X', path: ['other'] })).toMatchObject({ severity: 'warning', line: 1 });
  expect(lineOf(source, ['upgrade', 'health', 1, 'http'])).toBe(9);
  expect(pathText(['upgrade', 'health', 1, 'http'])).toBe('upgrade.health[1].http');
});

test('check.ignore needs both the code and the path, and a path covers what is below it', () => {
  const problems = [problem('W_A', 'images.own.editor.tag'), problem('W_A', 'images.own.editors'), problem('W_B', 'images.own.editor')];
  const left = withoutIgnored(problems, [{ code: 'W_A', path: 'images.own.editor', reason: 'only for one platform' }]);
  expect(left).toEqual([problems[1], problems[2]]);
});

test('problems are sorted by line', () => {
  const lines = [9, 2, 5].map((line) => ({ ...problem('E_X', 'a'), line }));
  expect(sortProblems(lines).map(({ line }) => line)).toEqual([2, 5, 9]);
});

test('warnings alone refuse nothing', () => {
  expect(() => refuseProblems([{ ...problem('W_A', 'a'), severity: 'warning' }])).not.toThrow();
});

test('errors are refused with the first one’s place and all problems in the details', () => {
  const problems = [problem('E_VALUE', 'a'), problem('E_NOT_SUPPORTED', 'b')];
  expect(() => refuseProblems(problems)).toThrow(
    expect.objectContaining({ code: 'E_CONFIG', message: 'slipway.yaml:4: wrong (and 1 more)', details: { problems } }),
  );
  expect(() => refuseProblems(problems.slice(1))).toThrow(expect.objectContaining({ code: 'E_NOT_SUPPORTED', hint: 'mend it.' }));
});
