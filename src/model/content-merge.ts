// Three versions of a file's text made one: compose files by their keys, everything else by lines. Rule: nothing of either side is dropped in silence; what both
// changed differently is a conflict, with its lines.
import { isDeepStrictEqual as isSame } from 'node:util';
import { type Path, pathText } from './problem.ts';
import { type LineRange, mergeLines } from './text-merge.ts';
import { type Fields, isFields, mergeValues, type Side, type Versions } from './value-merge.ts';
import { editYaml, lineOf, readYamlMap, type YamlText } from './yaml-edit.ts';

/** A place that both sides changed differently; null where a side has nothing there. */
export interface Conflict {
  /** The key of a compose file, such as `services.api.ports`; null for lines, and for a file as a whole. */
  readonly key: string | null;
  readonly mine: LineRange | null;
  readonly theirs: LineRange | null;
}

export interface MergedContent {
  readonly text: string;
  readonly conflicts: readonly Conflict[];
}

/** Lines: more than this are compared as one piece, for comparing takes the square of what repeats. */
const MOST_LINES = 20_000;

/** A conflict of the file as a whole. */
export const WHOLE: Conflict = { key: null, mine: null, theirs: null };

/** Merges the texts of one file. With a `side` every conflict is decided by it; of a file that is one piece the whole version. */
export function mergeContent(versions: Versions<string>, side?: Side): MergedContent {
  const texts = [versions.base, versions.mine, versions.theirs];
  if (texts.some((text) => text !== undefined && text.split('\n', MOST_LINES + 1).length > MOST_LINES)) return asOnePiece(versions, side);
  const [base, mine, theirs] = texts.map((text) => (text === undefined ? undefined : readYamlMap(text)));
  if (mine === undefined || theirs === undefined || !isFields(theirs.value.services)) return mergeText(versions, side);
  if (versions.base !== undefined && base === undefined) return mergeText(versions, side);
  return mergeCompose(versions, { base, mine, theirs }, side);
}

/** The version of one side, or a conflict of the whole file. */
function asOnePiece({ mine = '', theirs = '' }: Versions<string>, side: Side | undefined): MergedContent {
  return { text: side === 'mine' ? mine : theirs, conflicts: side === undefined ? [WHOLE] : [] };
}

function mergeText(versions: Versions<string>, side: Side | undefined): MergedContent {
  const { text, conflicts } = mergeLines(versions, side);
  return { text, conflicts: conflicts.map((each) => ({ key: null, ...each })) };
}

interface ComposeVersions {
  readonly base: YamlText | undefined;
  readonly mine: YamlText;
  readonly theirs: YamlText;
}

/** By lines where that means the same, for then both hands stay as they are; otherwise by keys, in the person's text. */
function mergeCompose(versions: Versions<string>, { base, mine, theirs }: ComposeVersions, side: Side | undefined): MergedContent {
  const wanted = mergeValues({ base: base?.value, mine: mine.value, theirs: theirs.value }, side);
  if (wanted.conflicts.length > 0)
    return { text: theirs.text, conflicts: wanted.conflicts.map((path) => conflictAt(path, { mine, theirs })) };
  const lines = mergeLines(versions);
  if (lines.conflicts.length === 0 && isSame(readYamlMap(lines.text)?.value, wanted.value)) return { text: lines.text, conflicts: [] };
  const text = editYaml(mine, theirs, wanted.value as Fields);
  return text === undefined ? asOnePiece(versions, side) : { text, conflicts: [] };
}

function conflictAt(path: Path, { mine, theirs }: Omit<ComposeVersions, 'base'>): Conflict {
  const at = (file: YamlText): LineRange => ({ line: lineOf(file, path), count: 1 });
  return { key: pathText(path), mine: at(mine), theirs: at(theirs) };
}
