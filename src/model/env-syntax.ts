// The grammar of a `.env` file as Docker Compose reads it (compose-go, package dotenv), as parts that join back to the very same text.
// Rule: nothing is lost and nothing is understood here beyond where a name and its value begin and end.
import { ToolError } from './error.ts';

/** How a value is written: plain, '…' (literal, may span lines) or "…" (escapes and `$`, may span lines). */
export type Quote = '' | "'" | '"';

export type EnvPart =
  /** Blank lines, comments, a byte order mark. */
  | { readonly kind: 'text'; readonly text: string }
  /** A name alone, which Compose takes from its environment. */
  | { readonly kind: 'bare'; readonly lead: string; readonly name: string }
  | EnvEntry;

/** `lead name separator quote raw quote tail`: `lead` is `export ` or empty, `tail` an inline comment and white space of a plain value. */
export interface EnvEntry {
  readonly kind: 'entry';
  readonly lead: string;
  readonly name: string;
  readonly separator: string;
  readonly quote: Quote;
  readonly raw: string;
  readonly tail: string;
  /** The line it begins on, from 1; 0 for an entry that was never in a file. */
  readonly line: number;
}

const BLANK = '\\t\\v\\f\\r \\u0085\\u00a0'; // white space inside a line
const SPACE = `${BLANK}\\n\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000`;
const TRIVIA = new RegExp(`(?:[${SPACE}]+|#[^\\n]*)*`, 'y');
const EXPORT = new RegExp(`export[\\t\\n\\f\\r ][${BLANK}]*`, 'y');
const KEY = /[^=:\n]*/y;
const NAME = new RegExp(`^[\\p{L}\\p{N}_.\\-\\[\\]${BLANK}]*$`, 'u');
const SEPARATOR = new RegExp(`[=:][${BLANK}]*`, 'y');
const PLAIN = /[^\n]*/y;
const TRAILING = new RegExp(`[${SPACE}]*$`);
const QUOTED = { "'": /'([^'\\]*(?:\\.[^'\\]*)*)'/sy, '"': /"([^"\\]*(?:\\.[^"\\]*)*)"/sy };

/** Cuts a `.env` text into parts. `where` names the file in errors (E_CONFIG, with the line); what Compose refuses is refused here. */
export function scanEnv(text: string, where: string): EnvPart[] {
  const parts: EnvPart[] = [];
  let at = 0;
  let line = 1;
  const take = (part: EnvPart): void => {
    const taken = partText(part);
    if (taken !== '') parts.push(part);
    at += taken.length;
    line += taken.split('\n').length - 1;
  };
  const mark = text.startsWith('\ufeff') ? 1 : 0;
  take({ kind: 'text', text: text.slice(0, mark) + (matchAt(TRIVIA, text, mark)?.[0] ?? '') });
  while (at < text.length) {
    take(scanStatement(text, at, { where, line }));
    take({ kind: 'text', text: matchAt(TRIVIA, text, at)?.[0] ?? '' });
  }
  return parts;
}

/** The text of one part, exactly as it was. */
export function partText(part: EnvPart): string {
  if (part.kind === 'text') return part.text;
  if (part.kind === 'bare') return part.lead + part.name;
  return part.lead + part.name + part.separator + part.quote + part.raw + part.quote + part.tail;
}

/** True for nothing but white space, as Compose sees it. */
export function isBlank(text: string): boolean {
  return text.replace(TRAILING, '') === '';
}

interface Place {
  readonly where: string;
  readonly line: number;
}

function scanStatement(text: string, start: number, place: Place): EnvPart {
  const lead = matchAt(EXPORT, text, start)?.[0] ?? '';
  const key = matchAt(KEY, text, start + lead.length)?.[0] ?? '';
  const name = key.replace(TRAILING, '');
  if (!NAME.test(key) || name.includes(' ')) throw refusal(place, 'this is not NAME=value', 'Write NAME=value'); // not quoted: it may be a piece of a secret
  const end = start + lead.length + key.length;
  const separator = matchAt(SEPARATOR, text, end)?.[0];
  if (separator === undefined && end < text.length) return { kind: 'bare', lead, name: key };
  // Some Composes refuse these two, others read a variable whose name is empty.
  if (separator === undefined) throw refusal(place, 'a name alone at the very end', 'Write NAME= for an empty value');
  if (name === '') throw refusal(place, 'a value without a name', 'Write NAME=value');
  const gap = key.slice(name.length) + separator;
  const entry: EnvEntry = { kind: 'entry', lead, name, separator: gap, quote: '', raw: '', tail: '', line: place.line };
  return scanValue(text, end + separator.length, { entry, where: place.where });
}

/** Composes before 2.27 refuse a NUL in `.env`, and no container can be given one. */
function scanValue(text: string, at: number, context: { readonly entry: EnvEntry; readonly where: string }): EnvEntry {
  const entry = cutValue(text, at, context);
  if (!entry.raw.includes('\0')) return entry;
  const place = { where: context.where, line: entry.line };
  throw refusal(place, `the value of ${entry.name} holds a NUL character`, 'Take the NUL character out');
}

function cutValue(text: string, at: number, { entry, where }: { readonly entry: EnvEntry; readonly where: string }): EnvEntry {
  const quote = text[at];
  if (quote === "'" || quote === '"') {
    const raw = matchAt(QUOTED[quote], text, at)?.[1];
    if (raw === undefined) throw unclosed(entry, where, quote);
    return { ...entry, quote, raw };
  }
  const line = matchAt(PLAIN, text, at)?.[0] ?? '';
  const comment = line.indexOf(' #');
  const raw = (comment < 0 ? line : line.slice(0, comment)).replace(TRAILING, '');
  return raw === '' ? withoutValue(entry, line) : { ...entry, raw, tail: line.slice(raw.length) };
}

/** White space after the separator belongs behind a value that is yet to come: the `\r` of a CRLF line most of all. */
function withoutValue(entry: EnvEntry, rest: string): EnvEntry {
  const end = entry.separator.search(/[=:]/) + 1;
  return { ...entry, separator: entry.separator.slice(0, end), tail: entry.separator.slice(end) + rest };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function unclosed({ name, line }: EnvEntry, where: string, quote: string): ToolError {
  return refusal(
    { where, line },
    `the value of ${name} has no closing ${quote}`,
    `Add the closing ${quote}, or put a literal one into the other quotes`,
  );
}

function refusal({ where, line }: Place, problem: string, fix: string): ToolError {
  return new ToolError('E_CONFIG', `${where}:${line}: ${problem}`, {
    hint: `${fix}, or begin line ${line} of ${where} with # to leave it out.`,
  });
}
