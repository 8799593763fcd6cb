// Checks of the product's variables. Rule: a default that is wrong is found here and not on somebody's server.
import type { Variable } from '../model/description.ts';
import { placeholdersIn } from '../model/placeholder.ts';
import { isRefused, type ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { compiledPattern, misfitOf } from '../model/variable-value.ts';

/** The problems of `env`, each variable by itself and the circles between them. */
export function checkEnv(product: Product): ProblemText[] {
  const each = Object.entries(product.env).flatMap(([name, variable]) => [
    ...checkKeys(product, name, variable),
    ...checkPattern(name, variable),
    ...checkDefault(name, variable),
  ]);
  return [...each, ...checkNames(product), ...checkCircles(product)];
}

function checkKeys({ source }: Product, name: string, variable: Variable): ProblemText[] {
  const problems: ProblemText[] = [];
  const { type, choices, secret, length } = variable;
  const path = ['env', name];
  if (type === 'choice' && choices === undefined && !isRefused(source, [...path, 'choices'])) {
    problems.push({ code: 'E_CHOICES', path, message: `env.${name} is a choice without choices`, hint: 'Add choices: [a, b].' });
  }
  if (choices !== undefined && type !== 'choice' && !isRefused(source, [...path, 'type'])) {
    const message = `env.${name} has choices, but is no choice`;
    problems.push({ code: 'E_CHOICES', path: [...path, 'choices'], message, hint: 'Add type: choice.' });
  }
  if (length !== undefined && secret === undefined && !isRefused(source, [...path, 'secret'])) {
    const message = `env.${name}: length is that of a generated secret, and this is none`;
    problems.push({ code: 'E_LENGTH', path: [...path, 'length'], message, hint: 'Add secret, or use pattern.' });
  }
  return problems;
}

function checkPattern(name: string, { pattern }: Variable): ProblemText[] {
  if (pattern === undefined || compiledPattern(pattern) !== undefined) return [];
  const message = `env.${name}.pattern is not a regular expression: ${pattern}`;
  return [{ code: 'E_PATTERN', path: ['env', name, 'pattern'], message, hint: 'Write it as JavaScript does, without slashes.' }];
}

/** A default with placeholders has its type only when they are filled in. */
function checkDefault(name: string, variable: Variable): ProblemText[] {
  const path = ['env', name, 'default'];
  if (variable.default === undefined) return [];
  if (variable.secret !== undefined) {
    const message = `env.${name} is a generated secret, so it has no default`;
    return [{ code: 'E_DEFAULT', path, message, hint: 'A default would be the same on every server: remove it.' }];
  }
  if (placeholdersIn(String(variable.default)).length > 0) return [];
  if (variable.default === '' && !variable.required) return [];
  const expected = misfitOf(variable, variable.default);
  if (expected === undefined) return [];
  const message = `env.${name}.default: expected ${expected}, found ${JSON.stringify(variable.default)}`;
  return [{ code: 'E_DEFAULT', path, message, hint: 'Correct the default, or what it must fit.' }];
}

function checkNames({ env }: Product): ProblemText[] {
  const byFolded = new Map<string, string>();
  return Object.entries(env).flatMap(([name, { renamedFrom }]): ProblemText[] => {
    const other = byFolded.get(name.toLowerCase());
    byFolded.set(name.toLowerCase(), name);
    const problems: ProblemText[] = [];
    if (other !== undefined) {
      const message = `env.${name} and env.${other} differ only in upper and lower case`;
      problems.push({ code: 'E_CASE_COLLISION', path: ['env', name], message, hint: 'Rename one of them.' });
    }
    if (renamedFrom !== undefined && Object.hasOwn(env, renamedFrom)) {
      const message = `env.${name} was renamed from ${renamedFrom}, which is still a variable`;
      problems.push({ code: 'E_RENAMED', path: ['env', name, 'renamedFrom'], message, hint: `Remove ${renamedFrom} or renamedFrom.` });
    }
    return problems;
  });
}

/** Defaults that refer to each other in a circle can never be filled in. */
function checkCircles({ env }: Product): ProblemText[] {
  const next = (name: string): string[] => (Object.hasOwn(env, name) ? placeholdersIn(String(env[name]?.default ?? '')) : []);
  return Object.keys(env).flatMap((name): ProblemText[] => {
    if (!reaches(next, name)) return [];
    const message = `env.${name}.default refers to itself, directly or through others`;
    return [{ code: 'E_CIRCLE', path: ['env', name, 'default'], message, hint: 'Give one variable of the circle a default of its own.' }];
  });
}

function reaches(next: (name: string) => string[], start: string): boolean {
  const seen = new Set<string>();
  const open = next(start);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (name === start) return true;
    if (!seen.has(name)) open.push(...next(name));
    seen.add(name);
  }
  return false;
}
