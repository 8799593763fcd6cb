// bcrypt (Provos and Mazières, USENIX 1999), as `$2b$` hashes that every login library reads. Rule: only hashes; who logs in is checked by the product.
// Its tables are the binary digits of pi, so they are computed and not kept.
import { ToolError } from './error.ts';
import type { RandomBytes } from './secret.ts';

/** What bcrypt takes of a password; the rest would not count. */
export const BCRYPT_BYTES = 72;

const COST = 10;
const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const MAGIC = 'OrpheanBeholderScryDoubt';
const P_WORDS = 18;
const WORDS = P_WORDS + 4 * 256;

/** The bcrypt hash of a password with a new salt. Throws E_ANSWER for one longer than bcrypt can tell apart. */
export function hashBcrypt(password: string, random: RandomBytes, cost = COST): string {
  const key = Buffer.from(`${password}\0`);
  if (key.length > BCRYPT_BYTES + 1) {
    throw new ToolError('E_ANSWER', `bcrypt takes at most ${BCRYPT_BYTES} bytes, and the value to hash is longer`, {
      hint: 'Choose a shorter one.',
    });
  }
  const salt = Buffer.from(random(16));
  const head = `$2b$${String(cost).padStart(2, '0')}$`;
  return `${head}${encode(salt)}${encode(digestOf(key.subarray(0, BCRYPT_BYTES), salt, cost).subarray(0, 23))}`;
}

/** P-array and S-boxes in one array, and the two halves of the block at hand. */
interface Cipher {
  readonly words: Uint32Array;
  left: number;
  right: number;
}

function digestOf(key: Buffer, salt: Buffer, cost: number): Buffer {
  const cipher: Cipher = { words: piWords().slice(), left: 0, right: 0 };
  const [keyWords, saltWords] = [cycle(key, P_WORDS), cycle(salt, 4)];
  mix(cipher, keyWords, saltWords);
  for (let round = 2 ** cost; round > 0; round -= 1) {
    mix(cipher, keyWords, NO_SALT);
    mix(cipher, cycle(salt, P_WORDS), NO_SALT);
  }
  const text = cycle(Buffer.from(MAGIC), 6);
  const out = Buffer.alloc(24);
  for (let block = 0; block < 6; block += 2) {
    cipher.left = text[block] ?? 0;
    cipher.right = text[block + 1] ?? 0;
    for (let time = 0; time < 64; time += 1) encrypt(cipher);
    out.writeUInt32BE(cipher.left >>> 0, block * 4);
    out.writeUInt32BE(cipher.right >>> 0, block * 4 + 4);
  }
  return out;
}

const NO_SALT = new Uint32Array(4);

/** ExpandKey: the key goes into the P-array, and all words are replaced by what the cipher makes of the salt. */
function mix(cipher: Cipher, key: Uint32Array, salt: Uint32Array): void {
  const { words } = cipher;
  for (let index = 0; index < P_WORDS; index += 1) words[index] = (words[index] ?? 0) ^ (key[index] ?? 0);
  cipher.left = 0;
  cipher.right = 0;
  for (let index = 0; index < WORDS; index += 2) {
    cipher.left ^= salt[index & 3] ?? 0;
    cipher.right ^= salt[(index + 1) & 3] ?? 0;
    encrypt(cipher);
    words[index] = cipher.left;
    words[index + 1] = cipher.right;
  }
}

/** One block through Blowfish's sixteen rounds. */
function encrypt(cipher: Cipher): void {
  const { words } = cipher;
  let left = cipher.left ^ (words[0] ?? 0);
  let right = cipher.right;
  for (let round = 1; round <= 16; round += 2) {
    right ^= feistel(words, left) ^ (words[round] ?? 0);
    left ^= feistel(words, right) ^ (words[round + 1] ?? 0);
  }
  cipher.left = right ^ (words[17] ?? 0);
  cipher.right = left;
}

/** The S-boxes lie behind the P-array, one after the other. */
function feistel(words: Uint32Array, x: number): number {
  const box = (number: number, byte: number): number => words[P_WORDS + number * 256 + (byte & 255)] ?? 0;
  return (((box(0, x >>> 24) + box(1, x >>> 16)) ^ box(2, x >>> 8)) + box(3, x)) | 0;
}

/** The bytes over and over, as big-endian words. */
function cycle(bytes: Buffer, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, word) =>
    [0, 1, 2, 3].reduce((value, byte) => ((value << 8) | (bytes[(word * 4 + byte) % bytes.length] ?? 0)) >>> 0, 0),
  );
}

let pi: Uint32Array | undefined;

/** The first binary digits of pi behind its point, by Machin's formula: pi/4 = 4 arctan(1/5) - arctan(1/239). */
function piWords(): Uint32Array {
  if (pi !== undefined) return pi;
  const spare = 64n;
  const bits = BigInt(WORDS * 32);
  const one = 1n << (bits + spare);
  const digits = ((16n * arctanOfOneIn(5n, one) - 4n * arctanOfOneIn(239n, one)) >> spare) & ((1n << bits) - 1n);
  const hex = digits.toString(16).padStart(WORDS * 8, '0');
  pi = Uint32Array.from({ length: WORDS }, (_, index) => Number.parseInt(hex.slice(index * 8, index * 8 + 8), 16));
  return pi;
}

function arctanOfOneIn(x: bigint, one: bigint): bigint {
  let power = one / x;
  let sum = power;
  for (let n = 3n, sign = -1n; power > 0n; n += 2n, sign = -sign) {
    power /= x * x;
    sum += (sign * power) / n;
  }
  return sum;
}

/** bcrypt's own base64: another alphabet, no padding. */
function encode(bytes: Uint8Array): string {
  const standard = Buffer.from(bytes).toString('base64').replace(/=+$/, '');
  const usual = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return [...standard].map((letter) => ALPHABET[usual.indexOf(letter)]).join('');
}
