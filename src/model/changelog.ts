// Changelog texts of versions. Rule: a text that says nothing (a heading, a comment, the sentence of the stub) is no text.
import { coreOf, type Version } from './version.ts';

const STUB_LINE = 'Add notable changes for this version.';
const SAYS_NOTHING = [
  /^#/,
  /^[-=*_]{2,}$/,
  /^[-*+.…]*$/,
  /^(?:[-*+]\s*)?(?:todo|tbd|tba|wip|fixme|n\/a)\b.{0,20}$/i,
  /^(?:[-*+]\s*)?add notable changes\b.{0,60}$/i,
];

/** The changelog file of a version: `{base}` is its X.Y.Z, `{version}` all of it. */
export function notesPath(pattern: string, version: Version): string {
  return pattern.replaceAll('{base}', () => coreOf(version)).replaceAll('{version}', () => version);
}

/** What a new changelog file begins as. */
export function changelogStub(version: Version): string {
  return `# ${version}\n\n<!-- What people who run this should know before they upgrade. -->\n${STUB_LINE}\n`;
}

/** True when there is nothing in it that somebody wrote for this version. */
export function isStub(text: string): boolean {
  const lines = text.replace(/<!--[\s\S]*?(?:-->|$)/g, '').split('\n');
  return lines.every((line) => SAYS_NOTHING.some((pattern) => pattern.test(line.trim())));
}
