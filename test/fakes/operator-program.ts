// A program in the place of operator.js that writes down how it was started. Rule: it decides nothing; the environment says how it ends.

/** What the program wrote to $FAKE_RECORD. */
export interface OperatorRecord {
  readonly argv: readonly string[];
  readonly terminal: boolean;
  readonly umask: number;
  readonly folderMode: number;
  readonly answer: string | null;
}

/**
 * The program's text, 40 KiB of it. $FAKE_EXIT is its exit code; with $FAKE_ASK it first reads one line from stdin; with
 * $FAKE_WAIT it prints `waiting` and ends with 42 on SIGINT.
 */
export const OPERATOR_PROGRAM = `#!/usr/bin/env node
import { statSync, writeFileSync } from 'node:fs';
const { FAKE_ASK, FAKE_EXIT, FAKE_RECORD, FAKE_WAIT } = process.env;
function end(answer, code) {
  const folderMode = statSync(import.meta.dirname).mode & 0o777;
  const seen = { argv: process.argv.slice(2), terminal: process.stdin.isTTY === true, umask: process.umask(), folderMode, answer };
  writeFileSync(FAKE_RECORD, JSON.stringify(seen));
  process.exit(code);
}
if (FAKE_WAIT) {
  process.on('SIGINT', () => setTimeout(() => end(null, 42), 100));
  setInterval(() => {}, 1000);
  console.log('waiting');
} else if (FAKE_ASK) {
  process.stdin.once('data', (line) => end(String(line).trim(), Number(FAKE_EXIT ?? 0)));
  process.stdin.once('end', () => end(null, Number(FAKE_EXIT ?? 0)));
  console.log('your answer?');
} else {
  end(null, Number(FAKE_EXIT ?? 0));
}
${'// padding, so that a download has a middle\n'.repeat(1000)}`.slice(0, 40_960);
