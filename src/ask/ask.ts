// Where answers come from: flag > environment > file > person > default. Rule: everything that is wrong or missing is one error, and nothing is
// asked without a terminal.
import { checkAnswer, FEATURES_NAME } from '../model/answer.ts';
import { ToolError } from '../model/error.ts';
import { completeFeatures, defaultFeatures, isActive } from '../model/feature.ts';
import { defaultValue } from '../model/placeholder.ts';
import { gatherGiven } from './given.ts';
import type { AskInput } from './sheet.ts';
import { runWizard } from './wizard.ts';

export interface Answers {
  /** Every variable that has a value: given, asked or by default. Secrets only when they were given. */
  readonly values: ReadonlyMap<string, string>;
  /** In the product's order. */
  readonly features: readonly string[];
  /** The names that a person was asked about, in order. */
  readonly asked: readonly string[];
  /** The names that were given beforehand; FEATURES among them when features were. */
  readonly given: readonly string[];
}

/** Collects all answers. Throws E_ANSWER, once, for everything that is unknown, does not fit, or is missing where nobody can be asked. */
export async function collectAnswers(input: AskInput): Promise<Answers> {
  const given = gatherGiven(input.sources, input);
  const chosen = given.features ?? input.defaultFeatures ?? defaultFeatures(input.features);
  const start = { values: given.values, ...completeFeatures(input.features, chosen, input.defaultFeatures) };
  for (const { name, neededBy } of start.added) input.terminal.err(`${neededBy} needs ${name}, so ${name} is switched on too\n`);
  const names = new Set([...given.values.keys(), ...(given.features === undefined ? [] : [FEATURES_NAME])]);
  const ask = input.terminal.interactive && given.problems.length === 0;
  const fallback = (name: string, values: ReadonlyMap<string, string>): string | undefined => fallbackOf(name, input, values);
  const { values, features, asked } = ask
    ? await runWizard({ input, start, given: names, fallbackOf: fallback })
    : { ...start, asked: [] as readonly string[] };
  const complete = withDefaults(input, values);
  const later = input.terminal.interactive && !ask; // what is missing will be asked when the rest is right
  refuse({
    problems: [...given.problems, ...misfits(input.env, values, complete)],
    missing: later ? [] : missingNames(input.env, complete, features),
    env: input.env,
  });
  return { values: complete, features, asked, given: [...names] };
}

/** Today's value, unless it is what the default made of today's answers: then the default follows the new ones. */
function fallbackOf(name: string, { env, defaults = new Map() }: AskInput, values: ReadonlyMap<string, string>): string | undefined {
  const today = defaults.get(name);
  if (today !== undefined && today !== defaultValue(name, env, defaults)) return today;
  return defaultValue(name, env, new Map([...defaults, ...values]));
}

function withDefaults(input: AskInput, values: ReadonlyMap<string, string>): Map<string, string> {
  const complete = new Map<string, string>();
  for (const [name, variable] of Object.entries(input.env)) {
    const fallback = variable.secret === undefined && variable.deprecated === undefined ? fallbackOf(name, input, values) : undefined;
    const value = values.get(name) ?? fallback;
    if (value !== undefined) complete.set(name, value);
  }
  return complete;
}

/** Defaults are checked like answers: one made of other answers may fit no longer. */
function misfits(env: AskInput['env'], values: ReadonlyMap<string, string>, complete: ReadonlyMap<string, string>): string[] {
  const defaulted = [...complete].filter(([name, value]) => !values.has(name) && value !== '');
  return defaulted.flatMap(([name, value]) => checkAnswer(name, env[name] ?? {}, value) ?? []);
}

function missingNames(env: AskInput['env'], values: ReadonlyMap<string, string>, features: readonly string[]): string[] {
  return Object.entries(env).flatMap(([name, { required, secret, deprecated, when }]) => {
    const needed = required === true && secret === undefined && deprecated === undefined && isActive(when, features);
    return needed && (values.get(name) ?? '') === '' ? [name] : [];
  });
}

interface Refusal {
  readonly problems: readonly string[];
  readonly missing: readonly string[];
  readonly env: AskInput['env'];
}

function refuse({ problems, missing, env }: Refusal): void {
  const open = missing.filter((name) => !problems.some((problem) => problem.startsWith(`${name} `)));
  if (problems.length === 0 && open.length === 0) return;
  const lines = [...problems, ...open.map((name) => `${name} has no answer${env[name]?.ask === undefined ? '' : ` (${env[name]?.ask})`}`)];
  const message =
    lines.length === 1 ? (lines[0] ?? '') : `${lines.length} answers are wrong or missing:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  const hint = open.length === 0 ? 'Correct what was given with --set, SLIPWAY_SET_<NAME> or --answers FILE.' : waysToGive(open, env);
  throw new ToolError('E_ANSWER', message, { hint, details: { problems, missing: open } });
}

/** What must not be shown is not offered as an argument either: other users of the host can read those. */
function waysToGive(missing: readonly string[], env: AskInput['env']): string {
  const ways = missing.map((name) =>
    env[name]?.sensitive === true ? `SLIPWAY_SET_${name} in the environment` : `--set ${name}=VALUE or SLIPWAY_SET_${name}`,
  );
  return `Give ${ways.join('; ')}; or put all of them as NAME=VALUE lines into a file for --answers FILE.`;
}
