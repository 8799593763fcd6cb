// What goes into a support bundle, and what must not. Rule: a value is shown only when the product itself declares it as harmless; every text is redacted, this list of removals too.

import type { Variable } from '../model/description.ts';
import { isSecretName, makeRedactor, type Removal, type Secret } from '../model/redact.ts';

export interface SupportParts {
  /** Path in the bundle → text. */
  readonly texts: ReadonlyMap<string, string>;
  readonly secrets: readonly Secret[];
  readonly made: string;
  readonly title: string;
}

export interface SupportBundle {
  readonly files: ReadonlyMap<string, string>;
  readonly removals: readonly Removal[];
}

/** The files of the bundle, redacted, with the list of what was removed. */
export function assembleSupport({ texts, secrets, made, title }: SupportParts): SupportBundle {
  const redact = makeRedactor(secrets);
  const removals: Removal[] = [];
  const files = new Map<string, string>();
  for (const [path, text] of texts) {
    const redacted = redact(path, text);
    files.set(path, redacted.text);
    removals.push(...redacted.removals);
  }
  const list = removals.map(({ file, name, how, count }) => `${file}: ${count} × ${how === 'value' ? `the value of ${name}` : name}`);
  const readme = [
    `${title}: a look at one install, made ${made}.`,
    'Logs, versions, configuration and what was done; no data of the product.',
    'Every value that the product does not declare as harmless was removed: wherever it appeared, in every usual spelling, and beside every name that sounds like a secret.',
    '',
    list.length === 0 ? 'Nothing had to be removed.' : 'Removed:',
    ...list.map((line) => `  ${line}`),
    '',
    'Look through it before you give it away.',
  ];
  files.set('README.txt', redact('README.txt', `${readme.join('\n')}\n`).text);
  files.set('removed.json', redact('removed.json', `${JSON.stringify(removals, undefined, 2)}\n`).text);
  return { files, removals };
}

/** The secrets among settings: what the product declares as such, what sounds so, and everything that it does not declare at all. */
export function secretsOf(values: ReadonlyMap<string, string>, declared: Readonly<Record<string, Variable>>): Secret[] {
  return [...values].filter(([name, value]) => value !== '' && !isHarmless(name, declared)).map(([name, value]) => ({ name, value }));
}

/** `.env` as names, with the values that are harmless. */
export function settingsToText(values: ReadonlyMap<string, string>, declared: Readonly<Record<string, Variable>>): string {
  const lines = [...values].map(([name, value]) => {
    if (isHarmless(name, declared)) return `${name}=${value.replaceAll('\n', '\\n')}`;
    return `# ${name} ${value === '' ? 'is empty' : `is set (${value.length} characters, removed)`}`;
  });
  return `${lines.join('\n')}\n`;
}

/** Secrets that are written into a compose file itself: by keys, or as `NAME=value`. */
export function secretsInTree(tree: unknown, name = ''): Secret[] {
  if (Array.isArray(tree)) return tree.flatMap((each) => secretsInTree(each, name));
  if (typeof tree === 'object' && tree !== null) return Object.entries(tree).flatMap(([key, value]) => secretsInTree(value, key));
  const text = String(tree ?? '');
  const [, key = name, value = text] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(text) ?? [];
  return isSecretName(key) && value !== '' && !value.startsWith('$') ? [{ name: key, value }] : [];
}

/** The names in a tree, without any value: `services.api.environment.MODE`. */
export function pathsInTree(tree: unknown, path = ''): string[] {
  if (Array.isArray(tree)) return [`${path}[${tree.length}]`];
  if (typeof tree !== 'object' || tree === null) return [path];
  return Object.entries(tree).flatMap(([key, value]) => pathsInTree(value, path === '' ? key : `${path}.${key}`));
}

function isHarmless(name: string, declared: Readonly<Record<string, Variable>>): boolean {
  if (name === 'COMPOSE_PROJECT_NAME' || name === 'COMPOSE_PROFILES') return true;
  const variable = declared[name];
  return variable !== undefined && variable.secret === undefined && variable.sensitive !== true && !isSecretName(name);
}
