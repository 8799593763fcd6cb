// Answers that were given beforehand, gathered from their sources. Rule: flag beats environment beats file, and every problem is told at once.
import { checkAnswer, FEATURES_NAME, normaliseAnswer, SITE_NAMES } from '../model/answer.ts';
import type { Feature, Variable } from '../model/description.ts';
import { type EnvFile, envValues } from '../model/env-file.ts';
import { choosable, listOf } from '../model/feature.ts';
import { didYouMean } from '../model/near.ts';

export interface AnswerSources {
  /** `--set NAME=VALUE`. */
  readonly flags: ReadonlyMap<string, string>;
  /** The process's environment; only `SLIPWAY_SET_<NAME>` counts, for a host's own LOG_LEVEL is no answer. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `--answers FILE`. */
  readonly file?: EnvFile;
  /** Names that are meant for another release on the way: here they are no answers, unless this one has them too. */
  readonly elsewhere?: ReadonlySet<string>;
}

export interface GivenAnswers {
  readonly values: ReadonlyMap<string, string>;
  /** Undefined when nobody chose. */
  readonly features: readonly string[] | undefined;
  readonly problems: readonly string[];
}

interface Product {
  readonly env: Readonly<Record<string, Variable>>;
  readonly features: Readonly<Record<string, Feature>>;
}

const PREFIX = 'SLIPWAY_SET_';

/** The given values, normalised, with what is wrong about them: unknown names and values that do not fit. */
export function gatherGiven({ flags, environment, file, elsewhere = new Set() }: AnswerSources, { env, features }: Product): GivenAnswers {
  const given = new Map([...fromFile(file), ...fromEnvironment(environment), ...flags]);
  const chosen = given.has(FEATURES_NAME)
    ? listOf(given.get(FEATURES_NAME) ?? '').filter(
        (name) => !elsewhere.has(name.replace(/=.*/, '')) || featureProblem(name, features).length === 0,
      )
    : undefined;
  given.delete(FEATURES_NAME);
  for (const name of [...SITE_NAMES, ...elsewhere]) if (!Object.hasOwn(env, name)) given.delete(name);
  const problems = [...given].flatMap(([name, value]) => valueProblem(name, value, env));
  const known = [...given].filter(([name, value]) => Object.hasOwn(env, name) && (value !== '' || env[name]?.secret === undefined));
  return {
    values: new Map(known.map(([name, value]) => [name, normaliseAnswer(env[name] ?? {}, value)])),
    features: chosen,
    problems: [...problems, ...(chosen ?? []).flatMap((name) => featureProblem(name, features)), ...twiceChosen(chosen ?? [])],
  };
}

/** A file may be a copy of `.env.example` with empty lines left, or of an install's `.env` with Compose's own settings. No features are a choice. */
function fromFile(file: EnvFile | undefined): [string, string][] {
  const values = file === undefined ? [] : [...envValues(file)];
  return values.filter(([name, value]) => (value !== '' || name === FEATURES_NAME) && !name.startsWith('COMPOSE_'));
}

function fromEnvironment(environment: AnswerSources['environment']): [string, string][] {
  return Object.entries(environment).flatMap(([name, value]): [string, string][] =>
    name.startsWith(PREFIX) && value !== undefined ? [[name.slice(PREFIX.length), value]] : [],
  );
}

function valueProblem(name: string, value: string, env: Product['env']): string[] {
  const variable = Object.hasOwn(env, name) ? env[name] : undefined;
  if (variable === undefined) return [`${name} is not a variable of this product. ${didYouMean(name, Object.keys(env), 'Variables')}`];
  return [checkAnswer(name, variable, value)].filter((problem) => problem !== undefined);
}

function featureProblem(name: string, features: Product['features']): string[] {
  const all = Object.keys(features).flatMap((each) => choosable(features, each));
  if (all.includes(name)) return [];
  return [`${name} is not a feature of this product. ${didYouMean(name, all, 'Features')}`];
}

function twiceChosen(chosen: readonly string[]): string[] {
  const names = chosen.filter((item) => item.includes('=')).map((item) => item.replace(/=.*/, ''));
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...twice].map((name) => `${name} is chosen twice.`);
}
