// Secrets in files that would be shipped. Rule: what was found is named by kind and line, never printed.
import type { Variable } from '../model/description.ts';
import type { Problem, ProblemCode } from '../model/problem.ts';

interface SecretShape {
  readonly what: string;
  readonly shape: RegExp;
  /** Quick to look for, and in every text that has the shape: a file without it is not looked through line by line. */
  readonly mark: RegExp;
}

const SHAPES: readonly SecretShape[] = [
  { what: 'a private key', shape: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/, mark: /PRIVATE KEY/ },
  {
    what: 'a minisign secret key',
    shape: /minisign (?:encrypted )?secret key|(?:^|[^A-Za-z0-9+/])RW[A-Za-z0-9+/]{208,210}(?:={1,2}|(?![A-Za-z0-9+/=]))/,
    mark: /minisign |RW[A-Za-z0-9+/]{208}/,
  },
  { what: 'an AWS access key', shape: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/, mark: /A[KS]IA[0-9A-Z]{16}/ },
  {
    what: 'a forge token',
    shape: /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}|glpat-[A-Za-z0-9_-]{20,})/,
    mark: /gh[pousr]_|github_pat_|glpat-/,
  },
];

const ENV_FILE = /(?:^|\/)(?:[^/]*\.)?env(?:\.[^/]*)?$/;
const ENV_LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:][ \t]*(.*)$/;
const SECRET_NAME = /(?:PASSWORD|PASSWD|SECRET|_TOKEN|API_?KEY|PRIVATE_KEY)$/i;

/**
 * Secrets in one file of the bundle, by its path there. `env` is the product's: a value of one of its secret or sensitive
 * variables is an error in an env file, a value of what is only called like a secret a warning.
 */
export function checkShippedFile(path: string, content: string, env: Readonly<Record<string, Variable>> = {}): Problem[] {
  const isEnvFile = ENV_FILE.test(path);
  const shapes = SHAPES.filter(({ mark }) => mark.test(content));
  if (shapes.length === 0 && !isEnvFile) return [];
  return content.split('\n').flatMap((text, index) => {
    const at = { path, line: index + 1 };
    const found = shapes
      .filter(({ shape }) => shape.test(text))
      .map(({ what }) => shippedProblem(at, 'E_SECRET', `the file holds ${what}`));
    return isEnvFile ? [...found, ...checkEnvLine(text, at, env)] : found;
  });
}

interface Place {
  readonly path: string;
  readonly line: number;
}

function checkEnvLine(text: string, at: Place, env: Readonly<Record<string, Variable>>): Problem[] {
  const [, name, written = ''] = ENV_LINE.exec(text) ?? [];
  if (name === undefined || !hasOwnValue(written)) return [];
  const variable = Object.hasOwn(env, name) ? env[name] : undefined;
  if (variable?.secret !== undefined || variable?.sensitive) return [shippedProblem(at, 'E_SECRET', `${name} is a secret and has a value`)];
  if (variable !== undefined || !SECRET_NAME.test(name)) return [];
  return [shippedProblem(at, 'W_SECRET_NAME', `${name} is called like a secret and has a value`)];
}

/** True for a literal value: not empty, no comment, and neither a reference to another variable nor a place of a template. */
function hasOwnValue(written: string): boolean {
  const value = written.trim().replace(/^(["'])(.*)\1$/, '$2');
  const isFilledIn = /^(?:\$(?:\{[^}]*\}|[A-Za-z_][A-Za-z0-9_]*)|\{\{[^}]*\}\})$/.test(value);
  return value !== '' && !value.startsWith('#') && !isFilledIn;
}

function shippedProblem({ path, line }: Place, code: ProblemCode, message: string): Problem {
  const hint = 'Everybody who gets the bundle gets this file: take it out, or leave the value empty and declare it under env.';
  return { severity: code.startsWith('E_') ? 'error' : 'warning', code, message, hint, file: path, line, path };
}
