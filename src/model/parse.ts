// Small parsers with a path, for everything that comes from outside. Rule: every refusal names the place: `bundle.json: files[2].mode: …`.
import { ToolError } from './error.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Parses JSON text; `where` names the file in the error. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ToolError('E_FORMAT', `${where}: not valid JSON`, { cause, hint: 'The file may be damaged or cut short; fetch it again.' });
  }
}

export function parseFields(value: unknown, where: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw refusal(where, 'an object');
}

export function parseText(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  throw refusal(where, 'text');
}

export function parseNumber(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw refusal(where, 'a number');
}

/** A whole number of zero or more. */
export function parseCount(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw refusal(where, 'a whole number of zero or more');
}

export function parseFlag(value: unknown, where: string): boolean {
  if (typeof value === 'boolean') return value;
  throw refusal(where, 'true or false');
}

export function parseList<T>(value: unknown, where: string, item: (value: unknown, where: string) => T): T[] {
  if (!Array.isArray(value)) throw refusal(where, 'a list');
  return value.map((entry, index) => item(entry, `${where}[${index}]`));
}

export function parseMap<T>(value: unknown, where: string, item: (value: unknown, where: string) => T): Record<string, T> {
  const fields = parseFields(value, where);
  return Object.fromEntries(Object.entries(fields).map(([key, entry]) => [key, item(entry, `${where}.${key}`)]));
}

/** `undefined` and `null` give undefined; anything else goes to `item`. */
export function parseOptional<T>(value: unknown, where: string, item: (value: unknown, where: string) => T): T | undefined {
  return value === undefined || value === null ? undefined : item(value, where);
}

/** A moment in RFC 3339, UTC, to the second. */
export function parseMoment(value: unknown, where: string): string {
  const text = parseText(value, where);
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw refusal(where, 'a time such as 2026-03-15T10:00:00Z');
}

/** A relative path with forward slashes that stays inside its root: no empty, `.` or `..` part, no backslash, no control characters. */
export function parseRelativePath(value: unknown, where: string): string {
  const path = parseText(value, where);
  const parts = path.replace(/\/$/, '').split('/');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is refused here
  const bad = /[\u0000-\u001f\u007f\\]/.test(path) || parts.some((part) => part === '' || part === '.' || part === '..');
  if (bad) throw new ToolError('E_FORMAT', `${where}: ${JSON.stringify(path)} is not a path inside the folder`);
  return path;
}

/** Refuses a file whose `type` is not the one asked for: an unknown type is a newer tool's, another known one is a mix-up. */
export function parseType(fields: Fields, type: string, where: string): void {
  if (fields.type === type) return;
  const found = typeof fields.type === 'string' ? JSON.stringify(fields.type) : 'no type';
  throw new ToolError('E_WRONG_TYPE', `${where}: expected ${type}, found ${found}`, {
    hint: 'If this file was written by a newer version, upgrade this tool.',
  });
}

/** The moment in the form our files use: UTC, RFC 3339, seconds. */
export function momentOf(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

function refusal(where: string, expected: string): ToolError {
  return new ToolError('E_FORMAT', `${where}: expected ${expected}`);
}
