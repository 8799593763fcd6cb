// The env files of an install: `.env`, and those that variables name with `file`. Rule: a variable has one home, and is read and written only there.
import type { Variable } from './description.ts';
import { type Digest, digestOf } from './digest.ts';
import { EMPTY_ENV, type EnvFile, envText, envValues } from './env-file.ts';
import type { Content, FileToWrite } from './plan.ts';

export type Variables = Readonly<Record<string, Variable>>;

/** What Compose reads by itself; every other env file is some service's `env_file`, and sees the values of this one. */
export const MAIN_ENV = '.env';

/** Path → document, relative to the install. A file that is not there is an empty document. */
export type Settings = ReadonlyMap<string, EnvFile>;

/** The path of the env file that a variable lives in. */
export function homeOf(variable: Variable | undefined): string {
  return variable?.file ?? MAIN_ENV;
}

/** The env files of these variables, `.env` first, each once. */
export function homesOf(...all: readonly Variables[]): string[] {
  return [...new Set([MAIN_ENV, ...all.flatMap((variables) => Object.values(variables).map(homeOf)).sort()])];
}

/** The variables that live in one env file. */
export function variablesAt(variables: Variables, home: string): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([, variable]) => homeOf(variable) === home));
}

export function documentOf(settings: Settings, home: string): EnvFile {
  return settings.get(home) ?? EMPTY_ENV;
}

/** The values of all variables, each from its home, and of what else the person wrote into `.env`. */
export function settingsValues(settings: Settings, variables: Variables): Map<string, string> {
  const main = envValues(documentOf(settings, MAIN_ENV));
  const around = Object.fromEntries(main);
  const isAt = (name: string, home: string): boolean => homeOf(Object.hasOwn(variables, name) ? variables[name] : undefined) === home;
  const others = homesOf(variables).slice(1);
  return new Map([
    ...[...main].filter(([name]) => isAt(name, MAIN_ENV)),
    ...others.flatMap((home) => [...envValues(documentOf(settings, home), around)].filter(([name]) => isAt(name, home))),
  ]);
}

/** The texts of all env files, by path. */
export function settingsTexts(settings: Settings): Map<string, string> {
  return new Map([...settings].map(([path, file]) => [path, envText(file)]));
}

/** The env files as a plan writes them: nobody but their owner may read them, for secrets are in them. */
export function settingsFiles(settings: Settings): FileToWrite[] {
  return [...settingsTexts(settings)].map(([path, text]) => ({ path, content: digestOf(text), mode: 0o600 }));
}

/** Their texts, under the digests that a plan names. */
export function settingsContents(settings: Settings): [Digest, Content][] {
  return [...settingsTexts(settings).values()].map((text) => [digestOf(text), { text }]);
}

/** True when both say the same to the byte. */
export function sameSettings(one: Settings, other: Settings): boolean {
  const paths = new Set([...one.keys(), ...other.keys()]);
  return [...paths].every((path) => envText(documentOf(one, path)) === envText(documentOf(other, path)));
}
