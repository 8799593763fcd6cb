// Answers as a file that `--answers` takes again. Rule: what a person gave, nothing that was generated; what must stay hidden only when they say so.

import { FEATURES_NAME } from './answer.ts';
import type { Variable } from './description.ts';
import { appendEnv, EMPTY_ENV, envText } from './env-file.ts';

export interface AnswersToSave {
  readonly title: string;
  readonly env: Readonly<Record<string, Variable>>;
  readonly values: ReadonlyMap<string, string>;
  readonly features: readonly string[];
  /** The names that were given or asked. */
  readonly names: readonly string[];
  /** Passwords and other hidden values too. */
  readonly secrets: boolean;
}

/** The file's text, and the names that were left out because they must stay hidden. */
export function answersText({ title, env, values, features, names, secrets }: AnswersToSave): { text: string; leftOut: string[] } {
  const isHidden = (name: string): boolean => env[name]?.secret !== undefined || env[name]?.sensitive === true;
  const given = Object.keys(env).filter((name) => names.includes(name) && (values.get(name) ?? '') !== '');
  const written = given.filter((name) => secrets || !isHidden(name));
  const items = [{ name: FEATURES_NAME, value: features.join(',') }, ...written.map((name) => ({ name, value: values.get(name) ?? '' }))];
  const choosing = features.length > 0 || names.includes(FEATURES_NAME);
  const file = appendEnv(EMPTY_ENV, `Answers for ${title}`, choosing ? items : items.slice(1));
  return { text: envText(file), leftOut: given.filter((name) => !written.includes(name)) };
}
