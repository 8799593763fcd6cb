// How long something may take. Rule: the timer keeps the process waiting; Node.js's own AbortSignal.timeout does not, and a process whose last connection went
// away in silence would end in the middle of its work.

export interface Deadline {
  /** Comes with a `TimeoutError` at the end of the time, or with the reason of `stop`. */
  readonly signal: AbortSignal;
  /** To be called when what was waited for has come. */
  readonly clear: () => void;
}

/** A signal that comes after so many seconds, or with `stop`. AbortSignal.any and AbortSignal.timeout do the same at several times the cost. */
export function startDeadline(seconds: number, stop: AbortSignal): Deadline {
  const deadline = new AbortController();
  const end = (): void => deadline.abort(stop.reason);
  const timer = setTimeout(() => deadline.abort(new DOMException('no answer in time', 'TimeoutError')), seconds * 1000);
  if (stop.aborted) end();
  else stop.addEventListener('abort', end);
  const clear = (): void => {
    clearTimeout(timer);
    stop.removeEventListener('abort', end);
  };
  return { signal: deadline.signal, clear };
}
