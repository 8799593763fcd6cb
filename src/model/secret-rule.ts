// How a secret comes to be. Rule: generated once from random bytes, or made from another variable and then never out of step with it.
import { ToolError } from './error.ts';
import { type Fields, parseCount, parseFields, parseMap, parseOptional, parseText } from './parse.ts';

export const SECRET_KINDS = ['hex', 'base64url', 'password', 'uuid'] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];

export type Claim = string | number | boolean;

export type DerivedSecret =
  /** A JSON Web Token (HS256), signed with the variable `jwt`; `expires` in seconds after it was made. */
  | { readonly jwt: string; readonly claims: Readonly<Record<string, Claim>>; readonly expires?: number }
  /** The bcrypt hash of a variable. */
  | { readonly bcrypt: string };

export type SecretRule = SecretKind | DerivedSecret;

/** The variable that a secret is made from, or undefined when it is made from nothing. */
export function originOf(rule: SecretRule | undefined): string | undefined {
  if (rule === undefined || typeof rule === 'string') return undefined;
  return 'jwt' in rule ? rule.jwt : rule.bcrypt;
}

/** Parses the `secret` of a manifest's variable. */
export function parseSecretRule(value: unknown, where: string): SecretRule {
  const kind = SECRET_KINDS.find((each) => each === value);
  if (kind !== undefined) return kind;
  if (typeof value !== 'object') throw unknownRule(where);
  const f = parseFields(value, where);
  if (f.bcrypt !== undefined) return { bcrypt: parseText(f.bcrypt, `${where}.bcrypt`) };
  if (f.jwt === undefined) throw unknownRule(where);
  return parseJwt(f, where);
}

function parseJwt(f: Fields, where: string): DerivedSecret {
  const expires = parseOptional(f.expires, `${where}.expires`, parseCount);
  const claims = parseMap(f.claims ?? {}, `${where}.claims`, parseClaim);
  return { jwt: parseText(f.jwt, `${where}.jwt`), claims, ...(expires === undefined ? {} : { expires }) };
}

function parseClaim(value: unknown, where: string): Claim {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new ToolError('E_FORMAT', `${where}: expected text, a number, true or false`);
}

function unknownRule(where: string): ToolError {
  return new ToolError('E_FORMAT', `${where}: expected one of ${SECRET_KINDS.join(', ')}, or a derived secret`, {
    hint: 'It was written by a newer program; use that one.',
  });
}
