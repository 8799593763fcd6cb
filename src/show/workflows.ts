// What becomes of workflow files, for people. Rule: every difference has its line; nothing to do is one quiet line.
interface ShownFile {
  readonly path: string;
  readonly outcome: 'written' | 'unchanged' | 'removed';
  readonly differences: readonly { readonly line: number; readonly expected: readonly string[]; readonly found: readonly string[] }[];
}

/** More lines of one difference say nothing more. */
const MOST_LINES = 3;

/** What was done; the files that were left as they are need no line. */
export function outcomesToText(files: readonly ShownFile[]): string {
  const changed = files.filter(({ outcome }) => outcome !== 'unchanged');
  if (changed.length === 0) return `${files.length} workflows are up to date\n`;
  return changed.map(({ path, outcome }) => `${path} is ${outcome}\n`).join('');
}

/** Each file that is not as it is made, with the lines in question. */
export function workflowFilesToText(files: readonly ShownFile[]): string {
  const changed = files.filter(({ outcome }) => outcome !== 'unchanged');
  if (changed.length === 0) return `${files.length} workflows are up to date\n`;
  return changed.map(fileToText).join('');
}

function fileToText({ path, outcome, differences }: ShownFile): string {
  if (outcome === 'removed') return `${path}: nothing asks for it any more\n`;
  if (differences.length === 0) return `${path}: new\n`;
  const places = differences.map(({ line, expected, found }) => {
    return `${path}:${line}:\n${sideToText('-', found)}${sideToText('+', expected)}`;
  });
  return places.join('');
}

function sideToText(sign: string, lines: readonly string[]): string {
  const shown = lines.slice(0, MOST_LINES).map((line) => `  ${sign} ${line}\n`);
  const more = lines.length - MOST_LINES;
  return `${shown.join('')}${more > 0 ? `  ${sign} … ${more} more lines\n` : ''}`;
}
