// Which backups go. Rule: never the last good one, never a rescue, never the way back.

import { expect, test } from 'vitest';
import { backupsToPrune, lastGoodBackup, type Prunable } from '../../src/plan/backup.ts';
import { fc } from '../property.ts';

const at = (path: string, version = '2.0.0', rescue = false): Prunable => ({ path, version, rescue });

test('the newest stay, with the new one among them, and the way back to the release before', () => {
  const backups = [at('a', '1.0.0'), at('b', '1.0.0'), at('r', '2.0.0', true), at('c'), at('d'), at('e')];
  expect(backupsToPrune(backups, { keep: 3, version: '2.0.0' })).toEqual(['a', 'c']);
  expect(backupsToPrune(backups, { keep: 9, version: '2.0.0' })).toEqual([]);
  expect(backupsToPrune(backups, { keep: 1, version: '2.0.0' })).toEqual(['a', 'c', 'd', 'e']);
});

test('whatever there is, rescue backups and the newest of another version stay, and as many as are to be kept', () => {
  const one = fc.record({ version: fc.constantFrom('1.0.0', '1.1.0', '2.0.0'), rescue: fc.boolean() });
  fc.assert(
    fc.property(fc.array(one), fc.integer({ min: 1, max: 6 }), (list, keep) => {
      const backups = list.map((each, index) => ({ ...each, path: String(index) }));
      const gone = new Set(backupsToPrune(backups, { keep, version: '2.0.0' }));
      const ordinary = backups.filter(({ rescue }) => !rescue);
      const left = ordinary.filter(({ path }) => !gone.has(path));
      expect(backups.some(({ path, rescue }) => rescue && gone.has(path))).toBe(false);
      expect(left.length).toBeGreaterThanOrEqual(Math.min(ordinary.length, keep - 1));
      const wayBack = ordinary.findLast(({ version }) => version !== '2.0.0');
      if (wayBack !== undefined) expect(gone.has(wayBack.path)).toBe(false);
    }),
  );
});

test('what is known to be damaged is neither the way back nor the last good one', () => {
  const [old, damaged] = [at('old', '1.0.0'), { ...at('damaged', '1.0.0'), good: false }];
  expect(backupsToPrune([old, damaged, at('c'), at('d')], { keep: 2, version: '2.0.0' })).toEqual(['damaged', 'c']);
  expect(lastGoodBackup([at('whole'), { ...at('cut short'), complete: false }, at('rescue', '2.0.0', true)])?.path).toBe('whole');
  expect(lastGoodBackup([])).toBeUndefined();
});
