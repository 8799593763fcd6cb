import { expect, test } from 'vitest';
import type { Scalar, Variable } from '../../src/model/description.ts';
import { misfitOf } from '../../src/model/variable-value.ts';

const cases: [Variable, Scalar[], Scalar[]][] = [
  [{}, ['', 'x y', 8080, true], ['a\nb']],
  [{ type: 'integer' }, [0, '-3', '42'], ['', '1.5', 'x', '1e3']],
  [{ type: 'boolean' }, [true, 'false'], ['yes', 1, '']],
  [{ type: 'port' }, [1, '8080', 65_535], [0, 65_536, '080', 'http', '']],
  [
    { type: 'hostname' },
    ['localhost', 'www.example.org', '10.0.0.1'],
    ['', '-a.org', 'a_b.org', 'http://a.org', `${'a'.repeat(64)}.org`, 'a..b'],
  ],
  [{ type: 'email' }, ['a@b.org', 'a@localhost'], ['a', 'a@', 'a b@c.org', '<a@b.org>']],
  [{ type: 'url' }, ['https://a.org/x?y', 'postgres://u:p@db/x'], ['a.org', 'http://', 'http://a b']],
  [{ type: 'path' }, ['/srv/data', './x y'], ['', 'a\tb']],
  [{ type: 'choice', choices: ['a', '2'] }, ['a', 2], ['b', '']],
  [{ type: 'integer', pattern: '^[1-9]$' }, [1, '9'], [0, 10]],
];

test.each(cases)('%j', (variable, good, bad) => {
  for (const value of good) expect([value, misfitOf(variable, value)]).toEqual([value, undefined]);
  for (const value of bad) expect([value, misfitOf(variable, value)]).toEqual([value, expect.stringMatching(/./)]);
});

test('a misfit says what is expected', () => {
  expect(misfitOf({ type: 'port' }, 'x')).toBe('a port number from 1 to 65535');
  expect(misfitOf({ type: 'choice', choices: ['a', 'b'] }, 'x')).toBe('one of a, b');
  expect(misfitOf({ pattern: '^x$' }, 'y')).toBe('text that matches ^x$');
});
