// Problems of a product file as the end of a command. Rule: one problem is the error itself; several are told, and the first is the error.
import { ToolError } from '../../model/error.ts';
import type { Problem } from '../../model/problem.ts';
import { countProblems, problemsToText } from '../../show/problems.ts';
import type { Context } from '../command.ts';

/** Shows all problems and gives the error to end with, named after the first one; all of them are in its details. */
export function problemsError(problems: readonly Problem[], context: Context): ToolError {
  const errors = problems.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first === undefined) throw new Error('no problem is no error');
  const code = errors.every((problem) => problem.code === 'E_NOT_SUPPORTED') ? 'E_NOT_SUPPORTED' : 'E_CONFIG';
  const details = { problems };
  if (problems.length === 1) return new ToolError(code, `${first.file}:${first.line}: ${first.message}`, { hint: first.hint, details });
  context.world.terminal.err(problemsToText(problems));
  return new ToolError(code, `${countProblems(problems)}; the first: ${first.file}:${first.line}: ${first.message}`, {
    hint: first.hint,
    details,
  });
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}
