// A folder for the temporary files of one test file, so that no test has to clear up after itself. Rule: what the product itself put there must be gone by then.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';

/** The folders that the product makes for the time of one question; those for a whole command go when its process ends. */
const OF_PRODUCT = /^slipway-(git|asset|tag|compose)-/;

const before = process.env.TMPDIR;
const folder = mkdtempSync(join(tmpdir(), 'file-'));
chmodSync(folder, 0o1777); // as /tmp is: some tests run programs as another user
process.env.TMPDIR = folder;

afterAll(() => {
  const left = readdirSync(folder).filter((name) => OF_PRODUCT.test(name));
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  expect(left, 'left in the temporary folder by the product').toEqual([]);
});
