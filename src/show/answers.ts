// Answers that change, as text. Rule: old and new value beside each other; of what must stay hidden only that it changes.
export interface ChangedAnswer {
  readonly name: string;
  /** Null where there was none. Absent, as `to`, where the value must stay hidden. */
  readonly from?: string | null;
  readonly to?: string;
}

/** One line for each change, under a heading; empty when nothing changes. */
export function changesToText(changes: readonly ChangedAnswer[]): string {
  if (changes.length === 0) return '';
  return `What changes:\n${changes.map((change) => `  ${lineOf(change)}\n`).join('')}`;
}

function lineOf({ name, from, to }: ChangedAnswer): string {
  if (to === undefined) return `${name}: another value (hidden)`;
  return `${name}: ${from === null || from === undefined || from === '' ? '(empty)' : printable(from)} → ${to === '' ? '(empty)' : printable(to)}`;
}

function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
