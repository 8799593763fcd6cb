// Answers from the command line, the environment, a file or a person, and the secrets nobody is asked for. Rule: values stay in memory until `.env` is written.
import { type Answers, collectAnswers } from '../../ask/ask.ts';
import type { AnswerSources } from '../../ask/given.ts';
import { type Derivation, deriveSecrets } from '../../model/derived-secret.ts';
import type { Variable } from '../../model/description.ts';
import { envValues, parseEnvFile } from '../../model/env-file.ts';
import { ToolError } from '../../model/error.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { World } from '../../model/seams.ts';
import { generateSecret } from '../../model/secret.ts';
import { readAnswersFile } from '../../observe/answers.ts';
import { type Context, type FlagTable, textFlag, textFlags } from '../command.ts';

export const ANSWER_FLAGS = {
  answers: { type: 'string', value: 'FILE', help: 'answers in .env syntax; FEATURES=a,b chooses features' },
  set: { type: 'string', value: 'NAME=VALUE', multiple: true, help: 'one answer' },
} as const satisfies FlagTable;

/** The sources of answers that this command line names. */
export async function answerSources(context: Context): Promise<AnswerSources> {
  const path = textFlag(context.flags, 'answers') ?? context.world.env.SLIPWAY_ANSWERS;
  const flags = new Map(textFlags(context.flags, 'set').map(splitAnswer));
  const sources = { flags, environment: context.world.env };
  return path === undefined || path === '' ? sources : { ...sources, file: parseEnvFile(await readAnswersFile(path), path) };
}

export interface AnswersWish {
  readonly manifest: Manifest;
  /** Today's values, offered as defaults. */
  readonly defaults?: ReadonlyMap<string, string>;
  /** Today's values and FEATURES, taken as given unless something else is said. */
  readonly today?: ReadonlyMap<string, string>;
}

/** All answers for a release; asks the person at the terminal for what is open, or throws E_ANSWER naming everything that is missing. */
export async function answersFor(context: Context, wish: AnswersWish): Promise<Answers> {
  const { manifest, defaults, today = new Map() } = wish;
  const sources = await answerSources(context);
  const said = await givenNames(context);
  const kept = [...today].filter(([name]) => !said.has(name));
  const { terminal } = context.world;
  const flags = new Map([...kept, ...sources.flags]);
  const input = { env: manifest.env, features: manifest.features, sources: { ...sources, flags }, terminal };
  return collectAnswers(defaults === undefined ? input : { ...input, defaults });
}

/** The names that this command line, its environment or its answers file give a value. */
export async function givenNames(context: Context): Promise<ReadonlySet<string>> {
  const { flags, file } = await answerSources(context);
  const prefix = 'SLIPWAY_SET_';
  const environment = Object.keys(context.world.env)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  return new Set([...flags.keys(), ...environment, ...(file === undefined ? [] : envValues(file).keys())]);
}

export interface SecretsToMake extends Pick<Derivation, 'variables' | 'before' | 'given' | 'origins'> {
  /** Secrets to generate. */
  readonly names: readonly string[];
  /** All values there will be but those made here. */
  readonly values: ReadonlyMap<string, string>;
}

export interface MadeSecrets {
  readonly generated: ReadonlyMap<string, string>;
  /** Made from others: new ones, and those whose origin changed. */
  readonly derived: ReadonlyMap<string, string>;
}

/** New values for the secrets that need one. */
export function makeSecrets(wish: SecretsToMake, { random, now }: World): MadeSecrets {
  const generated = new Map(
    wish.names.flatMap((name) => {
      const { secret, length } = wish.variables[name] ?? {};
      return typeof secret === 'string' ? [[name, generateSecret(secret, length, random)] as const] : [];
    }),
  );
  const after = new Map([...wish.values, ...generated]);
  return { generated, derived: deriveSecrets({ ...wish, after, random, now: now() }) };
}

/** The secrets of a release that are to be generated: they have no value yet. Those of features that are off count too: Compose reads their services all the same. */
export function openSecrets(manifest: Manifest, values: ReadonlyMap<string, string>): string[] {
  const isOpen = ([name, variable]: [string, Variable]): boolean =>
    typeof variable.secret === 'string' && variable.deprecated === undefined && (values.get(name) ?? '') === '';
  return Object.entries(manifest.env)
    .filter(isOpen)
    .map(([name]) => name);
}

function splitAnswer(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new ToolError('E_USAGE', `--set ${text.slice(0, 40)}: there is no value`, { hint: 'Write --set NAME=VALUE.' });
}
