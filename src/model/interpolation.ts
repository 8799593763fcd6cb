// `${NAME}` in a compose file, by Compose's grammar. Rule: read only; what a name is worth is decided where the product runs.

export interface Reference {
  /** Undefined when the braces hold nothing that Compose understands. */
  readonly name: string | undefined;
  /** `''`, `:-`, `-`, `:?`, `?`, `:+` or `+`. */
  readonly operator: string;
  readonly operand: string;
  readonly start: number;
  readonly end: number;
}

const BRACED = /^([_a-z][_a-z0-9]*)(?:(:?[-+?])(.*))?$/is;
const NAMED = /[_a-z][_a-z0-9]*/iy;

/** The references of a text in order, without those inside of other references; `$$` and a lone `$` are none. */
export function referencesIn(text: string): Reference[] {
  const references: Reference[] = [];
  let at = text.indexOf('$');
  while (at >= 0) {
    const reference = text[at + 1] === '{' ? bracedAt(text, at) : namedAt(text, at);
    if (reference !== undefined) references.push(reference);
    at = text.indexOf('$', reference?.end ?? at + (text[at + 1] === '$' ? 2 : 1));
  }
  return references;
}

/** Every reference of a text, those in operands too. */
export function allReferences(text: string): Reference[] {
  return referencesIn(text).flatMap((reference) => [reference, ...allReferences(reference.operand)]);
}

/** The text with each reference replaced by its value, else by its default (`:-`, `-`), else by nothing. */
export function fillReferences(text: string, lookup: (name: string) => string | undefined): string {
  let filled = '';
  let at = 0;
  for (const { name, operator, operand, start, end } of referencesIn(text)) {
    const found = name === undefined ? undefined : lookup(name);
    const value = operator.startsWith(':') && found === '' ? undefined : found;
    const fallback = operator.endsWith('-') ? fillReferences(operand, lookup) : '';
    filled += text.slice(at, start) + (value ?? fallback);
    at = end;
  }
  return (filled + text.slice(at)).replaceAll('$$', '$');
}

function namedAt(text: string, start: number): Reference | undefined {
  NAMED.lastIndex = start + 1;
  const name = NAMED.exec(text)?.[0];
  return name === undefined ? undefined : { name, operator: '', operand: '', start, end: start + 1 + name.length };
}

/** What opens and does not close on its line ends at the last brace there: Compose looks for a pair, and else takes all it can get. */
function bracedAt(text: string, start: number): Reference {
  const line = text.slice(0, text.indexOf('\n', start) < 0 ? undefined : text.indexOf('\n', start));
  const close = closingBrace(line, start + 1) ?? line.lastIndexOf('}');
  const [, name, operator = '', operand = ''] = BRACED.exec(line.slice(start + 2, Math.max(start + 2, close))) ?? [];
  return { name, operator, operand, start, end: (close > start ? close : text.length - 1) + 1 };
}

function closingBrace(text: string, open: number): number | undefined {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  return undefined;
}
