// What the value of a `.env` entry means to Docker Compose, and how to write any text so that Compose reads exactly that text back.
// Rule: what is written here is read the same by every Compose from 2.20 on, so it uses only what all of them agree on.
import { type EnvEntry, isBlank, type Quote } from './env-syntax.ts';
import { ToolError } from './error.ts';
import { allReferences, type Reference, referencesIn } from './interpolation.ts';

/** The value of a name that a `$NAME` stands for, or undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

export type Written = Pick<EnvEntry, 'quote' | 'raw'>;

const ESCAPE = /\\(?:[abcfnrtv$"\\]|0\d{0,3})/g;
const CONTROL: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '"': '"', '\\': '\\' };
const SAFE_PLAIN = /^[A-Za-z0-9_.,/:@%+-][A-Za-z0-9_.,/:@%+=-]*$/;
const UNWRITABLE = /[\0\p{Cs}]/u;

/** What Compose reads for this entry. Throws E_CONFIG for a malformed `${…}` and for `${NAME:?text}` without a value. */
export function decodeValue(entry: EnvEntry, lookup: Lookup): string {
  if (entry.quote === "'") return unescapeQuote(entry.raw, "'");
  const scope = { lookup, where: `.env: ${entry.line > 0 ? `line ${entry.line}: ` : ''}${entry.name}` };
  if (entry.quote === '') return interpolate(entry.raw, scope);
  return interpolate(unescapeQuote(entry.raw, '"').replace(ESCAPE, expandEscape), scope);
}

/** The names that this entry's value refers to as `$NAME` or `${NAME…}`. */
export function referencesOf(entry: EnvEntry): string[] {
  if (entry.quote === "'") return [];
  return allReferences(entry.raw).flatMap((reference) => reference.name ?? []);
}

/** Writes `value`, in the quoting of the entry it replaces where that can hold it. Throws E_ANSWER for what no environment can hold. */
export function encodeValue(value: string, replaces?: EnvEntry): Written {
  if (UNWRITABLE.test(value)) {
    throw new ToolError('E_ANSWER', 'a value holds a NUL character or broken Unicode', { hint: 'Give the value again as plain text.' });
  }
  const quotes: Quote[] = replaces === undefined || replaces.quote === '' ? ['', "'"] : [replaces.quote];
  for (const quote of quotes) {
    if (quote === '' && isPlain(value, replaces)) return { quote, raw: value };
    if (quote === "'" && isLiteral(value, replaces)) return { quote, raw: value };
  }
  return { quote: '"', raw: escapeDouble(value) };
}

/** Text between double quotes whose `$NAME` and `${NAME}` Compose fills in. */
export function encodeExpression(text: string): Written {
  return { quote: '"', raw: text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r') };
}

function isPlain(value: string, replaces: EnvEntry | undefined): boolean {
  if (value === '') return replaces === undefined || isBlank(replaces.tail); // ` # note` after nothing would be the value
  if (SAFE_PLAIN.test(value)) return true;
  return (
    replaces !== undefined && /^[^\s'"#$][^$]*$/.test(value) && !/\p{Cc}/u.test(value) && value.trim() === value && !value.includes(' #')
  );
}

/** A closing quote after a backslash, and a carriage return in an editor's hands, are read differently by different programs. */
function isLiteral(value: string, replaces: EnvEntry | undefined): boolean {
  const multiline = replaces?.quote === "'" ? /['\r]|\\$/ : /['\r\n]|\\$/;
  return !multiline.test(value);
}

/** A backslash at the end is written in octal: older Composes take any `\"` for an escaped quote. */
function escapeDouble(value: string): string {
  const body = value.endsWith('\\') ? value.slice(0, -1) : value;
  const escaped = body.replace(/["\\]/g, '\\$&').replaceAll('$', '$$$$').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return body === value ? escaped : `${escaped}\\0134`;
}

/** Only the quote itself loses its backslash; every other pair stays for the next step. */
function unescapeQuote(raw: string, quote: "'" | '"'): string {
  return raw.replace(/\\./gs, (pair) => (pair[1] === quote ? quote : pair));
}

function expandEscape(sequence: string): string {
  const code = sequence.slice(1);
  if (code === '$') return '$$';
  if (!code.startsWith('0')) return CONTROL[code] ?? sequence;
  const octal = code.slice(1);
  const value = /^[0-7]{3}$/.test(octal) ? Number.parseInt(octal, 8) : 256;
  return value < 256 ? String.fromCodePoint(value) : `\\${octal}`;
}

interface Scope {
  readonly lookup: Lookup;
  /** The entry, for errors. */
  readonly where: string;
}

/** Compose's substitution: `$$`, `$NAME`, `${NAME}` and the operators `:-` `-` `:+` `+` `:?` `?`, nested; a lone `$` stays. */
function interpolate(text: string, scope: Scope): string {
  let result = '';
  let at = 0;
  for (const reference of referencesIn(text)) {
    result += text.slice(at, reference.start).replaceAll('$$', '$') + substitute(reference, scope);
    at = reference.end;
  }
  return result + text.slice(at).replaceAll('$$', '$');
}

/** The operand is read even where it is not needed: Compose refuses a broken one all the same. */
function substitute({ name, operator, operand }: Reference, scope: Scope): string {
  if (name === undefined) throw malformed(scope);
  const other = interpolate(operand, scope);
  const value = scope.lookup(name);
  const present = value !== undefined && !(operator.startsWith(':') && value === '');
  if (operator.endsWith('+')) return present ? other : '';
  if (present || operator === '') return value ?? '';
  if (operator.endsWith('-')) return other;
  throw new ToolError('E_CONFIG', `${scope.where}: ${name} has no value, and the line demands one`, {
    hint: `Set ${name} above the line that uses it.`,
  });
}

function malformed(scope: Scope): ToolError {
  return new ToolError('E_CONFIG', `${scope.where}: a \${…} in the value is malformed`, {
    hint: 'Write $NAME, or the name in braces; a dollar sign that is meant literally is written $$ or put between single quotes.',
  });
}
