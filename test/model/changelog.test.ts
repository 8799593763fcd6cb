import { describe, expect, test } from 'vitest';
import { changelogStub, isStub, notesPath } from '../../src/model/changelog.ts';
import { parseVersion } from '../../src/model/version.ts';

test('a changelog file is named by the X.Y.Z of the version', () => {
  const version = parseVersion('2.4.0-staging.3');
  expect(notesPath('docs/{base}.md', version)).toBe('docs/2.4.0.md');
  expect(notesPath('docs/{version}/{base}.md', version)).toBe('docs/2.4.0-staging.3/2.4.0.md');
});

describe('a text that says nothing', () => {
  test.each([
    ['the stub that bump writes', changelogStub(parseVersion('2.4.0'))],
    ['the sentence that others published', '# 0.1.11\n\nAdd notable changes for this version.\n'],
    ['nothing', ''],
    ['headings and empty lists', '# 2.4.0\n\n## Added\n\n-\n* \n\n---\n'],
    ['a comment', '# 2.4.0\n<!-- we will\nwrite this later -->\n'],
    ['a comment that never ends', '# 2.4.0\n<!-- later'],
    ['a promise', '# 2.4.0\n\n- TODO\n- tbd.\n'],
  ])('is %s', (_, text) => {
    expect(isStub(text)).toBe(true);
  });

  test.each([
    '# 2.4.0\n\n- Todo lists can be shared now, between all the people of a team.\n',
    'Fixes a crash.\n',
    '# 1\n<!-- x -->\n* `tbd` option is gone for good\n',
  ])('is not %j', (text) => {
    expect(isStub(text)).toBe(false);
  });
});
