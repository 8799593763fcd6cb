// The keys that signed releases before today's. Rule: a statement counts only when it is genuine and leads to the product's own key.
import type { ReleaseSource } from '../model/host.ts';
import { parseKeyStatement, STATEMENT_MAX_BYTES, statementPath } from '../model/key-statement.ts';
import { type PublicKey, parsePublicKey } from '../model/minisign.ts';
import type { TextToPut } from '../model/plan.ts';
import { followKeys } from './key-chain.ts';

type Reader = Pick<ReleaseSource, 'read' | 'label'>;

export interface FormerKey {
  readonly key: PublicKey;
  /** The statements that lead from it to the product's key, each after its signature. */
  readonly statements: readonly TextToPut[];
}

/**
 * The key of this id, as the host's statements tell it; undefined where none leads from it to the product's `key`. Throws what `followKeys`
 * throws: a statement that is there and wrong is never passed over.
 */
export async function observeFormerKey(
  host: Reader,
  { product, key }: { readonly product: string; readonly key: PublicKey },
  id: string,
): Promise<FormerKey | undefined> {
  const read = new Map<string, string>();
  const remembering: Reader = {
    label: host.label,
    read: async (path, maxBytes) => {
      const bytes = await host.read(path, maxBytes);
      if (bytes !== undefined) read.set(path, bytes.toString());
      return bytes;
    },
  };
  const path = statementPath(id);
  const text = (await remembering.read(path, STATEMENT_MAX_BYTES))?.toString();
  if (text === undefined) return undefined;
  const where = `${path} of ${host.label}`;
  const old = parsePublicKey(parseKeyStatement(text, where).old, `${where}: old`);
  const trust = await followKeys(remembering, { product, trust: { key: old.text, signed: true, sequences: {} } });
  const way = [...(trust.former ?? []), trust.key];
  const end = way.indexOf(key.text);
  if (old.keyId !== id || end < 1) return undefined;
  return { key: old, statements: way.slice(0, end).flatMap((each) => textsOf(parsePublicKey(each ?? '').keyId, read)) };
}

/** The signature first: nobody ever sees a statement without it. */
function textsOf(id: string, read: ReadonlyMap<string, string>): TextToPut[] {
  return [`${statementPath(id)}.minisig`, statementPath(id)].map((path) => ({ path, text: read.get(path) ?? '' }));
}
