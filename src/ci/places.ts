// The marked places of a workflow file, and what else differs. Rule: a person's lines are never lost: a place that is no more is refused while it holds any.
import { ToolError } from '../model/error.ts';

/** Lines by the name of their place. */
export type OwnLines = ReadonlyMap<string, readonly string[]>;

/** A stretch of a file that is not as it is made. */
export interface Difference {
  /** In the file as it is, counted from 1. */
  readonly line: number;
  /** As it is made. */
  readonly expected: readonly string[];
  readonly found: readonly string[];
}

const BEGIN = /^\s*# slipway:begin own ([a-z0-9-]+)\s*$/;
const END = /^\s*# slipway:end own ([a-z0-9-]+)\s*$/;

/** What stands in the marked places. Throws E_CONFLICT where a mark has lost its other one. */
export function ownLines(text: string, file: string): OwnLines {
  const found = new Map<string, string[]>();
  let open: { readonly name: string; readonly lines: string[] } | undefined;
  text.split('\n').forEach((line, index) => {
    const [begins, ends] = [BEGIN.exec(line)?.[1], END.exec(line)?.[1]];
    const isWrong = begins === undefined ? ends !== undefined && ends !== open?.name : open !== undefined || found.has(begins);
    if (isWrong) throw brokenMark(file, index + 1, begins ?? ends ?? '');
    if (begins !== undefined) open = { name: begins, lines: [] };
    else if (ends !== undefined && open !== undefined) {
      found.set(ends, open.lines);
      open = undefined;
    } else open?.lines.push(line);
  });
  if (open !== undefined) throw brokenMark(file, text.split('\n').length, open.name);
  return found;
}

/** The made text with a person's lines in its places. Throws E_CONFLICT for lines whose place is no more. */
export function withOwnLines(made: string, own: OwnLines, file: string): string {
  const places = ownLines(made, file);
  const lost = [...own].find(([name, lines]) => !places.has(name) && lines.some((line) => line.trim() !== ''));
  if (lost !== undefined) throw noPlace(file, lost[0]);
  return made
    .split('\n')
    .flatMap((line) => [line, ...(own.get(BEGIN.exec(line)?.[1] ?? '') ?? [])])
    .join('\n');
}

/** Where two texts differ, in order; equal texts have no difference. */
export function differencesOf(expected: string, found: string): Difference[] {
  const [made, there] = [expected.split('\n'), found.split('\n')];
  const differences: Difference[] = [];
  let [left, right] = [0, 0];
  while (left < made.length || right < there.length) {
    if (left < made.length && right < there.length && made[left] === there[right]) {
      left += 1;
      right += 1;
      continue;
    }
    const [nextLeft, nextRight] = nextAlike(made, there, left, right);
    differences.push({ line: right + 1, expected: made.slice(left, nextLeft), found: there.slice(right, nextRight) });
    [left, right] = [nextLeft, nextRight];
  }
  return differences;
}

/** The nearest pair of equal lines that are not empty. */
function nextAlike(made: readonly string[], there: readonly string[], left: number, right: number): [number, number] {
  const most = made.length - left + (there.length - right);
  for (let distance = 1; distance <= most; distance += 1) {
    for (let skip = 0; skip <= distance; skip += 1) {
      const line = made[left + skip];
      if (line !== undefined && line.trim() !== '' && line === there[right + distance - skip])
        return [left + skip, right + distance - skip];
    }
  }
  return [made.length, there.length];
}

function brokenMark(file: string, line: number, name: string): ToolError {
  return new ToolError('E_CONFLICT', `${file}:${line}: the marks of your own lines ${JSON.stringify(name)} do not belong together`, {
    hint: 'Each `# slipway:begin own NAME` ends with its `# slipway:end own NAME`, and each NAME is there once.',
  });
}

function noPlace(file: string, name: string): ToolError {
  return new ToolError('E_CONFLICT', `${file}: there is no place ${JSON.stringify(name)} any more, and it holds lines of yours`, {
    hint: 'Move them to another place, or remove them, then run it again.',
  });
}
