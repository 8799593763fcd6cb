// What a signature is for. Rule: the signed comment names role, product, subject and content, so that no signature serves in another's place.
import { digestOf, hexOf } from './digest.ts';
import { ToolError } from './error.ts';
import { type PublicKey, type SecretKey, sign, verify } from './minisign.ts';

export type SignedRole = 'bundle' | 'sums' | 'channel' | 'key';

/** What is signed and as what: `subject` is a version, a channel's name or a key id. */
export interface Statement {
  readonly role: SignedRole;
  readonly product: string;
  readonly subject: string;
  readonly content: Uint8Array;
}

export interface SignedStatement extends Statement {
  /** The four lines of a minisign signature. */
  readonly signature: string;
  readonly publicKey: PublicKey;
}

/** The trusted comment of a statement: `slipway <role> <product> <subject> <sha256 of the content>` (formats.md). */
export function trustedCommentFor(statement: Statement): string {
  const words = [statement.role, statement.product, statement.subject];
  const bad = words.find((word) => !/^[A-Za-z0-9._+-]{1,200}$/.test(word));
  if (bad !== undefined)
    throw new ToolError('E_FORMAT', `${JSON.stringify(bad)} cannot be named in a signature: letters, digits and . _ + - only`);
  return `slipway ${words.join(' ')} ${hexOf(digestOf(statement.content))}`;
}

/** Signs a statement; gives the four lines of a .minisig file. */
export function signStatement(statement: Statement, secretKey: SecretKey): string {
  return sign(statement.content, secretKey, trustedCommentFor(statement));
}

/**
 * Checks that `signature` was made by this key over this content, for this role, product and subject.
 * Throws E_WRONG_PRODUCT, E_WRONG_TYPE (another role), or E_SIGNATURE for anything else.
 */
export function verifySigned(signed: SignedStatement): { readonly keyId: string } {
  const where = `${signed.role} of ${signed.product} ${signed.subject}`;
  const { trustedComment, keyId } = verify(signed.content, signed.signature, signed.publicKey, where);
  if (trustedComment === trustedCommentFor(signed)) return { keyId };
  throw misuse(trustedComment.split(' '), signed, where);
}

function misuse(words: readonly string[], signed: SignedStatement, where: string): ToolError {
  const [maker, role, product, subject] = words;
  const hint = 'The signature is genuine but was made for something else; take the file and its signature from the same release.';
  if (maker !== 'slipway' || words.length !== 5) return new ToolError('E_SIGNATURE', `${where}: not signed as a Slipway file`, { hint });
  if (product !== signed.product) return new ToolError('E_WRONG_PRODUCT', `${where}: signed for the product ${product}`, { hint });
  if (role !== signed.role) return new ToolError('E_WRONG_TYPE', `${where}: signed as ${role}, not as ${signed.role}`, { hint });
  if (subject !== signed.subject) return new ToolError('E_SIGNATURE', `${where}: signed as ${subject}, not as ${signed.subject}`, { hint });
  return new ToolError('E_SIGNATURE', `${where}: the signed comment names other content`, { hint });
}
