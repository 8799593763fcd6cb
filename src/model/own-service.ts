// The service in whose container this program runs, and the helper that replaces that container. Rule: both sides of the helper, who starts it and what it runs, take their words from here.

export interface OwnService {
  readonly service: string;
  /** The container's id. */
  readonly container: string;
  /** How another container of it starts Node.js. */
  readonly node: string;
  /** `uid:gid` of this program. */
  readonly user: string;
}

/** Seconds that the helper waits for the program that started it to end. */
const PATIENCE = 600;

/** What the helper says when it can do its work and only waits; its log is looked at. */
export const HELPER_READY = 'Waiting until the command that is at work here has ended';

/** The command line of the helper, for the operator program at this path. */
export function helperWords(program: string, { service, root }: { readonly service: string; readonly root: string }): string[] {
  return [program, 'restart', service, '--wait', String(PATIENCE), '--dir', root];
}
