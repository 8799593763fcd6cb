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
}

export interface ReserveFacts {
  /** The one in force. */
  readonly reservation: Reservation | undefined;
  readonly isPublished: boolean;
}

/** The plan; without steps when the tag is reserved for us. Throws E_RESERVED_ELSEWHERE. */
export function planReserve({ id, host, reservation }: ReserveWanted, facts: ReserveFacts): Planned {
  const { tag } = reservation;
  if (facts.reservation !== undefined && judgeReservation(reservation, facts.reservation) === 'elsewhere') {
    throw reservedElsewhere(reservation, facts.reservation);
  }
  if (facts.reservation === undefined && facts.isPublished) {
    throw new ToolError('E_RESERVED_ELSEWHERE', `${tag} is published already`, { hint: 'Take the next version.', details: { tag } });
  }
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
