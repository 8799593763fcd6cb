// A new `.env`, and `.env.example`, made from a product's variables: grouped, commented, every variable once. Rule: the example holds no secret
// and no answer, so that by hand Compose stops at `${NAME:?…}` with a clear text.
import type { Variable } from './description.ts';
import { appendEnv, EMPTY_ENV, type EnvFile, type EnvItem, envValue, parseEnvFile, setEnv } from './env-file.ts';
import { commentOf } from './env-merge.ts';
import { placeholdersIn } from './placeholder.ts';
import type { Variables } from './settings.ts';

export interface EnvRender {
  readonly variables: Variables;
  /** What the install's person or the secrets' source gave; variables without a value are written empty. */
  readonly values: ReadonlyMap<string, string>;
  /** Comment lines at the top. */
  readonly header: string;
}

/** What Compose itself reads from `.env`. */
export interface ComposeSettings {
  readonly project: string;
  readonly profiles: readonly string[];
  /** All profiles of the product: other ones that the file names are the person's and stay. */
  readonly known?: readonly string[];
}

/** The `.env` of a first install. Deprecated variables are left out unless they have a value. */
export function renderEnv({ variables, values, header }: EnvRender): EnvFile {
  const written = Object.entries(variables).filter(([name, { deprecated }]) => deprecated === undefined || values.has(name));
  return groupsOf(written).reduce((file, [heading, group]) => {
    const items = group.map(([name, variable]) => ({ name, value: values.get(name) ?? '', ...commentOf(variable) }));
    return appendEnv(file, heading, items);
  }, headed(header));
}

/** The `.env.example` of a bundle: defaults filled in, required values and secrets empty. Defaults made of other variables come last, for Compose to fill. */
export function renderEnvExample(variables: Variables, header = 'Copy this file to .env and fill in the empty values.'): EnvFile {
  const entries = Object.entries(variables).filter(([, { deprecated }]) => deprecated === undefined);
  const made = entries.filter(([, variable]) => isMade(variable));
  const plain = groupsOf(entries.filter(([, variable]) => !isMade(variable)));
  const groups: Group[] = made.length === 0 ? plain : [...plain, ['Made from the values above', inOrder(made)]];
  return groups.reduce((file, [heading, group]) => appendEnv(file, heading, group.map(exampleItem)), headed(header));
}

/** Sets COMPOSE_PROJECT_NAME and COMPOSE_PROFILES, at the end under a heading when they are new. */
export function setCompose(file: EnvFile, { project, profiles, known = [] }: ComposeSettings): EnvFile {
  const own = composeProfiles(file).filter((profile) => known.length > 0 && !known.includes(profile));
  const settings = [
    { name: 'COMPOSE_PROJECT_NAME', value: project },
    { name: 'COMPOSE_PROFILES', value: [...new Set([...profiles, ...own])].join(',') },
  ];
  const fresh = settings.filter(({ name }) => envValue(file, name) === undefined);
  const changed = settings.filter(({ name, value }) => ![undefined, value].includes(envValue(file, name)));
  return appendEnv(
    changed.reduce((edited, { name, value }) => setEnv(edited, name, value), file),
    'Docker Compose',
    fresh,
  );
}

/** The profiles that COMPOSE_PROFILES switches on. */
export function composeProfiles(file: EnvFile): string[] {
  const list = (envValue(file, 'COMPOSE_PROFILES') ?? '').split(',').map((profile) => profile.trim());
  return list.filter((profile) => profile !== '');
}

type Named = readonly [string, Variable];
type Group = readonly [string, readonly Named[]];

/** Groups in the order in which they first appear; variables without one are settings or secrets. */
function groupsOf(entries: readonly Named[]): Group[] {
  const groups = new Map<string, Named[]>();
  for (const entry of entries) {
    const heading = entry[1].group ?? (entry[1].secret === undefined ? 'Settings' : 'Secrets');
    groups.set(heading, [...(groups.get(heading) ?? []), entry]);
  }
  return [...groups];
}

function isMade(variable: Variable): boolean {
  return variable.secret === undefined && placeholdersIn(String(variable.default ?? '')).length > 0;
}

/** Compose fills a reference only from lines above it, so what others need comes first. */
function inOrder(made: readonly Named[]): Named[] {
  const names = new Set(made.map(([name]) => name));
  const done: Named[] = [];
  for (let rest = [...made]; rest.length > 0; ) {
    const waits = ([, variable]: Named): boolean => placeholdersIn(String(variable.default)).some((name) => names.has(name));
    const ready = rest.filter((entry) => !waits(entry));
    const next = ready.length > 0 ? ready : rest; // a circle, which `check` refuses
    for (const [name] of next) names.delete(name);
    done.push(...next);
    rest = rest.filter((entry) => !next.includes(entry));
  }
  return done;
}

function exampleItem([name, variable]: Named): EnvItem {
  if (!isMade(variable)) {
    const value = variable.secret === undefined ? String(variable.default ?? '') : '';
    return { name, value, ...commentOf(variable) };
  }
  const value = String(variable.default)
    .replaceAll('$', '$$$$')
    .replace(/\{\{\s*(\w+)\s*\}\}/g, '$${$1}');
  return { name, value, expression: true, ...commentOf(variable) };
}

function headed(header: string): EnvFile {
  return header.trim() === '' ? EMPTY_ENV : parseEnvFile(`${header.trim().replace(/^(?:# ?)?/gm, '# ')}\n`);
}
