// The journal on disk: what counts, what is cut off, and a disk that is full.
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { beginJournal, openJournal, refuseOpenOperation } from '../../src/apply/journal.ts';
import { journalPath, operatorsFolder, stateFolder } from '../../src/model/layout.ts';
import { headOf, planOf } from './tiny-handlers.ts';

let root: string;
const head = headOf(planOf('a b c'));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-journal-'));
});

const text = (): string => readFileSync(journalPath(root), 'utf8');

describe('a journal', () => {
  test('says after a crash what was said before it', async () => {
    const journal = await beginJournal(root, head);
    await journal.append({ start: 0, saved: { existed: true } });
    await journal.append({ done: 0 });
    await journal.append({ start: 1, saved: {} });
    const found = await openJournal(root);
    expect(found?.state).toMatchObject({ head, door: false, goingBack: false });
    expect([...(found?.state.started ?? [])]).toEqual([
      [0, { existed: true }],
      [1, {}],
    ]);
    expect([...(found?.state.done ?? [])]).toEqual([0]);
  });

  test('loses a last line that was torn, and the next line is not glued to it', async () => {
    const journal = await beginJournal(root, head);
    await journal.append({ start: 0, saved: {} });
    appendFileSync(journalPath(root), '{"done":');
    const found = await openJournal(root);
    expect([...(found?.state.done ?? [])]).toEqual([]);
    await found?.append({ done: 0 });
    expect(text().split('\n').slice(-2)).toEqual(['{"done":0}', '']);
    expect([...((await openJournal(root))?.state.done ?? [])]).toEqual([0]);
  });

  test('of which not even the first line is whole began nothing', async () => {
    await beginJournal(root, head);
    writeFileSync(journalPath(root), text().slice(0, 20));
    expect(await openJournal(root)).toBeUndefined();
    await refuseOpenOperation(root);
  });

  test('with a line in its middle that nobody wrote is refused by name and number', async () => {
    const journal = await beginJournal(root, head);
    await journal.append({ start: 0, saved: {} });
    appendFileSync(journalPath(root), 'garbage\n{"done":0}\n');
    await expect(openJournal(root)).rejects.toMatchObject({ code: 'E_FORMAT', message: expect.stringContaining('journal.ndjson:3') });
  });

  test('is readable by its owner alone', async () => {
    await beginJournal(root, head);
    expect(execFileSync('stat', ['-c', '%a', journalPath(root)], { encoding: 'utf8' }).trim()).toBe('600');
  });

  test('that is open stops every other plan, with the command that ends it', async () => {
    await beginJournal(root, head);
    const stopped = { code: 'E_OPEN_OPERATION', hint: expect.stringContaining(`recover --dir ${root}`) };
    await expect(refuseOpenOperation(root)).rejects.toMatchObject(stopped);
    await expect(beginJournal(root, head)).rejects.toMatchObject(stopped);
  });

  test('that was never begun leaves nothing half-written beside it, and what is whole stays', async () => {
    const operators = operatorsFolder(root);
    mkdirSync(operators, { recursive: true });
    const files = ['journal.ndjson.slipway-new', 'journal.reserve', 'result.json', 'result.json.slipway-new'];
    for (const name of files) writeFileSync(join(stateFolder(root), name), 'text');
    for (const name of ['0123', '4567.slipway-new']) writeFileSync(join(operators, name), 'program');
    expect(await openJournal(root)).toBeUndefined();
    expect([readdirSync(stateFolder(root)).sort(), readdirSync(operators)]).toEqual([['operators', 'result.json'], ['0123']]);
  });

  test('that ended moves to the history, even when the crash came right after its last line', async () => {
    const journal = await beginJournal(root, head);
    await journal.end('done');
    expect(existsSync(journalPath(root))).toBe(false);
    expect(readdirSync(join(stateFolder(root), 'history'))).toEqual(['tiny.ndjson']);
    const other = headOf({ ...planOf('a'), id: 'other' });
    await beginJournal(root, other);
    appendFileSync(journalPath(root), '{"end":"done"}\n');
    expect(await openJournal(root)).toBeUndefined();
    expect(readdirSync(join(stateFolder(root), 'history')).sort()).toEqual(['other.ndjson', 'tiny.ndjson']);
  });
});

const canMount = process.getuid?.() === 0;

describe('a disk that is full', () => {
  test.runIf(canMount)('still takes the lines of the way back (needs root for a small file system)', async (context) => {
    const disk = mkdtempSync(join(tmpdir(), 'slipway-full-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'pipe' });
    } catch {
      return context.skip('this machine does not let us mount a small file system');
    }
    try {
      root = join(disk, 'install');
      mkdirSync(root);
      const journal = await beginJournal(root, head);
      await journal.append({ start: 0, saved: {} });
      fill(join(disk, 'ballast'));
      expect(() => writeFileSync(join(disk, 'more'), 'x'.repeat(8192))).toThrow(/ENOSPC/);
      rmSync(join(disk, 'more'), { force: true });
      const saved = { text: 'y'.repeat(6000) };
      for (let index = 1; index < 10; index += 1) await journal.append({ start: index, saved });
      expect((await openJournal(root))?.state.started.size).toBe(10);
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});

/** Writes until nothing more fits. */
function fill(path: string): void {
  for (const size of [65_536, 4096, 1]) {
    for (let count = 0; count < 5000; count += 1) {
      try {
        appendFileSync(path, 'x'.repeat(size));
      } catch {
        break;
      }
    }
  }
}
