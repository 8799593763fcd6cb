// All env files of an install carried over to a release's variables. Rule: a variable that moved takes its value along, and each file is merged by itself.
import { appendEnv, envReferences, envValues, hasEnv, removeEnv } from './env-file.ts';
import { commentOf, type EnvChange, type EnvMerge, mergeEnv, type Surroundings } from './env-merge.ts';
import { renderEnv } from './env-render.ts';
import { documentOf, homeOf, homesOf, MAIN_ENV, type Settings, type Variables, variablesAt } from './settings.ts';

export interface SettingsMerge extends Omit<EnvMerge, 'current' | 'around'> {
  readonly current: Settings;
}

export interface MergedSettings {
  readonly settings: Settings;
  readonly changes: readonly EnvChange[];
  /** Required variables without a value, and secrets that should be there and are not; the merged files lack them. */
  readonly missing: readonly string[];
}

/** Merges the person's env files with a release's variables: `.env` first, for the others may use its values. */
export function mergeSettings(input: SettingsMerge): MergedSettings {
  const moved = moveHomes(input);
  const before = declaredValues(moved.current, moved.oldVariables);
  const start: MergedSettings = { settings: moved.current, changes: [], missing: [] };
  return homesOf(moved.oldVariables, moved.newVariables).reduce((so, home) => {
    const { file, changes, missing } = mergeEnv({
      ...moved,
      current: documentOf(so.settings, home),
      oldVariables: variablesAt(moved.oldVariables, home),
      newVariables: variablesAt(moved.newVariables, home),
      around: surroundingsOf(home, { settings: so.settings, before, variables: moved.newVariables }),
    });
    const settings = new Map([...so.settings, [home, file] as const]);
    return { settings, changes: [...so.changes, ...changes], missing: [...so.missing, ...missing] };
  }, start);
}

export interface FirstSettings {
  /** The env files that lie there already, from an earlier install. */
  readonly found: Settings;
  readonly variables: Variables;
  readonly answers: ReadonlyMap<string, string>;
  readonly generated: ReadonlyMap<string, string>;
  readonly features: readonly string[];
  readonly version: string;
  readonly title: string;
}

/** The env files of a first install: new ones, and what lies there kept, for data was made with its secrets. */
export function firstSettings({ found, variables, title, ...given }: FirstSettings): Settings {
  const header = `Settings of ${title}. Yours to edit; upgrades keep what you write here.`;
  const values = new Map([...given.answers, ...given.generated]);
  const fresh = homesOf(variables)
    .filter((home) => !found.has(home))
    .map((home) => [home, renderEnv({ variables: variablesAt(variables, home), values, header })] as const);
  const merged = mergeSettings({ ...given, current: found, oldVariables: {}, newVariables: variables });
  return new Map([...merged.settings, ...fresh]);
}

/** A line moves with its value as Compose read it, unless others in its old file refer to it: then it stays there, too. */
function moveHomes(input: SettingsMerge): SettingsMerge {
  const { newVariables, version } = input;
  let { current, oldVariables } = input;
  for (const [name, variable] of Object.entries(newVariables)) {
    const former = [name, variable.renamedFrom ?? name].find((each) => Object.hasOwn(oldVariables, each));
    const [from, to] = [homeOf(former === undefined ? undefined : oldVariables[former]), homeOf(variable)];
    if (former === undefined || from === to) continue;
    current = moveLine(current, { name: former, from, to, version, comment: commentOf(variable) });
    const { file: _, ...known } = oldVariables[former] ?? {};
    oldVariables = { ...oldVariables, [former]: to === MAIN_ENV ? known : { ...known, file: to } };
  }
  return { ...input, current, oldVariables };
}

interface Move {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly version: string;
  /** What stands above the line. */
  readonly comment: ReturnType<typeof commentOf>;
}

function moveLine(settings: Settings, { name, from, to, version, comment }: Move): Settings {
  const [source, target] = [documentOf(settings, from), documentOf(settings, to)];
  if (!hasEnv(source, name)) return settings;
  const around = from === MAIN_ENV ? {} : Object.fromEntries(envValues(documentOf(settings, MAIN_ENV)));
  const value = envValues(source, around).get(name) ?? '';
  const arrived = hasEnv(target, name) ? target : appendEnv(target, `Added in ${version}`, [{ name, value, ...comment }]);
  const left = envReferences(source).has(name) ? source : removeEnv(source, name, `${name} moved to ${to} in ${version}`);
  return new Map([...settings, [from, left] as const, [to, arrived] as const]);
}

/** `.env` is used by all others and uses none; what it declares without a value is empty for them. */
function surroundingsOf(
  home: string,
  { settings, before, variables }: { readonly settings: Settings; readonly before: Record<string, string>; readonly variables: Variables },
): Surroundings {
  const others = [...settings].filter(([path]) => path !== home).flatMap(([, file]) => [...envReferences(file)]);
  if (home !== MAIN_ENV) return { before, after: declaredValues(settings, variables), references: new Set() };
  return { before: {}, after: {}, references: new Set(others) };
}

function declaredValues(settings: Settings, variables: Variables): Record<string, string> {
  const declared = Object.keys(variablesAt(variables, MAIN_ENV)).map((name) => [name, ''] as const);
  return Object.fromEntries([...declared, ...envValues(documentOf(settings, MAIN_ENV))]);
}
