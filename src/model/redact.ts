// Takes secrets out of texts that leave a machine. Rule: by value in every spelling, by name, and by shape; what was removed is told, never what it was.

export interface Secret {
  /** The variable or key that it belongs to. */
  readonly name: string;
  readonly value: string;
}

export interface Removal {
  readonly file: string;
  /** The secret's name, or what gave it away. */
  readonly name: string;
  readonly how: 'value' | 'name' | 'shape';
  readonly count: number;
}

export interface Redacted {
  readonly text: string;
  readonly removals: readonly Removal[];
}

/** Gives what redacts the text of one file. */
export type Redactor = (file: string, text: string) => Redacted;

/** Shorter values are removed only beside their name: anywhere else they would be parts of words. */
export const SHORTEST_VALUE = 4;

const WORD =
  '(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|(?:private|access|signing|encryption|master)[_-]?key|credential|cookie|session[_-]?id|dsn|salt|authorization)';
const NAME = `[A-Za-z0-9_.-]{0,60}${WORD}[A-Za-z0-9_.-]{0,60}`;
const SECRET_NAME = new RegExp(WORD, 'i');

/** True when a name says that its value is a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A redactor that knows these secrets. */
export function makeRedactor(secrets: readonly Secret[]): Redactor {
  const spellings = secrets
    .flatMap(({ name, value }) => spellingsOf(value).map((spelling) => ({ name, spelling })))
    .sort((a, b) => b.spelling.length - a.spelling.length);
  return (file, text) => {
    const removals: Removal[] = [];
    let left = text;
    for (const { name, spelling } of spellings) {
      const parts = left.split(spelling);
      if (parts.length === 1) continue;
      left = parts.join(`[removed: ${name}]`);
      removals.push({ file, name, how: 'value', count: parts.length - 1 });
    }
    for (const [name, how, pattern, kept] of PATTERNS) {
      let count = 0;
      left = left.replace(pattern, (all, ...groups: unknown[]) => {
        const replaced = kept(groups.map(String));
        if (replaced === all) return all;
        count += 1;
        return replaced;
      });
      if (count > 0) removals.push({ file, name, how, count });
    }
    return { text: left, removals: addedUp(removals) };
  };
}

const GONE = '[removed]';
type Pattern = readonly [name: string, how: 'name' | 'shape', pattern: RegExp, kept: (groups: readonly string[]) => string];

const PATTERNS: readonly Pattern[] = [
  ['a private key', 'shape', /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g, () => GONE],
  [
    'a login in an address',
    'shape',
    /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@"']{0,200}):([^\s/@"']{1,500})@/gi,
    ([before, value]) => (value?.startsWith('[removed') === true ? `${before}:${value}@` : `${before}:${GONE}@`),
  ],
  ['an Authorization header', 'shape', /\b(Bearer|Basic)(\s+)[A-Za-z0-9+/=_.~-]{8,}/gi, ([scheme, space]) => `${scheme}${space}${GONE}`],
  ['a signed token', 'shape', /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, () => GONE],
  [
    'a line with such a name',
    'name',
    new RegExp(`^(\\s*(?:export\\s+|-\\s+)?["']?${NAME}["']?\\s*[=:])([^\\S\\n]*)(\\S[^\\n]*)$`, 'gim'),
    keepUnset,
  ],
  [
    'a field with such a name',
    'name',
    new RegExp(`(["']?\\b${NAME}["']?\\s{0,3}[:=])(\\s{0,3})("(?:[^"\\\\\\n]|\\\\.)*"|'[^'\\n]*'|[^\\s,;&"')}\\]]+)`, 'gi'),
    keepUnset,
  ],
];

/** A placeholder, the beginning of a list or map, and what was removed before, are no secrets. */
function keepUnset([before = '', space = '', value = '']: readonly string[]): string {
  const bare = value.replace(/^["']/, '');
  const isHarmless = /^(\$|[[{]\s*$|[[{]["\s]|\[removed|null\b|true\b|false\b|["',]*$)/.test(bare);
  return isHarmless ? `${before}${space}${value}` : `${before}${space}${GONE}`;
}

/** The value as it may appear in JSON, an address, a compose file or encoded; of a long text each line, for logs break them apart. */
function spellingsOf(value: string): string[] {
  const lines = value.includes('\n')
    ? value
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.length >= 8)
    : [];
  const spelled = [value, value.trim(), ...lines].flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    safely(() => encodeURIComponent(text)),
    safely(() => encodeURIComponent(text).toLowerCase()),
    safely(() => encodeURIComponent(text).replaceAll('%20', '+')),
    text.replaceAll('$', '$$$$'),
    text.replaceAll("'", "'\\''"),
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
    Buffer.from(text).toString('base64').replace(/=+$/, ''),
    Buffer.from(text).toString('base64url'),
    Buffer.from(text).toString('hex'),
  ]);
  return [...new Set(spelled)].filter((spelling) => spelling.length >= SHORTEST_VALUE);
}

/** Half a character of two cannot be encoded. */
function safely(encode: () => string): string {
  try {
    return encode();
  } catch {
    return '';
  }
}

function addedUp(removals: readonly Removal[]): Removal[] {
  const sums = new Map<string, Removal>();
  for (const each of removals) {
    const key = `${each.how} ${each.name}`;
    sums.set(key, { ...each, count: each.count + (sums.get(key)?.count ?? 0) });
  }
  return [...sums.values()];
}
