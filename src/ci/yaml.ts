// Data as YAML text that people like to read. Rule: block style, and a scalar is plain only where YAML reads it back as the same text.

export type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml };

/** A key that begins so stands for lines of comment, which its value holds, in a map or as the only key of a list's item. */
export const COMMENT = '#';

/** A key that begins so is written as it is, with its value. */
export const AS_WRITTEN = 'uses';

const PLAIN = /^(?!\.\d)[A-Za-z_./$][\w ./@$(){}|=!&'*+,-]*$/;
const OTHER_TYPE = /^(?:true|false|yes|no|on|off|null|~|y|n|\.inf|\.nan)$/i;

/** The lines of a value below this indentation. */
export function yamlLines(value: Yaml, indent = ''): string[] {
  if (isList(value)) return value.flatMap((item) => itemLines(item, indent));
  if (typeof value === 'object') return Object.entries(value).flatMap(([key, inner]) => entryLines(key, inner, indent));
  return [`${indent}${scalar(value)}`];
}

function itemLines(item: Yaml, indent: string): string[] {
  if (typeof item !== 'object' || isList(item)) return [`${indent}- ${scalar(item as string)}`];
  const [only] = Object.keys(item);
  if (only?.startsWith(COMMENT)) return yamlLines(item, indent);
  const [first = '', ...rest] = yamlLines(item, `${indent}  `);
  return [`${indent}- ${first.slice(indent.length + 2)}`, ...rest];
}

function entryLines(key: string, value: Yaml, indent: string): string[] {
  if (key.startsWith(COMMENT))
    return String(value)
      .split('\n')
      .map((line) => (line === '' ? '' : `${indent}# ${line}`));
  const name = PLAIN.test(key) && (key === 'on' || !OTHER_TYPE.test(key)) ? key : JSON.stringify(key);
  if (key === AS_WRITTEN) return [`${indent}${name}: ${String(value)}`];
  if (typeof value === 'string' && (value.includes('\n') || (key === 'run' && !isPlain(value)))) {
    return [
      `${indent}${name}: |`,
      ...value
        .trimEnd()
        .split('\n')
        .map((line) => (line === '' ? '' : `${indent}  ${line}`)),
    ];
  }
  if (typeof value !== 'object') return [`${indent}${name}: ${scalar(value)}`];
  if (isList(value) && value.every((item) => typeof item !== 'object')) return [`${indent}${name}: [${value.map(flowScalar).join(', ')}]`];
  if (Object.keys(value).length === 0) return [`${indent}${name}: {}`];
  return [`${indent}${name}:`, ...yamlLines(value, `${indent}  `)];
}

function scalar(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  return isPlain(value) ? value : JSON.stringify(value);
}

function isPlain(value: string): boolean {
  return PLAIN.test(value) && !OTHER_TYPE.test(value) && !value.endsWith(' ');
}

function flowScalar(value: Yaml): string {
  return typeof value === 'string' && !/^[A-Za-z_][\w./-]*$/.test(value) ? JSON.stringify(value) : scalar(value as string);
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value);
}
