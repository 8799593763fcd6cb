// Secrets made from other variables: tokens and hashes. Rule: made again when what they are made from changes, and for no other reason.
import { createHmac } from 'node:crypto';
import { hashBcrypt } from './bcrypt.ts';
import { ToolError } from './error.ts';
import { type Fingerprint, matchesFingerprint, type RandomBytes } from './secret.ts';
import { type DerivedSecret, originOf } from './secret-rule.ts';
import type { Variables } from './settings.ts';

export interface Derivation {
  readonly variables: Variables;
  /** What the env files hold now. */
  readonly before: ReadonlyMap<string, string>;
  /** What they will hold: answers and newly generated secrets among them. */
  readonly after: ReadonlyMap<string, string>;
  /** Names that a person gave a value just now: those stay as given. */
  readonly given: ReadonlySet<string>;
  /** Fingerprints of what derived secrets were made from, by their names. */
  readonly origins: Readonly<Record<string, Fingerprint>>;
  readonly random: RandomBytes;
  readonly now: Date;
}

/** New values for the derived secrets that have none, or whose origin is no longer what they were made from. */
export function deriveSecrets(wish: Derivation): Map<string, string> {
  return new Map(
    Object.entries(wish.variables).flatMap(([name, { secret }]): [string, string][] => {
      const origin = originOf(secret);
      const value = origin === undefined ? '' : (wish.after.get(origin) ?? '');
      if (origin === undefined || typeof secret !== 'object' || value === '' || !isDue(name, origin, wish)) return [];
      return [[name, deriveSecret(secret, value, { ...wish, name, origin })]];
    }),
  );
}

/** A JSON Web Token, signed with HS256 (RFC 7519). A claim of its own named `iat` or `exp` wins. */
export function makeJwt(secret: string, { claims, expires }: Extract<DerivedSecret, { jwt: string }>, now: Date): string {
  const at = Math.floor(now.getTime() / 1000);
  const times = { iat: at, ...(expires === undefined ? {} : { exp: at + expires }) };
  const signed = [
    { alg: 'HS256', typ: 'JWT' },
    { ...times, ...claims },
  ]
    .map(base64url)
    .join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function isDue(name: string, origin: string, { before, after, given, origins }: Derivation): boolean {
  if (given.has(name)) return false;
  if ((after.get(name) ?? '') === '') return true;
  const known = Object.hasOwn(origins, name) ? origins[name] : undefined;
  if (known !== undefined) return !matchesFingerprint(after.get(origin) ?? '', known);
  return before.get(origin) !== after.get(origin);
}

interface Making extends Pick<Derivation, 'random' | 'now'> {
  readonly name: string;
  readonly origin: string;
}

function deriveSecret(rule: DerivedSecret, value: string, { random, now, name, origin }: Making): string {
  if ('jwt' in rule) return makeJwt(value, rule, now);
  try {
    return hashBcrypt(value, random);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new ToolError('E_ANSWER', `${name} is made from ${origin}: ${error.message}`, { hint: `Choose a shorter ${origin}.` });
  }
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
