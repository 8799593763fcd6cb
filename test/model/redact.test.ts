// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what compose files hold is meant
// Secrets in texts that leave a machine. Rule: every spelling that a log, a config or a journal may have is tried.

import { describe, expect, test } from 'vitest';
import { makeRedactor } from '../../src/model/redact.ts';
import { fc } from '../property.ts';

const SECRET = `p4"ss$w&rd'<x> ü\\`;
const redact = makeRedactor([{ name: 'DB_PASSWORD', value: SECRET }]);
const gone = (text: string): string => redact('log', text).text;

describe('by value', () => {
  test.each([
    ['as it is', SECRET],
    ['in JSON', JSON.stringify(SECRET)],
    ['in an address', encodeURIComponent(SECRET)],
    ['in a form', encodeURIComponent(SECRET).replaceAll('%20', '+')],
    ['in lower-case percent signs', encodeURIComponent(SECRET).toLowerCase()],
    ['in a compose file', SECRET.replaceAll('$', '$$$$')],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['in base64url', Buffer.from(SECRET).toString('base64url')],
    ['in hex', Buffer.from(SECRET).toString('hex')],
  ])('%s', (_, spelled) => {
    const { text, removals } = redact('log', `connect with ${spelled} now`);
    expect(text).toMatch(/^connect with "?\[removed: DB_PASSWORD\]=*"? now$/);
    expect(removals).toEqual([{ file: 'log', name: 'DB_PASSWORD', how: 'value', count: 1 }]);
  });

  test('a text of several lines goes line by line too', () => {
    const lines = ['-----BEGIN X-----', 'MIIEvQIBADANBgkq', 'hkiG9w0BAQEFAASC'];
    const { text } = makeRedactor([{ name: 'TLS', value: lines.join('\n') }])('log', `a: ${lines[1]}\nb: ${lines[2]}`);
    expect(text).toBe('a: [removed: TLS]\nb: [removed: TLS]');
  });

  test('property: whatever the secrets and wherever they are, none is left', () => {
    const letters = fc.constantFrom(...'qxzjQ#$"\\%&+ü \n');
    const secret = fc.string({ unit: letters, minLength: 4, maxLength: 20 }).filter((text) => /[qxzjQ]/.test(text));
    fc.assert(
      fc.property(
        fc.array(secret, { minLength: 1, maxLength: 5 }),
        fc.string({ unit: fc.constantFrom('·', ' '), maxLength: 9 }),
        (secrets, between) => {
          const text = secrets
            .flatMap((value) => [value, JSON.stringify(value), Buffer.from(value).toString('base64')])
            .join(`·${between}·`);
          const left = makeRedactor(secrets.map((value, index) => ({ name: `S${index}`, value })))('log', text).text;
          expect(secrets.filter((value) => left.includes(value))).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('by name and shape', () => {
  test.each([
    ['API_TOKEN=abc def', 'API_TOKEN=[removed]'],
    ['  password: two words', '  password: [removed]'],
    ['- "secret_key": "x y"', '- "secret_key": [removed]'],
    ['level=info client_secret=abc123, user=me', 'level=info client_secret=[removed], user=me'],
    ['{"user":"me","apiKey":"k\\"1","n":1}', '{"user":"me","apiKey":[removed],"n":1}'],
    ['postgres://app:s3cret@db:5432/x', 'postgres://app:[removed]@db:5432/x'],
    ['Authorization: Bearer abc.def-123456', 'Authorization: [removed]'],
    ['sent Basic dXNlcjpwYXNz to it', 'sent Basic [removed] to it'],
    ['got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_1', 'got [removed]'],
    ['-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nnext', '[removed]\nnext'],
  ])('%s', (text, expected) => {
    expect(gone(text)).toBe(expected);
  });

  test.each(['PASSWORD: ${DB_PASSWORD:?set it}', '"secrets": [', 'the password was wrong', 'TOKEN='])('%s stays', (text) => {
    expect(gone(text)).toBe(text);
  });

  test('a long line without an end costs no time', () => {
    const start = Date.now();
    gone(`${'a'.repeat(300_000)}${'token'.repeat(20_000)}`);
    expect(Date.now() - start).toBeLessThan(5000);
  });
});
