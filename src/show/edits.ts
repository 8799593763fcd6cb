// Edited lines for people. Rule: as `diff` shows them: what was there, then what stands there now.
import type { LineEdit } from '../model/text-merge.ts';

/** One block for each edit, each line after a newline; empty without edits. */
export function editsToText(edits: readonly LineEdit[]): string {
  return edits
    .map(({ line, removed, added }) => {
      const lines = [...removed.map((each) => `-${each}`), ...added.map((each) => `+${each}`)];
      return `\n  line ${line}${lines.map((each) => `\n  ${each}`).join('')}`;
    })
    .join('');
}
