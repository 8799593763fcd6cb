// Whether a value fits its variable. Rule: the same answer at `check`, in the wizard and for an answers file.
import type { Scalar, Variable, VariableType } from './description.ts';

const HOSTNAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const EMAIL = /^[^\s@<>"']+@[^\s@<>"']+$/;

/** What is expected instead of this value, as `a port number from 1 to 65535`, or undefined when it fits type, choices and pattern. */
export function misfitOf(variable: Variable, value: Scalar): string | undefined {
  const text = String(value);
  const { choices = [], pattern } = variable;
  if (choices.length > 0 && !choices.includes(text)) return `one of ${choices.join(', ')}`;
  if (!fitsType(variable.type ?? 'text', text)) return TYPE_NAMES[variable.type ?? 'text'];
  return pattern === undefined || compiledPattern(pattern)?.test(text) !== false ? undefined : `text that matches ${pattern}`;
}

/** What values fit, as `a port number from 1 to 65535`. */
export function expectationOf({ type = 'text', choices = [], pattern }: Variable): string {
  if (choices.length > 0) return `one of ${choices.join(', ')}`;
  return `${TYPE_NAMES[type]}${pattern === undefined ? '' : ` that matches ${pattern}`}`;
}

/** The pattern as a regular expression, or undefined when it is none. */
export function compiledPattern(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return undefined;
  }
}

const TYPE_NAMES: Readonly<Record<VariableType, string>> = {
  text: 'text in one line',
  integer: 'a whole number',
  boolean: 'true or false',
  port: 'a port number from 1 to 65535',
  hostname: 'a host name such as www.example.org',
  email: 'an e-mail address',
  url: 'a URL such as https://www.example.org',
  path: 'a path',
  choice: 'one of the choices',
};

function fitsType(type: VariableType, text: string): boolean {
  switch (type) {
    case 'integer':
      return /^-?\d{1,15}$/.test(text);
    case 'boolean':
      return text === 'true' || text === 'false';
    case 'port':
      return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;
    case 'hostname':
      return HOSTNAME.test(text);
    case 'email':
      return EMAIL.test(text);
    case 'url':
      return /^[a-z][a-z0-9+.-]*:\/\/[^\s]+$/i.test(text) && URL.canParse(text);
    case 'path':
      return text !== '' && !/\p{Cc}/u.test(text);
    default:
      return !/[\0\n\r]/.test(text);
  }
}
