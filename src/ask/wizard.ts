// The wizard: question after question, back and forth, then a review of everything. Rule: nothing leaves it before the person has seen all answers.
import type { Variable } from '../model/description.ts';
import { choiceOf, completeFeatures, isActive, neededBy } from '../model/feature.ts';
import { placeholdersIn } from '../model/placeholder.ts';
import { askPerson, printable } from './prompt.ts';
import { type Question, questionsFor } from './questions.ts';
import { askReview } from './review.ts';
import type { AskInput, Sheet } from './sheet.ts';

export interface WizardInput {
  readonly input: AskInput;
  /** What was given beforehand: it is not asked. */
  readonly start: Pick<Sheet, 'values' | 'features'>;
  /** The names that were given. */
  readonly given: ReadonlySet<string>;
  /** What Enter means for a variable, seen these values. */
  readonly fallbackOf: (name: string, values: ReadonlyMap<string, string>) => string | undefined;
}

const INTRODUCTION =
  'Enter takes the value in brackets, ? explains, < goes back, Ctrl-C leaves.\nNothing is changed before you have seen it all.\n';

/** Asks everything that is open. Throws E_INTERRUPTED when the person leaves. */
export async function runWizard(wizard: WizardInput): Promise<Sheet> {
  const { input, start, given } = wizard;
  const questions = questionsFor({ env: input.env, features: input.features, given });
  let sheet: Sheet = { ...start, asked: [], notices: new Map() };
  let group = '';
  for (;;) {
    const question = questions.find(({ key, when }) => !sheet.asked.includes(key) && isActive(when, sheet.features));
    if (question === undefined) {
      const again = sheet.asked.length === 0 ? [] : await review(wizard, sheet);
      if (again.length === 0) return withoutInactive(sheet, input, given);
      sheet = { ...sheet, asked: sheet.asked.filter((key) => !again.includes(key)) };
      group = '';
    } else {
      if (group === '' && sheet.asked.length === 0) input.terminal.err(`\n${INTRODUCTION}`);
      if (question.group !== group) input.terminal.err(`\n${printable(question.group)}\n`);
      group = question.group;
      sheet = await answer(wizard, sheet, question);
    }
  }
}

/** The keys that are to be answered again; none when the person agrees. */
function review({ input, given }: WizardInput, sheet: Sheet): Promise<string[]> {
  const all = questionsFor({ env: input.env, features: input.features, given: new Set() });
  const questions = all.filter(({ when }) => isActive(when, sheet.features));
  return askReview({ questions, sheet, given, terminal: input.terminal });
}

async function answer(wizard: WizardInput, sheet: Sheet, question: Question): Promise<Sheet> {
  const { input } = wizard;
  const value = await askPerson({ ...promptOf(wizard, sheet, question), terminal: input.terminal });
  if (value === undefined) {
    if (sheet.asked.length === 0) input.terminal.err('  This is the first question.\n');
    return { ...sheet, asked: sheet.asked.slice(0, -1) };
  }
  return question.kind === 'feature' ? chooseFeature(input, sheet, { question, value }) : noteValue(wizard, sheet, { question, value });
}

function promptOf(
  { input, fallbackOf }: WizardInput,
  sheet: Sheet,
  question: Question,
): { question: Question; variable: Variable; fallback: string | undefined } {
  const { key, kind, choices } = question;
  if (kind === 'variable')
    return { question, variable: input.env[key] ?? {}, fallback: sheet.values.get(key) ?? fallbackOf(key, sheet.values) };
  if (choices === undefined)
    return { question, variable: { type: 'boolean', required: true }, fallback: String(sheet.features.includes(key)) };
  return { question, variable: { type: 'choice', choices, required: true }, fallback: choiceOf(key, sheet.features) };
}

interface Answered {
  readonly question: Question;
  readonly value: string;
}

/** One feature may need others, which are then switched on; what others need cannot be switched off. */
function chooseFeature({ features, terminal }: AskInput, sheet: Sheet, { question, value }: Answered): Sheet {
  const { key, choices } = question;
  const others = sheet.features.filter((item) => item !== key && !item.startsWith(`${key}=`));
  const needing = value === 'false' ? neededBy(features, key, others) : [];
  const chosen = choices !== undefined ? [...others, `${key}=${value}`] : value === 'true' ? [...others, key] : others;
  const complete = completeFeatures(features, chosen);
  const nameOf = (name: string): string => printable(features[name]?.ask ?? name);
  if (needing.length > 0) terminal.err(`  It stays on, for this needs it: ${needing.map(nameOf).join(', ')}\n`);
  else for (const { name, neededBy: by } of complete.added) terminal.err(`  Switched on too, for ${by} needs it: ${nameOf(name)}\n`);
  return { ...sheet, features: complete.features, asked: [...sheet.asked, key] };
}

async function noteValue(wizard: WizardInput, sheet: Sheet, { question: { key }, value }: Answered): Promise<Sheet> {
  const { input } = wizard;
  const notice = value === '' ? undefined : await input.notice?.(key, value);
  if (notice !== undefined) input.terminal.err(`  ! ${notice}\n`);
  const notices = new Map([...sheet.notices].filter(([name]) => name !== key));
  if (notice !== undefined) notices.set(key, notice);
  const values = new Map([...sheet.values, [key, value]]);
  return { ...sheet, values: followed(wizard, sheet, values), asked: [...sheet.asked, key], notices };
}

/** Answers that are what the default made of the former values go along with the new ones. */
function followed({ input, given, fallbackOf }: WizardInput, before: Sheet, values: ReadonlyMap<string, string>): Map<string, string> {
  const answered = [...before.values.keys()].filter((key) => !given.has(key) && before.values.get(key) === values.get(key));
  const made = answered.filter((key) => placeholdersIn(String(input.env[key]?.default ?? '')).length > 0);
  const following = made.filter((key) => before.values.get(key) === fallbackOf(key, without(before.values, key)));
  return new Map([...values, ...following.map((key): [string, string] => [key, fallbackOf(key, without(values, key)) ?? ''])]);
}

function without(values: ReadonlyMap<string, string>, key: string): Map<string, string> {
  return new Map([...values].filter(([name]) => name !== key));
}

/** Answers to questions that no longer apply are none. */
function withoutInactive(sheet: Sheet, { env }: AskInput, given: ReadonlySet<string>): Sheet {
  const counts = (name: string): boolean => given.has(name) || isActive(env[name]?.when, sheet.features);
  return { ...sheet, values: new Map([...sheet.values].filter(([name]) => counts(name))), asked: sheet.asked.filter(counts) };
}
