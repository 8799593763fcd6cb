// Files in the age format (age-encryption.org/v1). Rule: streams, so that size does not matter; a file that is not authentic to its last byte is an error.
import { systemCode, ToolError } from '../model/error.ts';

/** A key pair for one moment: what was just encrypted is read back with it, and nobody keeps it. */
export interface Witness {
  readonly identity: string;
  readonly recipient: string;
}

export async function makeWitness(): Promise<Witness> {
  const { generateX25519Identity, identityToRecipient } = await import('age-encryption');
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** Encrypts to public keys. Throws E_ANSWER for one with a typing error, before anything is read. */
export async function* seal(source: AsyncIterable<Uint8Array>, recipients: readonly string[]): AsyncGenerator<Uint8Array> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients)
    add(() => encrypter.addRecipient(recipient), `${recipient} is not a public key of age: it has a typing error`);
  yield* await encrypter.encrypt(streamOf(source));
}

/** Decrypts with the first of these secret keys that fits. Throws E_BACKUP; `name` is the file's. */
export async function* unseal(source: AsyncIterable<Uint8Array>, identities: readonly string[], name: string): AsyncGenerator<Uint8Array> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const identity of identities) add(() => decrypter.addIdentity(identity), 'one of the secret keys has a typing error');
  try {
    yield* await decrypter.decrypt(streamOf(source));
  } catch (cause) {
    throw systemCode(cause) === undefined ? cannotOpen(name, cause) : cause;
  }
}

/** Throws E_ANSWER for a public key with a typing error: its last characters are a checksum. */
export async function checkRecipients(recipients: readonly string[]): Promise<void> {
  await seal(streamOf([]), recipients).next();
}

function streamOf(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  return ReadableStream.from(source) as ReadableStream<Uint8Array>;
}

/** What the library says of a key may hold the key. */
function add(work: () => void, trouble: string): void {
  try {
    work();
  } catch {
    throw new ToolError('E_ANSWER', trouble, { hint: 'Copy it again, whole.' });
  }
}

function cannotOpen(name: string, cause: unknown): ToolError {
  if (cause instanceof ToolError) return cause;
  const isOther = cause instanceof Error && /no identity matched/i.test(cause.message);
  return isOther
    ? new ToolError('E_BACKUP', `${name} was encrypted to other keys than the given one`, {
        hint: 'Give the secret key that belongs to the public key which `backup list --json` names, with --identity FILE.',
      })
    : new ToolError('E_BACKUP', `${name} is damaged or cut short: it cannot be decrypted to its end`, {
        hint: 'Nothing was changed. Take another backup, or another copy of this one.',
      });
}
