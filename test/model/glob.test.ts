import { describe, expect, test } from 'vitest';
import { matchesGlob } from '../../src/model/glob.ts';

describe('a pattern', () => {
  test.each([
    ['**/*.md', 'README.md', true],
    ['**/*.md', 'a/b/README.md', true],
    ['**/*.md', 'a/README.mdx', false],
    ['*.md', 'README.md', true],
    ['*.md', 'a/README.md', false],
    ['a/*.conf', 'a/x.conf', true],
    ['a/*.conf', 'a/b/x.conf', false],
    ['a/**/x', 'a/x', true],
    ['a/**/x', 'a/b/c/x', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'ab/c', false],
    ['docs', 'docs/a/b', true],
    ['docs/', 'docs/a', true],
    ['./docs', 'docs', true],
    ['docs', 'docs2', false],
    ['?.txt', 'a.txt', true],
    ['?.txt', 'ab.txt', false],
    ['?.txt', '😀.txt', true],
    ['**/.*', 'a/.hidden', true],
    ['a.b', 'axb', false],
    ['[a]+(b)', '[a]+(b)', true],
  ])('%s covers %s: %s', (pattern, path, expected) => {
    expect(matchesGlob(pattern, path)).toBe(expected);
  });
});
