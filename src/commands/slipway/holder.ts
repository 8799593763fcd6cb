// Who has the version that somebody else could not get. Rule: read back from the authority; when that fails, the refusal stays as it was.
import { isToolError, ToolError } from '../../model/error.ts';
import type { HostAddress } from '../../model/host.ts';
import type { Reservation } from '../../model/reservation.ts';
import type { World } from '../../model/seams.ts';
import { observeReservation } from '../../observe/published.ts';

/** Does the work; a refusal because the version is another's says whose reservation is in force. */
export async function namingHolder<T>(
  { authority, tag }: { readonly authority: HostAddress; readonly tag: string },
  world: World,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isTaken = isToolError(error, 'E_PUBLISHED_DIFFERS') || isToolError(error, 'E_RESERVED_ELSEWHERE');
    if (!isTaken || error.details.by !== undefined) throw error;
    const held = await observeReservation(authority, tag, world).catch(() => undefined);
    throw held?.reservation === undefined ? error : withHolder(error, held.reservation);
  }
}

function withHolder(error: ToolError, { by, at, commit }: Reservation): ToolError {
  const { code, message, hint, details, cause } = error;
  return new ToolError(code, `${message}; it is reserved by ${by} since ${at}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
    details: { ...details, by, commit },
  });
}
