// All answers on one screen before anything happens. Rule: it fits the width of the terminal, and shows nothing that must stay hidden.
import type { Terminal } from '../model/seams.ts';
import { BACK, printable, shownAnswer } from './prompt.ts';
import type { Question } from './questions.ts';
import type { Sheet } from './sheet.ts';

export interface Review {
  /** Those that apply. */
  readonly questions: readonly Question[];
  readonly sheet: Sheet;
  /** Names that were given beforehand: shown, and not asked again. */
  readonly given: ReadonlySet<string>;
  readonly terminal: Pick<Terminal, 'ask' | 'err' | 'columns'>;
}

const QUESTION = 'Enter goes on; a number or the name of a group asks that again: ';

/** Shows everything; gives the keys to ask again, none when the person goes on. */
export async function askReview(review: Review): Promise<string[]> {
  const { sheet, terminal } = review;
  terminal.err(reviewText(review));
  for (;;) {
    const line = (await terminal.ask(QUESTION)).trim();
    if (line === '') return [];
    if (line === BACK) return sheet.asked.slice(-1);
    const again = keysOf(review, line);
    if (again.length > 0) return again;
    terminal.err(`  There is no such number or group.\n`);
  }
}

/** The answers under their groups, numbered where they can be changed. */
export function reviewText(review: Review): string {
  const { questions, sheet, terminal } = review;
  const numbers = numbered(review);
  const labels = questions.map(({ text }) => printable(text).trim());
  const width = Math.min(Math.max(...labels.map((label) => label.length)), Math.floor(terminal.columns / 2) - 6);
  const lines = ['', 'Your answers', ''];
  let group = '';
  questions.forEach((question, index) => {
    if (question.group !== group) lines.push(printable(question.group));
    group = question.group;
    const number = String(numbers.indexOf(question.key) + 1 || '-').padStart(4);
    lines.push(...answerLines(`${number}  `, labels[index] ?? '', { value: answerOf(question, sheet), width, columns: terminal.columns }));
    const notice = sheet.notices.get(question.key);
    if (notice !== undefined) lines.push(`      ! ${notice}`);
  });
  return `${lines.join('\n')}\n\n`;
}

interface Cell {
  readonly value: string;
  /** Of the labels. */
  readonly width: number;
  readonly columns: number;
}

/** Label and value beside each other, or under each other where they are too long. */
function answerLines(number: string, label: string, { value, width, columns }: Cell): string[] {
  const line = `${number}${label.padEnd(width)}  ${value}`;
  if (label.length <= width && line.length <= columns) return [line];
  return [`${number}${label}`, `${' '.repeat(number.length + 2)}${value}`];
}

function answerOf(question: Question, { values, features }: Sheet): string {
  if (question.kind === 'variable') return shownAnswer(question, values.get(question.key) ?? '');
  const choice = features.find((item) => item.startsWith(`${question.key}=`))?.slice(question.key.length + 1);
  return choice ?? (features.includes(question.key) ? 'yes' : 'no');
}

/** The keys that can be asked again, in the order of their numbers. */
function numbered({ questions, sheet }: Review): string[] {
  return questions.filter(({ key }) => sheet.asked.includes(key)).map(({ key }) => key);
}

function keysOf(review: Review, line: string): string[] {
  const numbers = numbered(review);
  if (/^\d+$/.test(line)) return numbers.slice(Number(line) - 1, Number(line)).filter(() => Number(line) > 0);
  const group = review.questions.filter((question) => question.group.toLowerCase() === line.toLowerCase());
  return group.map(({ key }) => key).filter((key) => numbers.includes(key));
}
