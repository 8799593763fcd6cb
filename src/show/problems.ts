// Problems of a maintainer's files, as a list. Rule: one line each with file and line, the hint below it; the first column is what editors can jump to.
import type { Problem } from '../model/problem.ts';

/** The list, in the order given; empty for no problems. */
export function problemsToText(problems: readonly Problem[]): string {
  return problems
    .map(({ severity, code, message, hint, file, line }) => `${file}:${line}: ${severity}: ${message} (${code})\n  hint: ${hint}\n`)
    .join('');
}

/** `2 errors and 1 warning`. */
export function countProblems(problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const counts = [count(errors, 'error'), count(problems.length - errors, 'warning')].filter((text) => text !== '');
  return counts.join(' and ') || 'no problems';
}

function count(number: number, what: string): string {
  return number === 0 ? '' : `${number} ${what}${number === 1 ? '' : 's'}`;
}
