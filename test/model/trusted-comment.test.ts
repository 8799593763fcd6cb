import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { digestOf, hexOf } from '../../src/model/digest.ts';
import { generateKeyPair, parseSecretKey, sign } from '../../src/model/minisign.ts';
import { type Statement, signStatement, trustedCommentFor, verifySigned } from '../../src/model/trusted-comment.ts';

const secretKey = parseSecretKey(generateKeyPair((bytes) => randomBytes(bytes)).secretKeyText);
const publicKey = secretKey.publicKey;
const content = Buffer.from('{"product":"acme"}');
const statement: Statement = { role: 'bundle', product: 'acme', subject: '2.4.0', content };

test('the comment is the one the format pins', () => {
  expect(trustedCommentFor(statement)).toBe(`slipway bundle acme 2.4.0 ${hexOf(digestOf(content))}`);
});

test('a signed statement is accepted as what it is', () => {
  expect(verifySigned({ ...statement, signature: signStatement(statement, secretKey), publicKey })).toEqual({ keyId: secretKey.keyId });
});

test.each([
  ['another product', { product: 'other' }, 'E_WRONG_PRODUCT', 'bundle of other 2.4.0: signed for the product acme'],
  ['another role', { role: 'sums' }, 'E_WRONG_TYPE', 'sums of acme 2.4.0: signed as bundle, not as sums'],
  ['another version', { subject: '2.5.0' }, 'E_SIGNATURE', 'bundle of acme 2.5.0: signed as 2.4.0, not as 2.5.0'],
  ['other content', { content: Buffer.from('x') }, 'E_SIGNATURE', 'bundle of acme 2.4.0: the content is not what was signed'],
] as const)('a genuine signature does not serve for %s', (_, wanted, code, message) => {
  const signature = signStatement(statement, secretKey);
  expect(() => verifySigned({ ...statement, ...wanted, signature, publicKey })).toThrowError(expect.objectContaining({ code, message }));
});

test('a genuine signature made by hand for no purpose is refused', () => {
  const signature = sign(content, secretKey, 'timestamp:1700000000 file:bundle.json');
  expect(() => verifySigned({ ...statement, signature, publicKey })).toThrowError(/not signed as a Slipway file/);
});

test('a comment that names other content is refused even when the key signed it', () => {
  const signature = sign(content, secretKey, `slipway bundle acme 2.4.0 ${'0'.repeat(64)}`);
  expect(() => verifySigned({ ...statement, signature, publicKey })).toThrowError(/names other content/);
});

test('words that would change the meaning of the comment cannot be signed', () => {
  expect(() => trustedCommentFor({ ...statement, subject: '2.4.0 extra' })).toThrowError(expect.objectContaining({ code: 'E_FORMAT' }));
  expect(() => trustedCommentFor({ ...statement, product: '' })).toThrowError(expect.objectContaining({ code: 'E_FORMAT' }));
});
