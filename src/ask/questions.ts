// The wizard as data: what a person can be asked about a product, in order. Rule: no input, no output; whoever shows the questions decides how.
import { FEATURES_NAME } from '../model/answer.ts';
import type { Feature, Variable, VariableType } from '../model/description.ts';

export interface Question {
  readonly kind: 'feature' | 'variable';
  /** The feature's or the variable's name. */
  readonly key: string;
  readonly group: string;
  readonly text: string;
  readonly help?: string;
  readonly type: VariableType;
  readonly choices?: readonly string[];
  /** May hold `{{NAME}}`. */
  readonly default?: string;
  readonly required: boolean;
  /** True when what is typed must not be shown. */
  readonly hidden: boolean;
  readonly when?: string;
}

export interface QuestionInput {
  readonly env: Readonly<Record<string, Variable>>;
  readonly features: Readonly<Record<string, Feature>>;
  /** Names that have an answer already; `FEATURES` among them answers all features. */
  readonly given: ReadonlySet<string>;
}

const FEATURE_GROUP = 'Features';
const VARIABLE_GROUP = 'Settings';

/** The questions that are left: features first, for others depend on them, then variables group by group. Secrets are never asked. */
export function questionsFor({ env, features, given }: QuestionInput): Question[] {
  const choices = given.has(FEATURES_NAME) ? [] : Object.entries(features).flatMap(([key, feature]) => featureQuestion(key, feature));
  const open = Object.entries(env).filter(([name, variable]) => !given.has(name) && isAsked(variable));
  return [...choices, ...inGroups(open.map(([name, variable]) => variableQuestion(name, variable)))];
}

/** Something required without `ask` and default can only come from a person, so it is asked by its name. */
function isAsked({ secret, deprecated, ask, required, default: value }: Variable): boolean {
  return secret === undefined && deprecated === undefined && (ask !== undefined || (required === true && value === undefined));
}

function featureQuestion(key: string, { ask, default: fallback, choices }: Feature): Question[] {
  if (ask === undefined) return [];
  const question = {
    kind: 'feature',
    key,
    group: FEATURE_GROUP,
    text: ask,
    default: String(fallback),
    required: true,
    hidden: false,
  } as const;
  return [choices === undefined ? { ...question, type: 'boolean' } : { ...question, type: 'choice', choices: Object.keys(choices) }];
}

function variableQuestion(key: string, variable: Variable): Question {
  return {
    kind: 'variable',
    key,
    group: variable.group ?? VARIABLE_GROUP,
    text: variable.ask ?? key,
    type: variable.type ?? 'text',
    required: variable.required === true,
    hidden: variable.sensitive === true,
    ...(variable.help === undefined ? {} : { help: variable.help }),
    ...(variable.choices === undefined ? {} : { choices: variable.choices }),
    ...(variable.default === undefined ? {} : { default: String(variable.default) }),
    ...(variable.when === undefined ? {} : { when: variable.when }),
  };
}

/** Groups in the order of their first question. */
function inGroups(questions: readonly Question[]): Question[] {
  const groups = [...new Set(questions.map((question) => question.group))];
  return groups.flatMap((group) => questions.filter((question) => question.group === group));
}
