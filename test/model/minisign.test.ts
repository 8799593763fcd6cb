import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKeyPair, parsePublicKey, parseSecretKey, sign, verify } from '../../src/model/minisign.ts';
import { fc } from '../property.ts';

const random = (bytes: number): Buffer => randomBytes(bytes);
const pair = generateKeyPair(random);
const secretKey = parseSecretKey(pair.secretKeyText);
const publicKey = parsePublicKey(pair.publicKeyText);
const content = Buffer.from('{"type":"slipway/bundle@1"}');
const signature = sign(content, secretKey, 'slipway bundle acme 2.4.0 00');

function withLine(text: string, index: number, change: (line: string) => string): string {
  return text
    .split('\n')
    .map((line, at) => (at === index ? change(line) : line))
    .join('\n');
}

/** Flips one bit of the bytes of a base64 line. */
function flipBit(line: string, bit: number): string {
  const bytes = Buffer.from(line, 'base64');
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return bytes.toString('base64');
}

describe('keys', () => {
  test('a public key is read from its bare line, from a .pub file, and with Windows line ends', () => {
    expect(publicKey.text).toMatch(/^RW[A-Za-z0-9+/]{54}$/);
    expect(publicKey.keyId).toBe(pair.keyId);
    expect(parsePublicKey(publicKey.text)).toEqual(publicKey);
    expect(parsePublicKey(`${pair.publicKeyText.replaceAll('\n', '\r\n')}`)).toEqual(publicKey);
  });

  test.each([
    ['nothing', ''],
    ['words', 'not a key'],
    ['a cut key', publicKey.text.slice(0, -4)],
    ['a key with more behind it', `${publicKey.text}AAAA`],
    ['a secret key', pair.secretKeyText],
    ['another algorithm', `AA${publicKey.text.slice(2)}`],
    ['megabytes', 'R'.repeat(5_000_000)],
  ])('a public key that is %s is refused with a hint', (_, text) => {
    expect(() => parsePublicKey(text, 'slipway.yaml: publicKey')).toThrowError(
      expect.objectContaining({
        code: 'E_FORMAT',
        message: 'slipway.yaml: publicKey: not a minisign public key',
        hint: expect.stringContaining('RW'),
      }),
    );
  });

  test('a secret key is read from its file, from its second line alone, and with line ends written as \\n', () => {
    const texts = [
      pair.secretKeyText,
      pair.secretKeyText.split('\n')[1] ?? '',
      pair.secretKeyText.replaceAll('\n', '\\n'),
      `\n${pair.secretKeyText}\n`,
    ];
    for (const text of texts) {
      expect(parseSecretKey(text).publicKey).toEqual(publicKey);
      expect(verify(content, sign(content, parseSecretKey(text), 'c'), publicKey).trustedComment).toBe('c');
    }
  });

  test('a broken secret key is refused without showing any of it', () => {
    const line = pair.secretKeyText.split('\n')[1] ?? '';
    const mismatched = flipBit(line, 8 * 100);
    for (const text of ['', 'hello', line.slice(0, 100), mismatched, pair.publicKeyText]) {
      const error = caught(() => parseSecretKey(text, '$SLIPWAY_SECRET_KEY'));
      expect(error).toMatchObject({ code: 'E_CONFIG', message: '$SLIPWAY_SECRET_KEY: not a minisign secret key' });
      expect(`${inspect(error)}`).not.toContain(line.slice(60, 90));
    }
  });

  test('a secret key with a password is refused with the way to remove it', () => {
    const locked = Buffer.from(pair.secretKeyText.split('\n')[1] ?? '', 'base64');
    locked.write('Sc', 2);
    expect(() => parseSecretKey(locked.toString('base64'))).toThrowError(
      expect.objectContaining({
        code: 'E_CONFIG',
        message: expect.stringContaining('password'),
        hint: expect.stringContaining('keys new'),
      }),
    );
  });

  test('a printed secret key shows no secret', () => {
    const seed = Buffer.from(pair.secretKeyText.split('\n')[1] ?? '', 'base64').subarray(62, 94);
    const shown = inspect(secretKey, { depth: 9 }) + JSON.stringify(secretKey);
    expect(shown).not.toContain(seed.toString('hex'));
    expect(shown).not.toContain(seed.toString('base64').slice(0, 40));
  });

  test('the same randomness gives the same pair, in a form pinned for ever', () => {
    const fixed = generateKeyPair((bytes) => Buffer.alloc(bytes, 7));
    expect(fixed.publicKeyText).toBe(
      'untrusted comment: minisign public key 0707070707070707\nRWQHBwcHBwcHB+pKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\n',
    );
    expect(createHash('sha256').update(fixed.secretKeyText).digest('hex')).toBe(GOLDEN_SECRET);
    expect(sign(Buffer.from('hi\n'), parseSecretKey(fixed.secretKeyText), 'slipway bundle acme 2.4.0 x')).toBe(GOLDEN_SIGNATURE);
  });
});

const GOLDEN_SECRET = '72e7d330d6f9afe0d853df97bcc59aae5a633607b6c5e6d17c8eb3851c067659';
const GOLDEN_SIGNATURE = `untrusted comment: signature from key 0707070707070707
RUQHBwcHBwcHByjmUXdYhBcNMirHS65mdhn8mYjDnW1dAmjqpSjnmeV+SqOqGamktBdtgngvgJN7NY9NbT/xuu3F5pAHrIUjsws=
trusted comment: slipway bundle acme 2.4.0 x
DPHZ2m52TW9IiQjujGKu1CquQcwc6YI36x5zNI5592OfzHECpJsFd7I8Cit9QbE/MrtR/QhP/JIVxzE9IC35Aw==
`;

describe('signatures', () => {
  test('a signature is verified and gives its trusted comment and key id', () => {
    expect(signature.split('\n')).toHaveLength(5);
    expect(verify(content, signature, publicKey)).toEqual({ trustedComment: 'slipway bundle acme 2.4.0 00', keyId: pair.keyId });
  });

  test('changed content is refused', () => {
    expect(() => verify(Buffer.concat([content, Buffer.from(' ')]), signature, publicKey, 'bundle.json')).toThrowError(
      expect.objectContaining({ code: 'E_SIGNATURE', message: 'bundle.json: the content is not what was signed' }),
    );
  });

  test('a changed trusted comment is refused by name', () => {
    const changed = withLine(signature, 2, (line) => line.replace('2.4.0', '2.5.0'));
    expect(() => verify(content, changed, publicKey)).toThrowError(/trusted comment is not what was signed/);
  });

  test('the trusted comment of another signature of the same key cannot be put in its place', () => {
    const other = sign(Buffer.from('other'), secretKey, 'slipway sums acme 9.9.9 00').split('\n');
    const mixed = withLine(
      withLine(signature, 2, () => other[2] ?? ''),
      3,
      () => other[3] ?? '',
    );
    expect(() => verify(content, mixed, publicKey)).toThrowError(/trusted comment is not what was signed/);
  });

  test('a signature of another key is refused with both key ids, and a forged key id does not help', () => {
    const other = generateKeyPair(random);
    const theirs = sign(content, parseSecretKey(other.secretKeyText), 'x');
    expect(() => verify(content, theirs, publicKey)).toThrowError(`signed by key ${other.keyId}, not by the trusted key ${pair.keyId}`);
    const forged = withLine(theirs, 1, (line) => {
      const bytes = Buffer.from(line, 'base64');
      Buffer.from(pair.keyId, 'hex').reverse().copy(bytes, 2);
      return bytes.toString('base64');
    });
    expect(() => verify(content, forged, publicKey)).toThrowError(/content is not what was signed/);
  });

  test('any flipped bit in either signature line is refused', () => {
    const line = fc.constantFrom(1, 3);
    fc.assert(
      fc.property(line, fc.nat(), (at, seed) => {
        const bits = (at === 1 ? 74 : 64) * 8;
        const changed = withLine(signature, at, (text) => flipBit(text, seed % bits));
        expect(() => verify(content, changed, publicKey)).toThrowError(expect.objectContaining({ code: 'E_SIGNATURE' }));
      }),
      { numRuns: 300 },
    );
  });

  test('the untrusted comment may say anything', () => {
    expect(
      verify(
        content,
        withLine(signature, 0, () => 'untrusted comment: hello'),
        publicKey,
      ).keyId,
    ).toBe(pair.keyId);
  });

  test.each([
    ['empty', ''],
    ['a line short', signature.split('\n').slice(0, 3).join('\n')],
    ['a line long', `${signature}more\n`],
    ['without its first comment', withLine(signature, 0, (line) => line.slice(1))],
    ['without its trusted comment', withLine(signature, 2, (line) => line.slice(1))],
    ['with spaces in its base64', withLine(signature, 1, (line) => `${line} `)],
    ['with a cut base64', withLine(signature, 3, (line) => line.slice(4))],
    ['with a control character', withLine(signature, 2, (line) => `${line}\u001b[2J`)],
    ['with Windows line ends', signature.replaceAll('\n', '\r\n')],
    ['huge', `${signature}${'x'.repeat(10_000_000)}`],
  ])('a signature that is %s is refused as malformed', (_, text) => {
    expect(() => verify(content, text, publicKey)).toThrowError(/not a minisign signature of four lines/);
  });

  test('the legacy algorithm is refused by name', () => {
    const legacy = withLine(signature, 1, (line) => `RW${line.slice(2)}`);
    expect(() => verify(content, legacy, publicKey)).toThrowError(/legacy algorithm/);
  });

  test('whatever is signed verifies, and only as itself', () => {
    const comment = fc.stringMatching(/^[ -~é-ü]{0,200}$/u);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), comment, fc.uint8Array({ maxLength: 20 }), (bytes, trusted, other) => {
        const text = sign(bytes, secretKey, trusted);
        expect(verify(bytes, text, publicKey)).toEqual({ trustedComment: trusted, keyId: pair.keyId });
        if (!Buffer.from(bytes).equals(other)) expect(() => verify(other, text, publicKey)).toThrowError(/content/);
      }),
      { numRuns: 60 },
    );
  });

  test('a trusted comment of two lines cannot be signed', () => {
    expect(() => sign(content, secretKey, 'a\nb')).toThrowError(TypeError);
  });
});

const hasMinisign = spawnSync('minisign', ['-v']).status === 0;

describe.skipIf(!hasMinisign)('with the real minisign', () => {
  let folder = '';
  const at = (name: string): string => join(folder, name);
  const minisign = (...argv: string[]): string => execFileSync('minisign', argv, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'minisign-'));
    writeFileSync(at('ours.sec'), pair.secretKeyText, { mode: 0o600 });
    writeFileSync(at('ours.pub'), pair.publicKeyText);
    writeFileSync(at('file'), content);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('our signature is accepted, by key file and by key text, and its trusted comment shown', () => {
    writeFileSync(at('file.minisig'), signature);
    expect(minisign('-V', '-H', '-p', 'ours.pub', '-m', 'file')).toContain('slipway bundle acme 2.4.0 00');
    expect(minisign('-V', '-P', publicKey.text, '-m', 'file')).toContain('Signature and comment signature verified');
  });

  test('our signature over other content is refused there too', () => {
    writeFileSync(at('other'), 'other');
    writeFileSync(at('other.minisig'), signature);
    expect(() => minisign('-V', '-p', 'ours.pub', '-m', 'other')).toThrowError();
  });

  test('it signs with our secret key, and we accept that', () => {
    minisign('-S', '-s', 'ours.sec', '-m', 'file', '-x', 'theirs.minisig', '-t', 'slipway sums acme 1.0.0 ab');
    expect(verify(content, readFileSync(at('theirs.minisig'), 'utf8'), publicKey).trustedComment).toBe('slipway sums acme 1.0.0 ab');
  });

  test('it derives our public key from our secret key', () => {
    minisign('-R', '-s', 'ours.sec', '-p', 'derived.pub');
    expect(parsePublicKey(readFileSync(at('derived.pub'), 'utf8'))).toEqual(publicKey);
  });

  test('keys it makes without a password sign here and verify there', () => {
    minisign('-G', '-W', '-f', '-p', 'their.pub', '-s', 'their.sec');
    const key = parseSecretKey(readFileSync(at('their.sec'), 'utf8'));
    const text = readFileSync(at('their.pub'), 'utf8');
    expect(key.publicKey).toEqual(parsePublicKey(text));
    expect(text).toContain(key.keyId.replace(/^0+/, ''));
    writeFileSync(at('by-them.minisig'), sign(content, key, 'c'));
    expect(minisign('-V', '-p', 'their.pub', '-m', 'file', '-x', 'by-them.minisig')).toContain('Trusted comment: c');
  });
});

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
