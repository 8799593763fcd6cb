// The lines of a file that the person edited. Rule: only reads; the release as it was shipped is the other side.
import type { InstallFacts } from '../model/facts.ts';
import { pristineFolder } from '../model/layout.ts';
import { diffLines, type LineEdit } from '../model/text-merge.ts';
import { readPlainText } from './merges.ts';

/** The edits of a file of the release; undefined for one that is no text, or whose shipped version is not there. */
export async function linesEdited(
  { root, record }: InstallFacts,
  path: string,
): Promise<{ readonly lines: readonly LineEdit[] } | undefined> {
  const [shipped, mine] = await Promise.all([
    readPlainText(`${root}/${pristineFolder(record.version)}/${path}`),
    readPlainText(`${root}/${path}`),
  ]);
  return shipped === undefined || mine === undefined ? undefined : { lines: diffLines(shipped, mine) };
}
