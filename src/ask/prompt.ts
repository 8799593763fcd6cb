// One question put to a person, again until the answer fits. Rule: what was typed is never repeated, and a product's texts cannot steer the terminal.
import { booleanOf, checkAnswer, normaliseAnswer } from '../model/answer.ts';
import type { Variable } from '../model/description.ts';
import type { Terminal } from '../model/seams.ts';
import type { Question } from './questions.ts';

export interface Prompt {
  readonly question: Question;
  /** What the answer must fit. */
  readonly variable: Variable;
  /** What Enter means. */
  readonly fallback: string | undefined;
  readonly terminal: Pick<Terminal, 'ask' | 'err'>;
}

/** Asks one question. The answer comes back normalised; it is empty only where nothing is required. */
export async function askPerson({ question, variable, fallback, terminal }: Prompt): Promise<string> {
  if (question.help !== undefined) terminal.err(`  ${printable(question.help)}\n`);
  for (;;) {
    const line = await terminal.ask(promptText(question, fallback), { hidden: question.hidden });
    const reply = line.trim() === '' ? (fallback ?? '') : line;
    const problem = checkAnswer(question.key, variable, reply);
    if (problem === undefined) return normaliseAnswer(variable, reply);
    terminal.err(`  ${problem}.\n`);
  }
}

/** The line a person sees: the question, its choices, what Enter means in brackets (`[set]` for what must not be shown). */
export function promptText({ text, type, choices, hidden }: Question, fallback: string | undefined): string {
  const asked = printable(text).trim();
  const from = choices === undefined ? '' : ` (${choices.join(', ')})`;
  const end = asked.endsWith('?') ? ' ' : ': ';
  if (fallback === undefined || fallback === '') return printable(`${asked}${from}${end}`);
  if (hidden) return `${asked} [set]${end}`;
  if (type === 'boolean') return `${asked} [${booleanOf(fallback) === 'true' ? 'Y/n' : 'y/N'}]${end}`;
  return printable(`${asked}${from} [${fallback}]${end}`);
}

function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
