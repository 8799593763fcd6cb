// Secrets: made from random bytes, remembered as salted fingerprints. Rule: a secret is never in an error, and every character is equally likely.
import { scryptSync, timingSafeEqual } from 'node:crypto';
import { ToolError } from './error.ts';
import type { SecretKind } from './secret-rule.ts';

/** Bytes from a cryptographic source, as many as asked for. */
export type RandomBytes = (bytes: number) => Uint8Array;

/** What install.json keeps of a secret. */
export interface Fingerprint {
  /** 16 bytes in hex. */
  readonly salt: string;
  readonly fingerprint: string;
}

const HEX = '0123456789abcdef';
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Letters and digits that people do not mix up (no 0 O 1 I l); safe in .env files, URLs, shells and SQL. */
const PASSWORD = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
const ALPHABETS = { hex: HEX, base64url: BASE64URL, password: PASSWORD } as const;
const LENGTHS = { hex: 64, base64url: 43, password: 24 } as const;

/** A new secret of `length` characters (default 64 hex, 43 base64url, 24 password; a uuid has its own length). Throws E_CONFIG below 8 or above 1024. */
export function generateSecret(kind: SecretKind, length: number | undefined, random: RandomBytes): string {
  if (kind === 'uuid') return generateUuid(random);
  const count = length ?? LENGTHS[kind];
  if (count < 8 || count > 1024) {
    throw new ToolError('E_CONFIG', `a secret of ${count} characters`, { hint: 'Give `length` between 8 and 1024 in slipway.yaml.' });
  }
  return pickCharacters(ALPHABETS[kind], count, random);
}

/** A fingerprint with a new salt. */
export function takeFingerprint(secret: string, random: RandomBytes): Fingerprint {
  const salt = Buffer.from(random(16)).toString('hex');
  return { salt, fingerprint: fingerprintSecret(secret, salt) };
}

/** The salted fingerprint of a secret (scrypt, about 10 ms), in hex. */
export function fingerprintSecret(secret: string, salt: string): string {
  return scryptSync(secret, Buffer.from(salt, 'hex'), 32, { N: 4096, r: 8, p: 1 }).toString('hex');
}

/** True when the secret is the one that the fingerprint was taken of. */
export function matchesFingerprint(secret: string, known: Fingerprint): boolean {
  const found = Buffer.from(fingerprintSecret(secret, known.salt));
  const expected = Buffer.from(known.fingerprint);
  return found.length === expected.length && timingSafeEqual(found, expected);
}

/** Bytes beyond the last whole multiple of the alphabet are thrown away, for they would favour its first characters. */
function pickCharacters(alphabet: string, count: number, random: RandomBytes): string {
  const limit = 256 - (256 % alphabet.length);
  let picked = '';
  while (picked.length < count) {
    for (const byte of random(count - picked.length)) {
      if (byte < limit) picked += alphabet[byte % alphabet.length];
    }
  }
  return picked;
}

/** A version 4 UUID (RFC 9562 §5.4). */
function generateUuid(random: RandomBytes): string {
  const bytes = Buffer.from(random(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
