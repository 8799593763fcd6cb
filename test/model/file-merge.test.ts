// Every case there is of one file in three versions.
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { mergeFile } from '../../src/model/file-merge.ts';

const version = (name: string): ReturnType<typeof digestOf> | undefined => (name === '-' ? undefined : digestOf(name));

describe('mergeFile decides about (old release, host, new release)', () => {
  it.each([
    ['-', '-', '-', 'same'],
    ['-', '-', 'a', 'add'],
    ['-', 'a', '-', 'keep'],
    ['-', 'a', 'a', 'same'],
    ['-', 'a', 'b', 'conflict'],
    ['a', '-', '-', 'same'],
    ['a', '-', 'a', 'keep'],
    ['a', '-', 'b', 'conflict'],
    ['a', 'a', '-', 'remove'],
    ['a', 'a', 'a', 'same'],
    ['a', 'a', 'b', 'take'],
    ['a', 'b', '-', 'conflict'],
    ['a', 'b', 'a', 'keep'],
    ['a', 'b', 'b', 'same'],
    ['a', 'b', 'c', 'conflict'],
  ])('%s %s %s: %s', (base, mine, theirs, decision) => {
    expect(mergeFile({ base: version(base), mine: version(mine), theirs: version(theirs) })).toBe(decision);
  });
});
