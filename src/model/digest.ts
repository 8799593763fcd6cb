// Content digests. Rule: `sha256:<64 hex>` everywhere in our formats; bare hex only in SHA256SUMS.
import { createHash } from 'node:crypto';
import { ToolError } from './error.ts';

export type Digest = string & { readonly __brand: 'Digest' };

/** The sha256 digest of bytes or of a UTF-8 string. */
export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** Parses `sha256:<64 lower-case hex>`; `where` names the place in the error. */
export function parseDigest(value: unknown, where: string): Digest {
  if (typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value)) return value as Digest;
  throw new ToolError('E_FORMAT', `${where}: expected a digest sha256:<64 hex digits>`);
}

/** The digest with this bare hex, as SHA256SUMS writes it. */
export function digestFromHex(hex: string): Digest {
  return parseDigest(`sha256:${hex}`, 'sha256');
}

/** The bare hex of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
