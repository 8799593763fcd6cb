// How a product changes its signing key (contract: slipway/key@1). Rule: the old key itself names the new one, in a statement that is never changed; installs follow them one after the other.
import { ToolError } from './error.ts';
import { canonicalJson } from './json.ts';
import { type PublicKey, parsePublicKey } from './minisign.ts';
import { parseFields, parseJson, parseMoment, parseOptional, parseText, parseType } from './parse.ts';
import { verifySigned } from './trusted-comment.ts';

export const KEY_TYPE = 'slipway/key@1';
export const STATEMENT_MAX_BYTES = 64 * 1024;

export interface KeyStatement {
  readonly type: typeof KEY_TYPE;
  readonly product: string;
  /** minisign public keys. */
  readonly old: string;
  readonly new: string;
  readonly issued: string;
  readonly reason: string | null;
}

/** Where a host has the statement of this key; its signature is beside it, with `.minisig`. */
export function statementPath(keyId: string): string {
  return `keys/${keyId}.json`;
}

/** The bytes that are signed. */
export function printKeyStatement(statement: KeyStatement): string {
  return canonicalJson(statement);
}

export interface ExpectedStatement {
  readonly product: string;
  /** The trusted key, which must have signed. */
  readonly old: PublicKey;
  readonly minisig: string;
  /** Where the text came from, for messages. */
  readonly where: string;
}

/** The key that a statement names as the next one. Throws E_SIGNATURE, E_WRONG_PRODUCT, E_WRONG_TYPE or E_FORMAT: a statement that is there and wrong is never passed over. */
export function verifyKeyStatement(text: string, { product, old, minisig, where }: ExpectedStatement): PublicKey {
  verifySigned({ role: 'key', product, subject: old.keyId, content: Buffer.from(text), signature: minisig, publicKey: old });
  const statement = parseKeyStatement(text, where);
  if (statement.product !== product) {
    throw new ToolError('E_WRONG_PRODUCT', `${where}: it is of ${statement.product}, expected ${product}`, {
      hint: 'Is the release location that of this product?',
    });
  }
  const next = parsePublicKey(statement.new, `${where}: new`);
  if (parsePublicKey(statement.old, `${where}: old`).text === old.text && next.text !== old.text) return next;
  throw new ToolError('E_FORMAT', `${where}: it does not lead from the key ${old.keyId} to another one`, { hint: 'Tell the vendor.' });
}

/** Parses a statement. Verify its signature too. */
export function parseKeyStatement(text: string, where: string): KeyStatement {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, KEY_TYPE, where);
  return {
    type: KEY_TYPE,
    product: parseText(f.product, `${where}: product`),
    old: parseText(f.old, `${where}: old`),
    new: parseText(f.new, `${where}: new`),
    issued: parseMoment(f.issued, `${where}: issued`),
    reason: parseOptional(f.reason, `${where}: reason`, parseText) ?? null,
  };
}
