// One folder for the temporary files of a whole test run. Rule: it is empty when the last test has ended, or the run fails; either way it goes.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder = '';

/** Makes the folder; whatever is started by the tests finds it as $TMPDIR. */
export function setup(): void {
  folder = mkdtempSync(join(tmpdir(), 'test-run-'));
  chmodSync(folder, 0o1777); // as /tmp is: some tests run programs as another user
  process.env.TMPDIR = folder;
}

/** Throws when something is left in it. */
export function teardown(): void {
  const left = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => !/^file-[^/]+$/.test(path)); // a file whose tests are all skipped keeps its own
  rmSync(folder, { recursive: true, force: true });
  if (left.length > 0) throw new Error(`left behind among the temporary files: ${left.slice(0, 20).join(', ')}`);
}
