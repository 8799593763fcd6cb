// Answers from the command line, the environment, a file or a person, and the secrets nobody is asked for. Rule: values stay in memory until `.env` is written.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createDurably } from '../../apply/durable.ts';
import { type Answers, collectAnswers } from '../../ask/ask.ts';
import type { AnswerSources } from '../../ask/given.ts';
import { FEATURES_NAME } from '../../model/answer.ts';
import { answersText } from '../../model/answers-file.ts';
import { type Derivation, deriveSecrets } from '../../model/derived-secret.ts';
import type { Variable } from '../../model/description.ts';
import { envValues, parseEnvFile } from '../../model/env-file.ts';
import { systemCode, ToolError } from '../../model/error.ts';
import { impliedFeatures } from '../../model/external.ts';
import { chooseInstead, defaultFeatures, listOf } from '../../model/feature.ts';
import type { Manifest } from '../../model/manifest.ts';
import type { World } from '../../model/seams.ts';
import { generateSecret } from '../../model/secret.ts';
import { readAnswersFile } from '../../observe/answers.ts';
import { type Context, type FlagTable, isSet, textFlag, textFlags } from '../command.ts';
import { noticeOf } from './live-checks.ts';

export const ANSWER_FLAGS = {
  answers: { type: 'string', value: 'FILE', help: 'answers in .env syntax; FEATURES=a,b chooses features' },
  'save-answers': { type: 'string', value: 'FILE', help: 'write the answers into a new file, for --answers elsewhere' },
  'save-secrets': { type: 'boolean', help: 'with --save-answers: passwords too' },
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
  /** Today's features: what is chosen where nothing else is said. */
  readonly features?: readonly string[];
  /** Names that only other releases on the way know. */
  readonly elsewhere?: ReadonlySet<string> | undefined;
}

/** All answers for a release; asks the person at the terminal for what is open, or throws E_ANSWER naming everything that is missing. */
export async function answersFor(context: Context, wish: AnswersWish): Promise<Answers> {
  const { manifest, defaults, today = new Map(), features, elsewhere = new Set() } = wish;
  refuseExisting(context);
  const sources = await answerSources(context);
  const said = await givenValues(context);
  const isOpen = (name: string, value: string): boolean => value === '' && manifest.env[name]?.required === true;
  const kept = [...today].filter(([name, value]) => !said.has(name) && !isOpen(name, value));
  const { terminal } = context.world;
  const implied = impliedFeatures(manifest.services, said, listOf(said.get(FEATURES_NAME) ?? ''));
  const flags = withFeatures(new Map([...kept, ...sources.flags]), implied);
  const answers = await collectAnswers({
    ...{ env: manifest.env, features: manifest.features, sources: { ...sources, flags, elsewhere }, terminal },
    notice: noticeOf(manifest, defaults ?? today),
    ...(defaults === undefined ? {} : { defaults }),
    ...(features === undefined && implied.length === 0
      ? {}
      : { defaultFeatures: chooseInstead(features ?? defaultFeatures(manifest.features), implied) }),
  });
  tellDefaults(context, manifest, sources);
  await saveAnswers(context, manifest, answers);
  return answers;
}

/** An empty line of an answers file is no answer; where something else than nothing comes of that, it is said. */
function tellDefaults({ world }: Context, { env }: Manifest, { file, flags }: AnswerSources): void {
  for (const [name, value] of file === undefined ? [] : envValues(file)) {
    const { default: otherwise = '' } = env[name] ?? {};
    if (value !== '' || `${otherwise}` === '' || flags.has(name) || world.env[`SLIPWAY_SET_${name}`] !== undefined) continue;
    const hint = `Write it into the file, or give --set ${name}=…, if that is not meant.`;
    world.report({ type: 'warning', text: `${name} is empty in the answers file: its default is taken, ${otherwise}`, hint });
  }
}

/** Choices that follow from answers, in place of what was kept; where features are not decided yet they only become the default. */
function withFeatures(flags: ReadonlyMap<string, string>, implied: readonly string[]): ReadonlyMap<string, string> {
  const kept = flags.get(FEATURES_NAME);
  if (kept === undefined || implied.length === 0) return flags;
  return new Map([...flags, [FEATURES_NAME, chooseInstead(listOf(kept), implied).join(',')]]);
}

/** A person should not answer everything before being told that the file is there already. */
function refuseExisting(context: Context): void {
  const path = textFlag(context.flags, 'save-answers');
  if (path === undefined || !existsSync(path)) return;
  throw new ToolError('E_CONFLICT', `${path} exists already`, { hint: 'It is not overwritten: give --save-answers another name.' });
}

async function saveAnswers(context: Context, manifest: Manifest, { values, features, asked, given }: Answers): Promise<void> {
  const path = textFlag(context.flags, 'save-answers');
  if (path === undefined) return;
  const names = [...asked, ...given, ...(Object.keys(manifest.features).length > 0 ? [FEATURES_NAME] : [])];
  const secrets = isSet(context.flags, 'save-secrets');
  const { text, leftOut } = answersText({ title: manifest.title, env: manifest.env, values, features, names, secrets });
  const written = await createDurably(resolve(path), text, context.world.random(6).toString('hex')).catch((cause: unknown) => {
    throw new ToolError('E_USAGE', `cannot write ${path} (${systemCode(cause)})`, { cause, hint: 'Name a file in a folder that exists.' });
  });
  if (!written) refuseExisting(context);
  const left = leftOut.length === 0 ? '' : `, without ${leftOut.join(', ')} (--save-secrets writes passwords too)`;
  context.world.terminal.err(`The answers are in ${path}${left}.\n`);
}

/** The names that this command line, its environment or its answers file give a value. */
export async function givenNames(context: Context): Promise<ReadonlySet<string>> {
  return new Set((await givenValues(context)).keys());
}

/** The answers themselves that are given so. */
export async function givenValues(context: Context): Promise<ReadonlyMap<string, string>> {
  const { flags, file } = await answerSources(context);
  const prefix = 'SLIPWAY_SET_';
  const environment = Object.entries(context.world.env).flatMap(([name, value]): [string, string][] =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), value ?? '']] : [],
  );
  return new Map([...(file === undefined ? [] : envValues(file)), ...environment, ...flags]);
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
