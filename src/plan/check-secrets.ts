// Checks of secrets: what they are made from, and what may be done with them. Rule: found by `check`, for on a server it would be too late.
import { BCRYPT_BYTES } from '../model/bcrypt.ts';
import type { ProblemText } from '../model/problem.ts';
import type { Product } from '../model/product.ts';
import { originOf } from '../model/secret-rule.ts';

/** Derived secrets without an origin, and rules that need a secret. */
export function checkSecrets(product: Product): ProblemText[] {
  return Object.keys(product.env).flatMap((name) => [
    ...checkOrigin(product, name),
    ...checkReveal(product, name),
    ...checkRotate(product, name),
  ]);
}

function checkOrigin({ env }: Product, name: string): ProblemText[] {
  const { secret, length, immutable } = env[name] ?? {};
  const origin = originOf(secret);
  if (origin === undefined || typeof secret !== 'object') return [];
  const path = ['env', name, 'secret'];
  const from = Object.hasOwn(env, origin) ? env[origin] : undefined;
  const problem = (message: string, hint: string): ProblemText[] => [
    { code: 'E_SECRET_ORIGIN', path, message: `env.${name} ${message}`, hint },
  ];
  if (from === undefined) return problem(`is made from ${origin}, which is no variable`, `Declare env.${origin}, for example as a secret.`);
  if (originOf(from.secret) !== undefined)
    return problem(`is made from ${origin}, which is derived itself`, 'Derive both from the same variable.');
  if (length !== undefined) return problem('is derived, so its length follows', 'Remove length.');
  if (immutable === true) return problem(`is derived, and so changes with ${origin}`, `Remove immutable here; env.${origin} may have it.`);
  if ('bcrypt' in secret && (from.length ?? 0) > BCRYPT_BYTES) {
    return problem(
      `is a bcrypt hash of ${origin}, of which only ${BCRYPT_BYTES} characters would count`,
      `Make env.${origin}.length ${BCRYPT_BYTES} or less.`,
    );
  }
  return [];
}

function checkReveal({ env }: Product, name: string): ProblemText[] {
  const { reveal, secret } = env[name] ?? {};
  if (reveal === undefined || typeof secret === 'string') return [];
  const message = `env.${name}.reveal shows what was generated, and ${name} is not`;
  return [{ code: 'E_REVEAL', path: ['env', name, 'reveal'], message, hint: 'Remove reveal, or add secret: password.' }];
}

function checkRotate({ env }: Product, name: string): ProblemText[] {
  const { rotate, secret } = env[name] ?? {};
  if (rotate === undefined || typeof secret === 'string') return [];
  const message = `env.${name}.rotate takes a generated value into use, and ${name} is not generated`;
  return [{ code: 'E_ROTATE', path: ['env', name, 'rotate'], message, hint: 'Remove rotate, or add secret: password.' }];
}
