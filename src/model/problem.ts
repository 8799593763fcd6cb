// What is wrong with a maintainer's files. Rule: all problems at once, each with its file and line, so nobody fixes them one run at a time.
import { ToolError } from './error.ts';

export type ProblemCode = `E_${string}` | `W_${string}`;
export type Path = readonly (string | number)[];

export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly code: ProblemCode;
  readonly message: string;
  readonly hint: string;
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** The place inside the file, `env.DOMAIN.type` or `upgrade.health[2]`. */
  readonly path?: string;
}

/** Where each path of a parsed YAML file was written. */
export interface Source {
  readonly file: string;
  readonly lines: ReadonlyMap<string, number>;
  /** Paths that were already refused with a problem: whoever refers to them is not reported a second time. */
  readonly refused: ReadonlySet<string>;
}

/** One entry of `check.ignore`: the reason is for readers of the product file. */
export interface Ignored {
  readonly code: string;
  readonly path: string;
  readonly reason: string;
}

export interface ProblemText {
  readonly code: ProblemCode;
  readonly path: Path;
  readonly message: string;
  readonly hint: string;
  /** Where it is known better than by the path. */
  readonly line?: number;
}

/** A problem at a path of a file; the severity is the code's first letter. */
export function problemAt(source: Source, { code, path, message, hint, line = lineOf(source, path) }: ProblemText): Problem {
  const severity = code.startsWith('E_') ? 'error' : 'warning';
  const place = path.length === 0 ? {} : { path: pathText(path) };
  return { severity, code, message, hint, file: source.file, line, ...place };
}

/** `['upgrade', 'health', 2]` as `upgrade.health[2]`. */
export function pathText(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** The line of a path, or of the nearest part around it that was written. */
export function lineOf(source: Source, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const line = source.lines.get(pathText(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return 1;
}

/** True when this path, something in it or something around it was already refused. */
export function isRefused(source: Source, path: Path): boolean {
  const text = pathText(path);
  return [...source.refused].some((refused) => isWithin(refused, text) || isWithin(text, refused));
}

/** The problems in order of file and line. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** The problems without those that `check.ignore` names by code and path (a path covers everything below it). */
export function withoutIgnored(problems: readonly Problem[], ignored: readonly Ignored[]): Problem[] {
  const covers = (rule: Ignored, problem: Problem): boolean =>
    rule.code === problem.code && problem.path !== undefined && isWithin(problem.path, rule.path);
  return problems.filter((problem) => !ignored.some((rule) => covers(rule, problem)));
}

/** Throws when there is an error among the problems: E_NOT_SUPPORTED when that is all there is, else E_CONFIG. All problems are in the details. */
export function refuseProblems(problems: readonly Problem[]): void {
  const errors = problems.filter((problem) => problem.severity === 'error');
  const [first] = errors;
  if (first === undefined) return;
  const code = errors.every((problem) => problem.code === 'E_NOT_SUPPORTED') ? 'E_NOT_SUPPORTED' : 'E_CONFIG';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const hint = errors.length > 1 ? `${first.hint} \`slipway check\` shows all of them.` : first.hint;
  throw new ToolError(code, `${first.file}:${first.line}: ${first.message}${more}`, { hint, details: { problems } });
}

/** True when a path is `root` or below it. */
export function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}.`) || path.startsWith(`${root}[`) || path.startsWith(`${root}/`);
}
