// Findings of preflight and doctor for people. Rule: the gravest first, each with what helps right below it; lines break at a terminal's usual width.

export interface FindingView {
  readonly severity: 'block' | 'warn' | 'info';
  readonly message: string;
  readonly hint: string;
}

const MARKS = { block: 'BLOCKS ', warn: 'warning', info: 'note   ' } as const;
const WIDTH = 80;

/** The findings, and one line that sums them up. */
export function findingsToText(findings: readonly FindingView[]): string {
  const lines = findings.flatMap(({ severity, message, hint }) => [
    ...wrap(`${MARKS[severity]}  ${message}`, '         '),
    ...wrap(`         → ${hint}`, '           '),
  ]);
  return `${[...lines, summary(findings)].join('\n')}\n`;
}

function summary(findings: readonly FindingView[]): string {
  const count = (severity: FindingView['severity']): number => findings.filter((finding) => finding.severity === severity).length;
  const [blocks, warnings] = [count('block'), count('warn')];
  if (blocks + warnings === 0) return 'all well';
  const words = [blocks === 0 ? '' : `${blocks} in the way of an upgrade`, warnings === 0 ? '' : `${warnings} to look at`];
  return words.filter(Boolean).join(', ');
}

/** Breaks a line at spaces; a word that is longer than a line stays whole, for paths are copied. */
export function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.trimStart().split(' ')) {
    const lead = lines.length === 0 ? (/^ */.exec(text)?.[0] ?? '') : indent;
    const next = line === '' ? `${lead}${word}` : `${line} ${word}`;
    if (next.length > WIDTH && line !== '') {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = next;
  }
  return [...lines, line];
}
