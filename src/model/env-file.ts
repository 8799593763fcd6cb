// A `.env` file that can be edited without losing anything of the person's: order, comments, quoting, line ends. Rule: pure; every edit gives a
// new file, and what Compose reads from it is what was set.
import { type EnvEntry, type EnvPart, partText, scanEnv } from './env-syntax.ts';
import { decodeValue, encodeExpression, encodeValue, referencesOf } from './env-value.ts';
import { ToolError } from './error.ts';

export interface EnvFile {
  readonly parts: readonly EnvPart[];
}

export interface EnvItem {
  readonly name: string;
  readonly value: string;
  readonly comment?: string;
  /** True when `$NAME` and `${NAME}` in the value are for Compose to fill in; by default the value is literal. */
  readonly expression?: boolean;
}

export const EMPTY_ENV: EnvFile = { parts: [] };

/** Parses the text of a `.env` file. Throws E_CONFIG with `where` and the line for what Compose refuses too. */
export function parseEnvFile(text: string, where = '.env'): EnvFile {
  return { parts: scanEnv(text, where) };
}

/** The file's text; equal to what was parsed when nothing was edited. */
export function envText(file: EnvFile): string {
  return textOf(file.parts);
}

/**
 * All values as Compose reads them: the last of several entries wins, `$NAME` stands for `outside`, the environment around the file, or
 * else for entries above it, and a name alone for `outside` only.
 */
export function envValues(file: EnvFile, outside: Readonly<Record<string, string | undefined>> = {}): Map<string, string> {
  const values = new Map<string, string>();
  const given = (name: string): string | undefined => (Object.hasOwn(outside, name) ? outside[name] : undefined);
  for (const part of file.parts) {
    if (part.kind === 'text') continue;
    const name = part.name.trimEnd();
    const value = part.kind === 'bare' ? given(name) : decodeValue(part, (other) => given(other) ?? values.get(other));
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

/** The value of one name as Compose reads it, or undefined when the file does not set it. */
export function envValue(file: EnvFile, name: string): string | undefined {
  return envValues(file).get(name);
}

/** True when the file sets this name, to whatever. */
export function hasEnv(file: EnvFile, name: string): boolean {
  return entriesOf(file).some((entry) => entry.name === name);
}

/** The names that values of the file refer to as `$NAME`. */
export function envReferences(file: EnvFile): Set<string> {
  return new Set(entriesOf(file).flatMap(referencesOf));
}

/** Where values refer to names, or take them as they are: each with its line. Names that a file sets by itself count, too. */
export function envCallers(file: EnvFile): { readonly name: string; readonly line: number }[] {
  let line = 1;
  return file.parts.flatMap((part) => {
    const at = line;
    line += partText(part).split('\n').length - 1;
    const names = part.kind === 'text' ? [] : part.kind === 'bare' ? [part.name.trimEnd()] : referencesOf(part);
    return names.map((name) => ({ name, line: at }));
  });
}

/** Sets a value in place (the entry that counts is the last of its name), or at the end when the name is new. */
export function setEnv(file: EnvFile, name: string, value: string): EnvFile {
  const index = file.parts.findLastIndex((part) => part.kind === 'entry' && part.name === name);
  const entry = file.parts[index];
  if (entry?.kind !== 'entry') return joined([...linesEnded(file), ...itemParts({ name, value }, newlineOf(file))]);
  return { parts: file.parts.with(index, { ...entry, ...encodeValue(value, entry) }) };
}

/** Adds entries at the end under a heading; each comment becomes lines above its entry. */
export function appendEnv(file: EnvFile, heading: string, items: readonly EnvItem[]): EnvFile {
  if (items.length === 0) return file;
  const newline = newlineOf(file);
  const gap = envText(file).trim() === '' ? '' : newline;
  const head: EnvPart = { kind: 'text', text: gap + commentOf(heading, newline) };
  return joined([...linesEnded(file), head, ...items.flatMap((item) => itemParts(item, newline))]);
}

/** Turns every entry of this name into a comment, under a line that says why. */
export function commentOutEnv(file: EnvFile, name: string, reason: string): EnvFile {
  return replaceEntries(file, name, (entry) => `${commentOf(reason, newlineOf(file))}# ${partText(entry).replaceAll('\n', '\n# ')}`);
}

/** Takes every entry of this name out, value and all, and leaves a comment in its place; what was noted behind it stays. */
export function removeEnv(file: EnvFile, name: string, reason: string): EnvFile {
  return replaceEntries(file, name, ({ tail }) => commentOf(reason, newlineOf(file)).trimEnd() + tail);
}

/** Gives every entry of one name another name; value, quoting and place stay. */
export function renameEnv(file: EnvFile, from: string, to: string): EnvFile {
  checkName(to);
  return { parts: file.parts.map((part) => (part.kind === 'entry' && part.name === from ? { ...part, name: to } : part)) };
}

/** Puts comments where entries of this name were, each on lines of its own. */
function replaceEntries(file: EnvFile, name: string, comment: (entry: EnvEntry) => string): EnvFile {
  const newline = newlineOf(file);
  const parts = file.parts.flatMap((part, index): EnvPart[] => {
    if (part.kind !== 'entry' || part.name !== name) return [part];
    const before = textOf(file.parts.slice(0, index));
    const after = textOf(file.parts.slice(index + 1));
    const start = before === '' || /\n[^\S\n]*$|^\ufeff?[^\S\n]*$/.test(before) ? '' : newline;
    const end = /^[^\S\n]*(?:#|\n|$)/.test(after) ? '' : newline;
    return [{ kind: 'text', text: `${start}${comment(part)}${end}` }];
  });
  return joined(parts);
}

function textOf(parts: readonly EnvPart[]): string {
  return parts.map(partText).join('');
}

function entriesOf(file: EnvFile): EnvEntry[] {
  return file.parts.filter((part) => part.kind === 'entry');
}

function itemParts(item: EnvItem, newline: string): EnvPart[] {
  checkName(item.name);
  const comment: EnvPart = { kind: 'text', text: item.comment === undefined ? '' : commentOf(item.comment, newline) };
  const written = item.expression === true ? encodeExpression(item.value) : encodeValue(item.value);
  return [
    comment,
    { kind: 'entry', lead: '', name: item.name, separator: '=', ...written, tail: '', line: 0 },
    { kind: 'text', text: newline },
  ];
}

/** The parts, with a line end after the last line. */
function linesEnded(file: EnvFile): EnvPart[] {
  const text = envText(file);
  const open = text.replace(/^\ufeff/, '') !== '' && !text.endsWith('\n');
  return open ? [...file.parts, { kind: 'text', text: newlineOf(file) }] : [...file.parts];
}

/** Neighbouring texts as one part, empty ones gone. */
function joined(parts: readonly EnvPart[]): EnvFile {
  const result: EnvPart[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (part.kind === 'text' && last?.kind === 'text') result[result.length - 1] = { kind: 'text', text: last.text + part.text };
    else if (part.kind !== 'text' || part.text !== '') result.push(part);
  }
  return { parts: result };
}

function commentOf(text: string, newline: string): string {
  const lines = text.split(/[\r\n\u2028\u2029]+/).filter((line) => line.trim() !== '');
  return lines.map((line) => `# ${line.trim()}${newline}`).join('');
}

function newlineOf(file: EnvFile): string {
  return /^[^\n]*\r\n/.test(envText(file)) ? '\r\n' : '\n';
}

function checkName(name: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return;
  throw new ToolError('E_CONFIG', `${JSON.stringify(name)} is not the name of an environment variable`, {
    hint: 'Names are letters, digits and underscores and do not begin with a digit.',
  });
}
