// One question put to a person, again until the answer fits. Rule: what was typed is never repeated, and a product's texts cannot steer the terminal.
import { booleanOf, checkAnswer, normaliseAnswer } from '../model/answer.ts';
import type { Variable } from '../model/description.ts';
import type { Terminal } from '../model/seams.ts';
import { expectationOf } from '../model/variable-value.ts';
import type { Question } from './questions.ts';

/** What goes back to the question before this one; the Escape key is the same. */
export const BACK = '<';
/** What asks for an explanation. */
export const EXPLAIN = '?';

export interface Prompt {
  readonly question: Question;
  /** What the answer must fit. */
  readonly variable: Variable;
  /** What Enter means. */
  readonly fallback: string | undefined;
  readonly terminal: Pick<Terminal, 'ask' | 'err'>;
}

/** Asks one question. The answer comes back normalised, empty only where nothing is required; undefined when the person wants to go back. */
export async function askPerson(prompt: Prompt): Promise<string | undefined> {
  const { question, variable, fallback, terminal } = prompt;
  const shown = shownFallback(question, fallback);
  const misfit = (line: string): string | undefined => (line === BACK || line === EXPLAIN ? undefined : misfitOfReply(prompt, line));
  const parts = {
    text: printable(hintOfHidden(question, fallback)),
    misfit,
    ...(shown === undefined ? {} : { fallback: shown }),
    ...(question.choices === undefined ? {} : { choices: question.choices }),
  };
  for (;;) {
    const line = await terminal.ask(promptText(question, fallback), { hidden: question.hidden, parts });
    if (line === BACK) return undefined;
    const problem = misfit(line);
    if (line === EXPLAIN) terminal.err(explanation(question, variable));
    else if (problem === undefined) return normaliseAnswer(variable, replyOf(line, fallback));
    else terminal.err(`  ${problem}.\n`);
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

/** An answer as a person reads it: yes and no, and nothing of what must not be shown. */
export function shownAnswer({ type, hidden }: Question, value: string): string {
  if (value === '') return '(empty)';
  if (hidden) return '(hidden)';
  if (type === 'boolean') return booleanOf(value) === 'true' ? 'yes' : 'no';
  return printable(value);
}

/** A text of the product without what could steer the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function misfitOfReply({ question, variable, fallback }: Prompt, line: string): string | undefined {
  return checkAnswer(question.key, variable, replyOf(line, fallback));
}

function replyOf(line: string, fallback: string | undefined): string {
  return line.trim() === '' ? (fallback ?? '') : line;
}

function shownFallback(question: Question, fallback: string | undefined): string | undefined {
  if (fallback === undefined || fallback === '' || question.hidden) return undefined;
  return shownAnswer(question, fallback);
}

function hintOfHidden({ text, hidden }: Question, fallback: string | undefined): string {
  return hidden && fallback !== undefined && fallback !== '' ? `${text.trim()} (Enter keeps it)` : text.trim();
}

function explanation({ help, key, required }: Question, variable: Variable): string {
  const expected = `${key}: ${expectationOf(variable)}${required ? '' : '; may be empty'}.`;
  return [...(help === undefined ? [] : [`${help.replace(/\.$/, '')}.`]), expected].map((line) => `  ${printable(line)}\n`).join('');
}
