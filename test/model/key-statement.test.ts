import { describe, expect, test } from 'vitest';
import {
  KEY_TYPE,
  type KeyStatement,
  parseKeyStatement,
  printKeyStatement,
  statementPath,
  verifyKeyStatement,
} from '../../src/model/key-statement.ts';
import { type PublicKey, parsePublicKey, parseSecretKey } from '../../src/model/minisign.ts';
import { type SignedRole, signStatement } from '../../src/model/trusted-comment.ts';
import { type Keys, makeKeys } from '../fakes/release-builder.ts';

const [first, second] = [makeKeys(), makeKeys()];
const statement: KeyStatement = {
  ...{ type: KEY_TYPE, product: 'acme', old: first.publicKey, new: second.publicKey },
  ...{ issued: '2026-03-15T10:00:00Z', reason: 'yearly rotation' },
};

interface Signed {
  readonly text?: string;
  readonly signer?: Keys;
  readonly role?: SignedRole;
  readonly product?: string;
  readonly subject?: string;
}

/** Signed as given, and verified by who trusts the first key of acme. */
function follow({
  text = printKeyStatement(statement),
  signer = first,
  role = 'key',
  product = 'acme',
  subject = first.keyId,
}: Signed): PublicKey {
  const minisig = signStatement({ role, product, subject, content: Buffer.from(text) }, parseSecretKey(signer.secretKeyText));
  return verifyKeyStatement(text, { product: 'acme', old: parsePublicKey(first.publicKey), minisig, where: 'test' });
}

test('a statement is canonical JSON at the place that the old key names, and comes back as it was', () => {
  const text = printKeyStatement(statement);
  expect(text).toBe(
    `{"issued":"2026-03-15T10:00:00Z","new":"${second.publicKey}","old":"${first.publicKey}","product":"acme","reason":"yearly rotation","type":"slipway/key@1"}`,
  );
  expect(parseKeyStatement(text, 'test')).toEqual(statement);
  expect(statementPath(first.keyId)).toBe(`keys/${first.keyId}.json`);
});

test('a genuine statement leads to the key that it names', () => {
  expect(follow({}).text).toBe(second.publicKey);
});

describe('a statement is refused when', () => {
  const changed = (parts: Partial<KeyStatement>): string => printKeyStatement({ ...statement, ...parts });

  test.each<[string, Signed, string]>([
    ['the new key signed it', { signer: second }, 'E_SIGNATURE'],
    ['it was signed for another product', { product: 'other' }, 'E_WRONG_PRODUCT'],
    ['it says another product than it was signed for', { text: changed({ product: 'other' }) }, 'E_WRONG_PRODUCT'],
    ['it was signed as something else', { role: 'channel' }, 'E_WRONG_TYPE'],
    ['it was signed for another key', { subject: second.keyId }, 'E_SIGNATURE'],
    ['it says another old key', { text: changed({ old: makeKeys().publicKey }) }, 'E_FORMAT'],
    ['it leads to itself', { text: changed({ new: first.publicKey }) }, 'E_FORMAT'],
    ['what it leads to is no key', { text: changed({ new: 'RWnonsense' }) }, 'E_FORMAT'],
    ['it is of another type', { text: printKeyStatement(statement).replace('key@1', 'key@2') }, 'E_WRONG_TYPE'],
    ['it is no JSON', { text: 'RW' }, 'E_FORMAT'],
  ])('%s', (_, signed, code) => {
    expect(() => follow(signed)).toThrow(expect.objectContaining({ code }));
  });
});
