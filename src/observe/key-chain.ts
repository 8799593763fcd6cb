// Follows a product's change of signing keys. Rule: each step is signed by the key that is trusted so far; what is there and wrong stops everything.
import { ToolError } from '../model/error.ts';
import type { ReleaseSource } from '../model/host.ts';
import { STATEMENT_MAX_BYTES, statementPath, verifyKeyStatement } from '../model/key-statement.ts';
import { type PublicKey, parsePublicKey } from '../model/minisign.ts';
import type { Trust } from '../model/trust.ts';

/** More changes than any product makes; beyond them somebody builds a maze. */
const MOST_STEPS = 16;

/** The trust after all statements that the source shows, from the trusted key on. Sequences stay with the key that they were seen with. */
export async function followKeys(
  source: Pick<ReleaseSource, 'read' | 'label'>,
  { product, trust }: { readonly product: string; readonly trust: Trust },
): Promise<Trust> {
  if (trust.key === null) return trust;
  const former = [...(trust.former ?? [])];
  let key = parsePublicKey(trust.key, 'trusted key');
  for (let steps = 0; ; steps += 1) {
    const next = await nextKey(source, product, key);
    if (next === undefined) return steps === 0 ? trust : { ...trust, key: key.text, former };
    if (steps === MOST_STEPS || former.includes(next.text)) throw endless(source);
    former.push(key.text);
    key = next;
  }
}

async function nextKey(source: Pick<ReleaseSource, 'read' | 'label'>, product: string, old: PublicKey): Promise<PublicKey | undefined> {
  const path = statementPath(old.keyId);
  const text = await source.read(path, STATEMENT_MAX_BYTES);
  if (text === undefined) return undefined;
  const where = `${path} of ${source.label}`;
  const minisig = (await source.read(`${path}.minisig`, STATEMENT_MAX_BYTES))?.toString();
  if (minisig !== undefined) return verifyKeyStatement(text.toString(), { product, old, minisig, where });
  throw new ToolError('E_UNSIGNED', `${where}: it is not signed`, {
    hint: 'Its signature may still be on its way. Try again in a minute; if it stays, tell the vendor.',
  });
}

function endless({ label }: Pick<ReleaseSource, 'label'>): ToolError {
  return new ToolError('E_FORMAT', `${label}: its keys lead from one to the next without end`, {
    hint: 'Do not install from here; tell the vendor.',
  });
}
