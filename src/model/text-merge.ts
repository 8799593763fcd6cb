// Three versions of a text made one, line by line (diff3). Rule: lines that both sides changed differently are decided by the caller, or named.
import { diff3Merge, diffIndices } from 'node-diff3';
import type { Side, Versions } from './value-merge.ts';

/** Lines of both versions that do not fit together; the first line is 1, and a count of 0 stands before that line. */
export interface LineConflict {
  readonly mine: LineRange;
  readonly theirs: LineRange;
}

export interface LineRange {
  readonly line: number;
  readonly count: number;
}

export interface MergedLines {
  /** With the vendor's lines at every conflict that nobody decided. */
  readonly text: string;
  readonly conflicts: readonly LineConflict[];
}

/** Merges line by line; line ends belong to their lines. */
export function mergeLines({ base, mine, theirs }: Versions<string>, side?: Side): MergedLines {
  const conflicts: LineConflict[] = [];
  const lines: string[] = [];
  for (const { ok, conflict } of diff3Merge(linesOf(mine), linesOf(base), linesOf(theirs), { excludeFalseConflicts: true })) {
    lines.push(...(ok ?? []));
    if (conflict === undefined) continue;
    const { a, aIndex, b, bIndex } = conflict;
    lines.push(...(side === 'mine' ? a : b));
    if (side === undefined) conflicts.push({ mine: { line: aIndex + 1, count: a.length }, theirs: { line: bIndex + 1, count: b.length } });
  }
  return { text: lines.join(''), conflicts };
}

function linesOf(text = ''): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}

/** Lines that stand in place of others; without their line ends. */
export interface LineEdit {
  /** Where in the new text; the first line is 1. */
  readonly line: number;
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** What was edited between two texts. */
export function diffLines(from: string, to: string): LineEdit[] {
  const bare = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/\r?\n$/, ''));
  return diffIndices(linesOf(from), linesOf(to)).map(({ buffer1Content, buffer2, buffer2Content }) => ({
    line: buffer2[0] + 1,
    removed: bare(buffer1Content),
    added: bare(buffer2Content),
  }));
}
