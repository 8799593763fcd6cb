import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { generateKeyPair } from '../../src/model/minisign.ts';
import { checkShippedFile } from '../../src/plan/shipped-check.ts';

const found = (path: string, content: string, env = {}): [number, string][] =>
  checkShippedFile(path, content, env).map(({ line, code }) => [line, code]);

test.each([
  ['a PEM key', 'x\n-----BEGIN RSA PRIVATE KEY-----\nabc\n', 2],
  ['an OpenSSH key', '-----BEGIN OPENSSH PRIVATE KEY-----', 1],
  ['a PGP key', '-----BEGIN PGP PRIVATE KEY BLOCK-----', 1],
  ['an AWS key', `id = ${'AKIA'}ABCDEFGHIJKLMNOP\n`, 1],
  ['a forge token', `a\nb\nt: ${'ghp'}_${'a'.repeat(36)}\n`, 3],
])('%s is found in any file', (_, content, line) => {
  expect(found('configs/a.conf', content)).toEqual([[line, 'E_SECRET']]);
});

test('a minisign secret key is found, with its comment and alone; a public key is none', () => {
  const { secretKeyText, publicKeyText } = generateKeyPair((bytes) => randomBytes(bytes));
  const key = secretKeyText.trim().split('\n').at(-1) ?? '';
  expect(found('a', `KEY=${key}\n`)).toEqual([[1, 'E_SECRET']]);
  expect(found('a', secretKeyText).at(-1)).toEqual([2, 'E_SECRET']);
  expect(found('a', publicKeyText)).toEqual([]);
});

test('certificates, public keys and digests are no secrets', () => {
  const pem = execFileSync(process.execPath, [
    '-e',
    "console.log(require('crypto').generateKeyPairSync('ed25519').publicKey.export({type:'spki',format:'pem'}))",
  ]).toString();
  expect(found('a.pem', `${pem}-----BEGIN CERTIFICATE-----\nsha256:${'a'.repeat(64)}\nAKIA\n`)).toEqual([]);
});

test('values of secret variables in env files are refused, and never printed', () => {
  const env = { DB_PASSWORD: { secret: 'hex' }, SMTP_PASS: { sensitive: true }, PORT: {}, API_KEY: {} } as const;
  const content = `# DB_PASSWORD=x
DB_PASSWORD=hunter2
export SMTP_PASS="hunter2"
PORT=80
API_KEY=public
DB_PASSWORD=
DB_PASSWORD=""
DB_PASSWORD=\${OTHER}
ROOT_PASSWORD=hunter2
TOKEN_TTL=5
`;
  expect(found('.env.example', content, env)).toEqual([
    [2, 'E_SECRET'],
    [3, 'E_SECRET'],
    [9, 'W_SECRET_NAME'],
  ]);
  expect(found('env/api.env', content, env)).toHaveLength(3);
  expect(found('scripts/run.sh', content, env)).toEqual([]);
  expect(JSON.stringify(checkShippedFile('.env', content, env))).not.toContain('hunter2');
});

test('a template’s place for an answer is no value', () => {
  const env = { NEWT_SECRET: { sensitive: true } } as const;
  expect(found('templates/newt.env', 'NEWT_SECRET={{NEWT_SECRET}}\nAPI_TOKEN="{{ SITE_TOKEN }}"\n', env)).toEqual([]);
  expect(found('templates/newt.env', 'NEWT_SECRET=x{{NEWT_SECRET}}\n', env)).toEqual([[1, 'E_SECRET']]);
});
