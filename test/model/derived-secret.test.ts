// Secrets made from other variables.
import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { hashBcrypt } from '../../src/model/bcrypt.ts';
import { type Derivation, deriveSecrets, makeJwt } from '../../src/model/derived-secret.ts';
import { takeFingerprint } from '../../src/model/secret.ts';
import type { Variables } from '../../src/model/settings.ts';

const NOW = new Date('2026-03-15T10:00:00Z');
const VARIABLES: Variables = {
  KEY: { secret: 'hex' },
  ANON: { secret: { jwt: 'KEY', claims: { role: 'anon' }, expires: 60 } },
  PASS: { secret: 'password' },
  HASH: { secret: { bcrypt: 'PASS' } },
};

function derive(before: Record<string, string>, after: Record<string, string>, more: Partial<Derivation> = {}): Record<string, string> {
  const [was, is] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const wish = { variables: VARIABLES, before: was, after: is, given: new Set<string>(), origins: {}, random: randomBytes, now: NOW };
  return Object.fromEntries(deriveSecrets({ ...wish, ...more }));
}

describe('a derived secret', () => {
  it('is made when it has no value and its origin has one', () => {
    const made = derive({}, { KEY: 'k', PASS: 'p' });
    expect(Object.keys(made)).toEqual(['ANON', 'HASH']);
    expect(derive({}, { KEY: 'k', PASS: '' })).not.toHaveProperty('HASH');
  });

  it('is made again when its origin changes, and never otherwise', () => {
    const old = { KEY: 'k', ANON: 'made', PASS: 'p', HASH: 'made' };
    expect(derive(old, old)).toEqual({});
    expect(Object.keys(derive(old, { ...old, PASS: 'other' }))).toEqual(['HASH']);
  });

  it('is made again when its origin was changed by hand since it was made', () => {
    const edited = { KEY: 'edited', ANON: 'made' };
    const origins = { ANON: takeFingerprint('k', randomBytes) };
    expect(Object.keys(derive(edited, edited, { origins }))).toEqual(['ANON']);
    expect(derive({ KEY: 'k', ANON: 'made' }, { KEY: 'k', ANON: 'made' }, { origins })).toEqual({});
  });

  it('stays as a person gave it', () => {
    expect(derive({ KEY: 'k' }, { KEY: 'new', ANON: 'mine' }, { given: new Set(['ANON']) })).toEqual({});
  });
});

describe('a JSON Web Token', () => {
  it('carries its claims, when it was made and when it ends, under a signature of the origin', () => {
    const token = makeJwt('key', { jwt: 'KEY', claims: { role: 'anon', admin: false }, expires: 60 }, NOW);
    const [head = '', body = '', signature] = token.split('.');
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
    expect(read(head)).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(read(body)).toEqual({ iat: 1_773_568_800, exp: 1_773_568_860, role: 'anon', admin: false });
    expect(signature).toBe(createHmac('sha256', 'key').update(`${head}.${body}`).digest('base64url'));
  });

  it('lasts for ever without `expires`', () => {
    const [, body = ''] = makeJwt('key', { jwt: 'KEY', claims: {} }, NOW).split('.');
    expect(JSON.parse(Buffer.from(body, 'base64url').toString())).toEqual({ iat: 1_773_568_800 });
  });
});

describe('a bcrypt hash', () => {
  it.each([
    ['', 'DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.'],
    ['a', 'm0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe'],
    ['abc', 'If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
    ['abcdefghijklmnopqrstuvwxyz', '.rCVZVOThsIa97pEDOxvGuRRgzG64bvtJ0938xuqzv18d3ZpQhstC'],
  ])('of %j is the published one', (password, expected) => {
    expect(hashBcrypt(password, () => decodeSalt(expected.slice(0, 22)), 6)).toBe(`$2b$06$${expected}`);
  });

  it.skipIf(!canCrypt())('is what the C library makes of any password and salt', () => {
    for (const password of ['x', 'correct horse battery staple', 'größer 🚀', '$2b$10$', 'a'.repeat(72), `${'é'.repeat(36)}`]) {
      const hash = hashBcrypt(password, randomBytes, 4);
      expect([password, crypt(password, hash)]).toEqual([password, hash]);
      expect(crypt(`${password.slice(0, -1)}!`, hash)).not.toBe(hash);
    }
  });

  it('of more than bcrypt looks at is refused', () => {
    expect(() => hashBcrypt('a'.repeat(73), randomBytes)).toThrow(/72 bytes/);
  });
});

/** bcrypt's base64, back to 16 bytes. */
function decodeSalt(text: string): Buffer {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const [theirs, usual] = [`./${letters}`, `${letters}+/`];
  return Buffer.from([...text].map((letter) => usual[theirs.indexOf(letter)]).join(''), 'base64').subarray(0, 16);
}

/** crypt(3) of this system, through perl. */
function crypt(password: string, hash: string): string {
  const script = 'binmode(STDOUT); my $p = <STDIN>; print crypt($p, $ARGV[0])';
  return execFileSync('perl', ['-e', script, hash], { input: password }).toString();
}

function canCrypt(): boolean {
  try {
    return crypt('x', `$2b$04$${'.'.repeat(22)}`).startsWith('$2b$04$');
  } catch {
    return false;
  }
}
