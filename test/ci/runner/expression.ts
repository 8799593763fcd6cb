// The expressions of workflows, as far as generated files use them. Rule: stricter than a forge: what is not known is an error, where a forge would say nothing.

export type Value = string | number | boolean | null | { readonly [key: string]: Value };

export interface Contexts {
  readonly [name: string]: Value;
}

/** How the jobs or steps before went: for `always()` and its like. */
export interface Standing {
  readonly failed: boolean;
}

const TOKEN = /\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w-]*)|(\d+)|(==|!=|&&|\|\||[!().]))/y;

/** The text with every `${{ … }}` replaced by its value. */
export function interpolate(text: string, contexts: Contexts): string {
  return text.replace(/\$\{\{(.*?)\}\}/gs, (_, inner: string) => printed(evaluate(inner, contexts)));
}

/** What an `if:` says; without a word about earlier failures it wants that there were none. */
export function holds(condition: string | undefined, contexts: Contexts, standing: Standing): boolean {
  const text = (condition ?? 'success()').replace(/^\$\{\{(.*)\}\}$/s, '$1');
  const mentions = /\b(?:always|success|failure|cancelled)\(\)/.test(text);
  return (mentions || !standing.failed) && isTrue(evaluate(text, contexts, standing));
}

/** The value of one expression. Throws for anything that it does not know. */
export function evaluate(text: string, contexts: Contexts, standing: Standing = { failed: false }): Value {
  const tokens = tokensOf(text);
  let at = 0;
  const next = (): string | undefined => tokens[at];
  const take = (): string => tokens[at++] ?? '';
  const either = (): Value => {
    let left = both();
    while (next() === '||') {
      take();
      const right = both();
      left = isTrue(left) ? left : right;
    }
    return left;
  };
  const both = (): Value => {
    let left = compared();
    while (next() === '&&') {
      take();
      const right = compared();
      left = isTrue(left) ? right : left;
    }
    return left;
  };
  const compared = (): Value => {
    const left = single();
    if (next() !== '==' && next() !== '!=') return left;
    const equal = take() === '==';
    return (printed(left) === printed(single())) === equal;
  };
  const single = (): Value => {
    const token = take();
    if (token === '!') return !isTrue(single());
    if (token === '(') {
      const inner = either();
      if (take() !== ')') throw new Error(`a ) is missing in ${text}`);
      return inner;
    }
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (/^\d+$/.test(token)) return Number(token);
    if (!/^[A-Za-z_]/.test(token)) throw new Error(`unexpected ${JSON.stringify(token)} in ${text}`);
    return next() === '(' ? called(token) : looked(token);
  };
  const called = (name: string): Value => {
    const words = [take(), take()].join('');
    const known: Record<string, boolean> = { always: true, success: !standing.failed, failure: standing.failed, cancelled: false };
    const value = known[name];
    if (words !== '()' || value === undefined) throw new Error(`unknown function ${name} in ${text}`);
    return value;
  };
  const looked = (name: string): Value => {
    let value: Value | undefined = contexts[name];
    let path = name;
    if (value === undefined) throw new Error(`unknown context ${name} in ${text}`);
    while (next() === '.') {
      take();
      const key = take();
      path += `.${key}`;
      if (value === null) return skipRest();
      if (typeof value !== 'object') throw new Error(`${path} is below a plain value`);
      if (!Object.hasOwn(value, key)) throw new Error(`unknown value ${path}`);
      value = value[key] as Value;
    }
    return value;
  };
  const skipRest = (): null => {
    while (next() === '.') at += 2;
    return null;
  };
  const result = either();
  if (at !== tokens.length) throw new Error(`unexpected ${JSON.stringify(next())} in ${text}`);
  return result;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`cannot read ${JSON.stringify(text.slice(from))}`);
    tokens.push(match[0].trim());
  }
  return tokens;
}

function isTrue(value: Value): boolean {
  return value !== null && value !== false && value !== '' && value !== 0;
}

function printed(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'object') throw new Error('an object is no text');
  return String(value);
}
