// minisign keys and signatures, in minisign's own formats. Rule: one form is written and read (Ed25519 over BLAKE2b-512, keys without a password);
// everything else is refused by name. Format: https://jedisct1.github.io/minisign/#signature-format
import { createHash, createPrivateKey, createPublicKey, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto';
import { ToolError } from './error.ts';

const UNTRUSTED = 'untrusted comment: ';
const TRUSTED = 'trusted comment: ';
const MOST_TEXT = 4096; // more than any key or signature with a comment of 1024 bytes
const MOST_COMMENT = 1024;
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex'); // RFC 8410 §7: then the 32 bytes of the seed
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex'); // RFC 8410 §4: then the 32 bytes of the key

/** A public key; `text` is the one line of base64 that configuration holds, `keyId` what people compare. */
export interface PublicKey {
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** A secret key; the key object shows nothing of itself when printed. */
export interface SecretKey {
  readonly keyId: string;
  readonly key: KeyObject;
  readonly publicKey: PublicKey;
}

export interface KeyPairText {
  readonly secretKeyText: string;
  readonly publicKeyText: string;
  readonly keyId: string;
}

/** Parses a public key: the bare `RW…` line or the two lines of a .pub file; throws E_FORMAT. */
export function parsePublicKey(text: string, where = 'public key'): PublicKey {
  const bytes = decodeKeyLine(text, 42);
  if (bytes === undefined || bytes.toString('latin1', 0, 2) !== 'Ed') {
    throw new ToolError('E_FORMAT', `${where}: not a minisign public key`, {
      hint: 'A public key is one line of 56 characters that starts with RW; `slipway keys show` prints yours.',
    });
  }
  return publicKeyOf(bytes.subarray(2, 10), bytes.subarray(10));
}

/**
 * Parses the contents of a secret key file made by `slipway keys new` or `minisign -G -W`. Also takes the base64 line alone,
 * and line ends written as `\n`, as CI variables often hold them. Throws E_CONFIG; the error never holds any of the text.
 */
export function parseSecretKey(text: string, where = 'secret key'): SecretKey {
  const bytes = decodeKeyLine(text.replaceAll('\\n', '\n'), 158);
  if (bytes === undefined || bytes.toString('latin1', 0, 2) !== 'Ed') throw notASecretKey(where);
  if (bytes[2] !== 0 || bytes[3] !== 0) {
    throw new ToolError('E_CONFIG', `${where}: the secret key is protected by a password`, {
      hint: 'Use a key without one: `slipway keys new`, or remove it with `minisign -C -W -s FILE`.',
    });
  }
  const key = privateKeyOf(bytes.subarray(62, 94));
  const publicKey = publicKeyOf(bytes.subarray(54, 62), rawPublicKey(key));
  if (!bytes.subarray(94, 126).equals(publicKey.bytes)) throw notASecretKey(where);
  return { keyId: publicKey.keyId, key, publicKey };
}

/** Makes a new key pair without a password; `random` gives so many bytes from a secure source. */
export function generateKeyPair(random: (bytes: number) => Buffer): KeyPairText {
  const id = random(8);
  const seed = random(32);
  const publicKey = publicKeyOf(id, rawPublicKey(privateKeyOf(seed)));
  // algorithm, no kdf, BLAKE2b checksum; salt and limits; id, seed, public key; a checksum, zero without a password
  const secret = Buffer.concat([Buffer.from('Ed\0\0B2'), Buffer.alloc(48), id, seed, publicKey.bytes, Buffer.alloc(32)]);
  return {
    secretKeyText: `${UNTRUSTED}minisign encrypted secret key\n${secret.toString('base64')}\n`,
    publicKeyText: `${UNTRUSTED}minisign public key ${publicKey.keyId}\n${publicKey.text}\n`,
    keyId: publicKey.keyId,
  };
}

/** Signs `content`; gives the four lines of a .minisig file. The trusted comment is signed too. */
export function sign(content: Uint8Array, secretKey: SecretKey, trustedComment: string): string {
  if (!isComment(trustedComment)) throw new TypeError('a trusted comment is one line of at most 1024 printable bytes');
  const signature = cryptoSign(null, prehash(content), secretKey.key);
  const line = Buffer.concat([Buffer.from('ED'), idBytes(secretKey.keyId), signature]);
  const global = cryptoSign(null, Buffer.concat([signature, Buffer.from(trustedComment)]), secretKey.key);
  return [
    `${UNTRUSTED}signature from key ${secretKey.keyId}`,
    line.toString('base64'),
    `${TRUSTED}${trustedComment}`,
    global.toString('base64'),
    '',
  ].join('\n');
}

/** Checks a signature and its trusted comment against one key; throws E_SIGNATURE saying which of them is wrong. `where` names what was signed. */
export function verify(
  content: Uint8Array,
  signatureText: string,
  publicKey: PublicKey,
  where = 'signature',
): { readonly trustedComment: string; readonly keyId: string } {
  const { keyId, signature, trustedComment, global } = parseSignature(signatureText, where);
  if (keyId !== publicKey.keyId) {
    throw new ToolError('E_SIGNATURE', `${where}: signed by key ${keyId}, not by the trusted key ${publicKey.keyId}`, {
      hint: 'Take the files from the publisher you trust. If the publisher changed the key, get the new one by another route.',
    });
  }
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, publicKey.bytes]), format: 'der', type: 'spki' });
  if (!cryptoVerify(null, prehash(content), key, signature)) throw refusal(where, 'the content is not what was signed');
  const commented = Buffer.concat([signature, Buffer.from(trustedComment)]);
  if (!cryptoVerify(null, commented, key, global)) throw refusal(where, 'the trusted comment is not what was signed');
  return { trustedComment, keyId };
}

/** The id of the key that a signature says it is from; throws E_SIGNATURE for what is none. */
export function signerIdOf(signatureText: string, where: string): string {
  return parseSignature(signatureText, where).keyId;
}

interface Signature {
  readonly keyId: string;
  readonly signature: Buffer;
  readonly trustedComment: string;
  readonly global: Buffer;
}

function parseSignature(text: string, where: string): Signature {
  const lines = text.length > MOST_TEXT ? [] : text.replace(/\n$/, '').split('\n');
  const [untrusted = '', first = '', trusted = '', second = ''] = lines;
  const bytes = decodeBase64(first, 74);
  const global = decodeBase64(second, 64);
  const trustedComment = trusted.slice(TRUSTED.length);
  const formed = lines.length === 4 && untrusted.startsWith(UNTRUSTED) && trusted.startsWith(TRUSTED) && isComment(trustedComment);
  if (!formed || bytes === undefined || global === undefined) throw refusal(where, 'not a minisign signature of four lines');
  const algorithm = bytes.toString('latin1', 0, 2);
  if (algorithm !== 'ED')
    throw refusal(where, `signed with ${algorithm === 'Ed' ? 'the legacy algorithm' : 'an unknown algorithm'}, expected ED`);
  return { keyId: keyIdOf(bytes.subarray(2, 10)), signature: bytes.subarray(10), trustedComment, global };
}

/** The bytes of the last line of a key's text: the base64 line alone, or after a comment line. */
function decodeKeyLine(text: string, length: number): Buffer | undefined {
  if (text.length > MOST_TEXT) return undefined;
  const lines = text.trim().split(/\r?\n/);
  const commented = lines.length === 2 && lines[0]?.startsWith(UNTRUSTED);
  if (lines.length !== 1 && !commented) return undefined;
  return decodeBase64((lines.at(-1) ?? '').trim(), length);
}

/** Exactly `length` bytes in the one form that base64 has for them, or undefined. */
function decodeBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined;
}

function publicKeyOf(id: Uint8Array, bytes: Uint8Array): PublicKey {
  const text = Buffer.concat([Buffer.from('Ed'), id, bytes]).toString('base64');
  return { keyId: keyIdOf(id), bytes: Uint8Array.from(bytes), text };
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
}

function rawPublicKey(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI_ED25519.length);
}

/** The id as minisign prints it: the eight bytes are a little-endian number. */
function keyIdOf(id: Uint8Array): string {
  return Buffer.from(id).reverse().toString('hex').toUpperCase();
}

function idBytes(keyId: string): Buffer {
  return Buffer.from(keyId, 'hex').reverse();
}

function prehash(content: Uint8Array): Buffer {
  return createHash('blake2b512').update(content).digest();
}

function isComment(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is refused here
  return Buffer.byteLength(text) <= MOST_COMMENT && !/[\u0000-\u001f\u007f]/.test(text);
}

function notASecretKey(where: string): ToolError {
  return new ToolError('E_CONFIG', `${where}: not a minisign secret key`, {
    hint: 'Give the contents of the file that `slipway keys new` or `minisign -G -W` wrote, both lines or the second one.',
  });
}

function refusal(where: string, why: string): ToolError {
  return new ToolError('E_SIGNATURE', `${where}: ${why}`, {
    hint: 'The file may be damaged or was tampered with; fetch it again from the publisher.',
  });
}
