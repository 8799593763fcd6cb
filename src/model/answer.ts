// One answer: does it fit its variable, and how is it written into `.env`. Rule: a problem never repeats the value, which may be a secret.
import type { Variable } from './description.ts';
import { LOGIN_TOKEN, LOGIN_USER } from './registry-login.ts';
import { CA_FILE, PROXY_NAMES } from './site-network.ts';
import { misfitOf } from './variable-value.ts';

/** The name under which answers choose features: `FEATURES=mail,chat`. */
export const FEATURES_NAME = 'FEATURES';

/** Answers about the site that are no variables of the product, unless it declares them: they are not written into `.env`. */
export const SITE_NAMES = [LOGIN_USER, LOGIN_TOKEN, ...PROXY_NAMES, CA_FILE] as const;

const MAX_LENGTH = 64 * 1024;
const YES = ['true', 'yes', 'y', 'on', '1'];
const NO = ['false', 'no', 'n', 'off', '0'];

/** What is wrong with a value, as a sentence that starts with the variable's name, or undefined when it fits. The value is normalised first. */
export function checkAnswer(name: string, variable: Variable, value: string): string | undefined {
  const problem = problemOf(variable, normaliseAnswer(variable, value));
  return problem === undefined ? undefined : `${name} ${problem}`;
}

/** The value as it goes into `.env`: nothing around it, booleans as true or false, host names in lower case; text and secrets as they are. */
export function normaliseAnswer(variable: Variable, value: string): string {
  if (variable.secret !== undefined || variable.sensitive === true || (variable.type ?? 'text') === 'text') return value;
  const trimmed = value.trim();
  if (variable.type === 'hostname') return trimmed.toLowerCase();
  if (variable.type !== 'boolean') return trimmed;
  return booleanOf(trimmed) ?? trimmed;
}

/** `true` or `false` for the words people say, or undefined. */
export function booleanOf(word: string): 'true' | 'false' | undefined {
  const lower = word.trim().toLowerCase();
  if (YES.includes(lower)) return 'true';
  return NO.includes(lower) ? 'false' : undefined;
}

function problemOf(variable: Variable, value: string): string | undefined {
  if (value.trim() === '') return variable.required === true ? 'must not be empty' : undefined;
  if (value.length > MAX_LENGTH) return 'is too long';
  if (/[\0\p{Cs}]/u.test(value)) return 'holds a NUL character or broken Unicode';
  const expected = misfitOf(variable, value);
  return expected === undefined ? undefined : `must be ${expected}`;
}
