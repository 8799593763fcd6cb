// `{{NAME}}` in probe addresses, ports and defaults, filled on the host from the values in `.env`. Rule: an unknown name is an error, never blank.
import type { Variable } from './description.ts';
import { ToolError } from './error.ts';

const PLACEHOLDER = /\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/** The names that a text asks for, each once, in order. */
export function placeholdersIn(text: string): string[] {
  return [...new Set([...text.matchAll(PLACEHOLDER)].flatMap((match) => match[1] ?? []))];
}

/** Fills every `{{NAME}}`; `where` names the text in errors. Throws E_CONFIG for an unknown name and for a malformed `{{`. */
export function fillPlaceholders(text: string, values: ReadonlyMap<string, string>, where: string): string {
  if (text.replace(PLACEHOLDER, '').includes('{{')) {
    throw new ToolError('E_CONFIG', `${where}: malformed {{…}} in ${JSON.stringify(text)}`, {
      hint: 'Write {{NAME}} with the name of a variable.',
    });
  }
  return text.replace(PLACEHOLDER, (_whole, name: string) => {
    const value = values.get(name);
    if (value !== undefined) return value;
    throw new ToolError('E_CONFIG', `${where}: {{${name}}} is not known`, {
      hint: `Set ${name} in .env, or declare it under \`env\` in slipway.yaml.`,
    });
  });
}

/**
 * A variable's default with its placeholders filled: from `values`, else from those variables' own defaults; a declared variable without either
 * counts as empty. Undefined when it has no default. Throws E_CONFIG for an unknown name and for defaults that need each other.
 */
export function defaultValue(
  name: string,
  variables: Readonly<Record<string, Variable>>,
  values: ReadonlyMap<string, string>,
): string | undefined {
  return fillDefault(name, { variables, values, path: [] });
}

interface Search {
  readonly variables: Readonly<Record<string, Variable>>;
  readonly values: ReadonlyMap<string, string>;
  /** The variables whose defaults are being filled. */
  readonly path: readonly string[];
}

function fillDefault(name: string, { variables, values, path }: Search): string | undefined {
  const text = Object.hasOwn(variables, name) ? variables[name]?.default : undefined;
  if (text === undefined) return undefined;
  if (path.includes(name)) {
    throw new ToolError('E_CONFIG', `the defaults of ${[...path, name].join(' -> ')} need each other`, {
      hint: 'Give one of them a plain default.',
    });
  }
  const search = { variables, values, path: [...path, name] };
  const known = placeholdersIn(String(text)).filter((other) => values.has(other) || Object.hasOwn(variables, other));
  const filled = new Map(known.map((other) => [other, values.get(other) ?? fillDefault(other, search) ?? '']));
  return fillPlaceholders(String(text), filled, `the default of ${name}`);
}
