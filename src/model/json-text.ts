// A value inside the text of a JSON file. Rule: what is not that value stays byte for byte, so that people's formatting survives.
import { ToolError } from './error.ts';

/** Where a string value stands in the text: its quotes included. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The string at a key path, or undefined when there is no such key. Throws E_CONFIG for what is no JSON, or no string. */
export function valueInJson(text: string, key: readonly string[], where: string): string | undefined {
  const value = key.reduce<unknown>((inner, name) => fieldOf(inner, name), parsed(text, where));
  if (value === undefined || typeof value === 'string') return value;
  throw new ToolError('E_CONFIG', `${where}: ${key.join('.')} is not text`, { hint: 'Write the version in quotes.' });
}

/** The text with another string at the key path. Throws E_CONFIG when there is no string there. */
export function withValueInJson(text: string, key: readonly string[], value: string): string {
  const span = valueInJson(text, key, 'JSON') === undefined ? undefined : spanOf(text, key);
  if (span === undefined) throw new ToolError('E_CONFIG', `there is no ${key.join('.')} in the JSON file`);
  return `${text.slice(0, span.start)}${JSON.stringify(value)}${text.slice(span.end)}`;
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new ToolError('E_CONFIG', `${where} is not valid JSON`, { cause, hint: 'Correct it; comments and trailing commas are no JSON.' });
  }
}

function fieldOf(value: unknown, name: string): unknown {
  const isMap = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return isMap ? (value as Record<string, unknown>)[name] : undefined;
}

/** Strings, brackets, colons and commas: all that valid JSON needs to be walked through. The last of equal keys counts, as in JSON.parse. */
function spanOf(text: string, key: readonly string[]): Span | undefined {
  const wanted = JSON.stringify(key);
  const path: (string | number)[] = [];
  let name: string | undefined;
  let found: Span | undefined;
  for (const token of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const [mark] = token;
    if (mark === '{' || mark === '[') path.push(mark === '[' ? 0 : '');
    else if (mark === '}' || mark === ']') path.pop();
    if (mark === '{' || mark === ',' || mark === '}' || mark === ']') name = undefined;
    if (mark === ':' && name !== undefined) path[path.length - 1] = name;
    if (!mark.startsWith('"')) continue;
    const isValue = name !== undefined;
    if (isValue && JSON.stringify(path) === wanted) found = { start: token.index, end: token.index + mark.length };
    else if (!isValue) name = JSON.parse(mark) as string;
  }
  return found;
}
