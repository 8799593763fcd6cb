// Files as facts, while others change them. Rule: what goes between two looks is absent, never an error.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { factOfFile, readTextIfThere } from '../../src/world/disk.ts';

test.each<[string, (path: string) => Promise<unknown>]>([
  ['read', readTextIfThere],
  ['hashed', factOfFile],
])('a file that is made and removed all the while is there or not when it is %s', async (_, look) => {
  const path = join(await mkdtemp(join(tmpdir(), 'slipway-')), 'lock');
  let looks = 0;
  let isOver = false;
  const changing = (async () => {
    for (let round = 0; round < 1000; round += 1) {
      await writeFile(path, 'held');
      await rm(path);
    }
    isOver = true;
  })();
  const found = new Set<boolean>();
  for (; !isOver; looks += 1) found.add((await look(path)) !== undefined);
  await changing;
  expect(looks).toBeGreaterThan(100);
  expect([...found].sort()).toEqual([false, true]);
});
