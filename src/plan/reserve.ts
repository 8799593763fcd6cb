// Decides whether a version can be reserved. Rule: what is ours already needs nothing; what another holds is refused before anything is written.
import { digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { HostAddress } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { Planned, Step } from '../model/plan.ts';
import { reservedElsewhere } from '../model/published.ts';
import { judgeReservation, type Reservation } from '../model/reservation.ts';

export interface ReserveWanted {
  readonly id: string;
  readonly host: HostAddress;
  readonly reservation: Reservation;
  /** True for a version that was counted, not named: another's reservation is another's, for the same commit too. */
  readonly counted?: boolean;
}

export interface ReserveFacts {
  /** The one in force. */
  readonly reservation: Reservation | undefined;
  readonly isPublished: boolean;
}

/** The plan; without steps when the tag is reserved for us. Throws what `refuseTaken` says. */
export function planReserve(wanted: ReserveWanted, facts: ReserveFacts): Planned {
  const taken = refuseTaken(wanted, facts);
  if (taken !== undefined) throw taken;
  const { id, host, reservation } = wanted;
  const { tag } = reservation;
  const step: Step = { kind: 'reserve-tag', why: `nobody else can take ${tag}`, host, reservation };
  const plan = {
    schema: 1,
    id,
    operation: id,
    command: 'reserve',
    basedOn: digestOf(canonicalJson({ host, tag })), // who has the tag is decided on the host, when it is taken
    steps: facts.reservation === undefined ? [step] : [],
    commitAfter: 0,
    notes: [],
  } as const;
  return { plan, contents: new Map() };
}

/** Why the version is another's, to be thrown or to go on from; undefined when it is free or ours. */
export function refuseTaken({ reservation, counted }: ReserveWanted, facts: ReserveFacts): ToolError | undefined {
  const { tag, version } = reservation;
  const outcome = facts.reservation === undefined ? undefined : judgeReservation(reservation, facts.reservation);
  if (facts.reservation !== undefined && (outcome === 'elsewhere' || (outcome === 'joined' && counted === true))) {
    return reservedElsewhere(reservation, facts.reservation);
  }
  if (facts.reservation !== undefined || !facts.isPublished) return undefined;
  const hint = 'Take the next version.';
  return new ToolError('E_RESERVED_ELSEWHERE', `${tag} is published already`, { hint, details: { tag, version } });
}
