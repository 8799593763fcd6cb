// A reserved version (contract: slipway/reservation@1). Rule: who won is decided by reading back whose nonce is there.
import { canonicalJson } from './json.ts';
import { parseFields, parseJson, parseMoment, parseOptional, parseText, parseType } from './parse.ts';

export const RESERVATION_TYPE = 'slipway/reservation@1';

export interface Reservation {
  readonly type: typeof RESERVATION_TYPE;
  /** Empty for a git tag that was made by other means: it says nothing of a product. */
  readonly product: string;
  readonly version: string;
  readonly tag: string;
  readonly commit: string | null;
  /** The identity of who reserves: a CI run, or a workspace's stored random id. */
  readonly by: string;
  readonly nonce: string;
  readonly at: string;
}

/** Parses a reservation, hostile until then. */
export function parseReservation(text: string, where: string): Reservation {
  const f = parseFields(parseJson(text, where), where);
  parseType(f, RESERVATION_TYPE, where);
  return {
    type: RESERVATION_TYPE,
    product: parseText(f.product, `${where}: product`),
    version: parseText(f.version, `${where}: version`),
    tag: parseText(f.tag, `${where}: tag`),
    commit: parseOptional(f.commit, `${where}: commit`, parseText) ?? null,
    by: parseText(f.by, `${where}: by`),
    nonce: parseText(f.nonce, `${where}: nonce`),
    at: parseMoment(f.at, `${where}: at`),
  };
}

/** The text that is stored: one line of canonical JSON. */
export function printReservation(reservation: Reservation): string {
  return `${canonicalJson(reservation)}\n`;
}

export type ReserveOutcome = 'reserved' | 'already-yours' | 'joined' | 'elsewhere';

/**
 * What the reservation in force means for whoever wanted this one. `joined` = another's, for the very same commit: both may go on, and the
 * manifest digest tells them apart. Without a commit only the same identity counts.
 */
export function judgeReservation(wanted: Reservation, found: Reservation): ReserveOutcome {
  const isForeign = found.product === '';
  if (!isForeign && (found.product !== wanted.product || found.version !== wanted.version)) return 'elsewhere';
  if (found.nonce === wanted.nonce) return 'reserved';
  const sameCommit = found.commit === wanted.commit;
  if (found.by === wanted.by) return sameCommit || found.commit === null || wanted.commit === null ? 'already-yours' : 'elsewhere';
  return sameCommit && found.commit !== null ? 'joined' : 'elsewhere';
}
