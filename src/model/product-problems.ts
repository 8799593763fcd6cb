// What the schema refused, said for people. Rule: every refusal names the key, what is expected there and what was found.
import type * as z from 'zod';
import { didYouMean } from './near.ts';
import { type Path, type Problem, pathText, problemAt, type Source } from './problem.ts';

type Issue = z.core.$ZodIssue;

export interface Refused {
  readonly problem: Problem;
  /** What to leave out to read the rest. */
  readonly remove: Path;
}

/** The problems behind the issues of a failed parse of `value` by `schema`. */
export function refusalsOf(issues: readonly Issue[], schema: z.ZodType, { value, source }: { value: unknown; source: Source }): Refused[] {
  return issues.flatMap(nearestBranch).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return unknownKeys(issue, schema, source);
    return [refusalOf(issue, value, source)];
  });
}

/** Of a union's branches, the issues of the one that the person seems to have meant. */
function nearestBranch(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.filter((branch) => !branch.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0));
  const [best] = meant.sort((a, b) => a.length - b.length);
  if (best === undefined) return [issue];
  return best.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })).flatMap(nearestBranch);
}

function unknownKeys(issue: z.core.$ZodIssueUnrecognizedKeys, schema: z.ZodType, source: Source): Refused[] {
  const around = plainPathOf(issue);
  const known = knownKeys(schema, around);
  return issue.keys.map((key) => {
    const path = [...around, key];
    const hint = didYouMean(key, known);
    return { problem: problemAt(source, { code: 'E_UNKNOWN_KEY', path, message: `unknown key ${key}`, hint }), remove: path };
  });
}

function refusalOf(issue: Issue, value: unknown, source: Source): Refused {
  const path = plainPathOf(issue);
  const name = pathText(path) || 'the file';
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? 'another name';
    const message = `${JSON.stringify(path.at(-1))} is no name for an entry here: expected ${expected}`;
    return { problem: problemAt(source, { code: 'E_VALUE', path, message, hint: 'Rename it.' }), remove: path };
  }
  const found = valueAt(value, path);
  const { expected, hint } = expectationOf(issue, found);
  if (found === undefined) {
    const message = `${name} is missing`;
    return {
      problem: problemAt(source, { code: 'E_MISSING', path, message, hint: `Add it: expected ${expected}.` }),
      remove: path.slice(0, -1),
    };
  }
  const message = `${name}: expected ${expected}, found ${foundText(found)}`;
  return { problem: problemAt(source, { code: 'E_VALUE', path, message, hint }), remove: path };
}

const PLAIN_TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'a map of keys',
  record: 'a map of keys',
};

const TYPE_HINTS: Readonly<Record<string, string>> = {
  string: 'Put it in quotes.',
  boolean: 'Write true or false, without quotes.',
  number: 'Write the number without quotes.',
  int: 'Write the number without quotes and fractions.',
  array: 'Write it as [a, b], or with a dash before each line.',
  object: 'Write it as `key: value` lines; an empty one is {}.',
  record: 'Write it as `key: value` lines; an empty one is {}.',
};

function expectationOf(issue: Issue, found: unknown): { expected: string; hint: string } {
  const correct = 'Correct the value.';
  switch (issue.code) {
    case 'invalid_type':
      return { expected: PLAIN_TYPES[issue.expected] ?? issue.expected, hint: TYPE_HINTS[issue.expected] ?? correct };
    case 'invalid_value':
      return choiceOf(issue.values.map(String), found);
    case 'invalid_union':
      // zod 4 names the known discriminators in `options`, which its type does not say
      return 'options' in issue && Array.isArray(issue.options)
        ? choiceOf(issue.options.map(String), found)
        : { expected: issue.message, hint: correct };
    case 'too_small':
      return { expected: issue.origin === 'number' || issue.origin === 'int' ? `${issue.minimum} or more` : issue.message, hint: correct };
    case 'too_big':
      return { expected: `${issue.maximum} or less`, hint: correct };
    default:
      return { expected: issue.message, hint: correct };
  }
}

function choiceOf(choices: readonly string[], found: unknown): { expected: string; hint: string } {
  const expected = choices.length === 1 ? String(choices[0]) : `one of ${choices.join(', ')}`;
  return { expected, hint: typeof found === 'string' ? didYouMean(found, choices, 'Possible') : 'Correct the value.' };
}

/** What was found, short, and without the login of an address. */
function foundText(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = JSON.stringify(value).replace(/:\/\/[^/\s]*@/g, '://…@');
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function plainPathOf(issue: Issue): (string | number)[] {
  return issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => {
    const holder = typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key);
    return holder ? (inner as Record<string | number, unknown>)[key] : undefined;
  }, value);
}

/** The keys that the schema knows at a path, over all branches of a union. */
function knownKeys(schema: z.ZodType, path: Path): string[] {
  const at = path.reduce<z.ZodType[]>((schemas, key) => schemas.flatMap((inner) => stepInto(inner, key)), bare(schema));
  return [...new Set(at.flatMap((inner) => Object.keys(shapeOf(inner))))];
}

function stepInto(schema: z.ZodType, key: string | number): z.ZodType[] {
  const def = definitionOf(schema);
  const next = def.shape?.[key] ?? def.valueType ?? def.element;
  return next === undefined ? [] : bare(next);
}

/** The schemas inside of defaults, optionals and unions. */
function bare(schema: z.ZodType): z.ZodType[] {
  const def = definitionOf(schema);
  if (def.innerType !== undefined) return bare(def.innerType);
  return def.options === undefined ? [schema] : def.options.flatMap(bare);
}

function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  return definitionOf(schema).shape ?? {};
}

interface Definition {
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly valueType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
}

/** What a schema is made of (zod 4: `schema.def`), in the few forms that ours uses. */
function definitionOf(schema: z.ZodType): Definition {
  return schema.def as Definition;
}
