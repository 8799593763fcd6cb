// Keys of age: public ones tried, secret ones read from a file as `age-keygen` writes it. Rule: a secret key is kept in memory alone, and never repeated.
import { open } from 'node:fs/promises';
import { systemCode, ToolError } from '../model/error.ts';
import { checkRecipients } from '../world/age.ts';

const MOST_BYTES = 64 * 1024;

/** The secret keys of a file; comments are left out. Throws E_NOT_FOUND, E_ANSWER. */
export async function readIdentities(path: string): Promise<string[]> {
  const lines = (await readStart(path)).split(/\r?\n/).map((line) => line.trim());
  const keys = lines.filter((line) => line.startsWith('AGE-SECRET-KEY-'));
  const others = lines.filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('AGE-SECRET-KEY-'));
  if (keys.length > 0 && others.length === 0) return keys;
  const isLocked = /^(age-encryption\.org|-----BEGIN AGE ENCRYPTED FILE)/.test(others[0] ?? '');
  throw new ToolError('E_ANSWER', `${path} is not a file of secret keys`, {
    hint: isLocked
      ? `It is encrypted itself: \`age -d ${path}\` with its password gives the file that is needed here.`
      : 'It has a line that starts with AGE-SECRET-KEY-, as `age-keygen -o FILE` writes it.',
  });
}

/** Throws E_ANSWER for a public key with a typing error: nobody could open what is encrypted to it. */
export async function refuseMistyped(recipients: readonly string[]): Promise<void> {
  if (recipients.length > 0) await checkRecipients(recipients);
}

async function readStart(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, null);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (systemCode(cause) === undefined) throw cause;
    throw new ToolError('E_NOT_FOUND', `${path} cannot be read (${systemCode(cause)})`, {
      cause,
      hint: 'Give the path of the file with the secret key.',
    });
  }
}
