// Where the secret signing key comes from. Rule: from a file or the environment into memory, and from there nowhere.
import { readFile } from 'node:fs/promises';
import { ToolError } from '../model/error.ts';
import { parsePublicKey, parseSecretKey, type SecretKey } from '../model/minisign.ts';
import type { Signing } from '../model/plan.ts';
import type { World } from '../model/seams.ts';

const VARIABLE = 'SLIPWAY_SECRET_KEY';

/** The secret key that belongs to the product's public key; null for an unsigned product. Throws E_CONFIG when it is absent or another one. */
export async function readSecretKey(signing: Signing, env: World['env']): Promise<SecretKey | null> {
  if (signing.publicKey === null) return null;
  const variable = signing.variable ?? VARIABLE;
  const where = signing.keyFile ?? `$${variable}`;
  const secretKey = parseSecretKey(signing.keyFile === null ? fromEnvironment(env, variable) : await fromFile(signing.keyFile), where);
  const expected = parsePublicKey(signing.publicKey, 'release.publicKey');
  if (secretKey.publicKey.text === expected.text) return secretKey;
  throw new ToolError(
    'E_CONFIG',
    `the secret key in ${where} has the id ${secretKey.keyId}, and release.publicKey the id ${expected.keyId}`,
    {
      hint: 'Give the secret key that belongs to release.publicKey: installs trust no other.',
    },
  );
}

function fromEnvironment(env: World['env'], variable: string): string {
  const text = env[variable];
  if (text !== undefined && text.trim() !== '') return text;
  throw new ToolError('E_CONFIG', 'there is no secret key to sign with', {
    hint: `Put its contents into $${variable}, or name its file with ${variable === VARIABLE ? '--key' : '--new-key'} FILE.`,
  });
}

async function fromFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ToolError('E_CONFIG', `cannot read the secret key file ${file}`, { cause, hint: 'Check the path given with --key.' });
  }
}
