// Secrets: right shape, every character equally likely, recognisable by their fingerprint only.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fingerprintSecret, generateSecret, matchesFingerprint, takeFingerprint } from '../../src/model/secret.ts';

describe('generateSecret', () => {
  it.each([
    ['hex', 64, /^[0-9a-f]{64}$/],
    ['hex', 9, /^[0-9a-f]{9}$/],
    ['base64url', undefined, /^[A-Za-z0-9_-]{43}$/],
    ['password', 32, /^[A-HJ-NP-Za-km-z2-9]{32}$/],
    ['uuid', undefined, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
  ] as const)('makes a %s of length %s', (kind, length, shape) => {
    expect(generateSecret(kind, length, randomBytes)).toMatch(shape);
    expect(generateSecret(kind, length, randomBytes)).not.toBe(generateSecret(kind, length, randomBytes));
  });

  it('takes every character of the alphabet equally often when every byte comes equally often', () => {
    let next = 0;
    const everyByte = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => next++ % 256);
    const counts = new Map<string, number>();
    for (const character of generateSecret('password', 57 * 4, everyByte)) counts.set(character, (counts.get(character) ?? 0) + 1);
    expect([...counts.values()]).toEqual(Array(57).fill(4));
  });

  it.each([0, 7, 5000])('refuses a length of %d', (length) => {
    expect(() => generateSecret('hex', length, randomBytes)).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });
});

describe('a fingerprint', () => {
  it('knows its secret again and no other', () => {
    const known = takeFingerprint('s3cret', randomBytes);
    expect(matchesFingerprint('s3cret', known)).toBe(true);
    expect(matchesFingerprint('s3cret ', known)).toBe(false);
  });

  it('differs from host to host, and stays the same for ever on one', () => {
    expect(takeFingerprint('x', randomBytes)).not.toEqual(takeFingerprint('x', randomBytes));
    expect(fingerprintSecret('s3cret', '00112233445566778899aabbccddeeff')).toMatchInlineSnapshot(
      `"7ad15442c0a7037f08b70dfaac207b9894d2403ca9dde95a08a7ae2ecc47416c"`,
    );
  });
});
