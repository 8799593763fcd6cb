// The lines of a file that the person edited. Rule: only reads; the release as it was shipped is the other side.
import type { InstallFacts } from '../model/facts.ts';
import { diffLines, type LineEdit } from '../model/text-merge.ts';
import { readPlainText, readShipped } from './merges.ts';

/** The edits of a file of the release; undefined for one that is no text, or whose shipped version is not there. */
export async function linesEdited(install: InstallFacts, path: string): Promise<{ readonly lines: readonly LineEdit[] } | undefined> {
  const file = install.manifest.files.find((each) => each.path === path);
  if (file === undefined) return undefined;
  const [shipped, mine] = await Promise.all([readShipped(install, file), readPlainText(`${install.root}/${path}`)]);
  return shipped === undefined || mine === undefined ? undefined : { lines: diffLines(shipped, mine) };
}
