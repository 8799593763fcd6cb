// What goes wrong between a client and a registry, each at a moment that a test names. Rule: deterministic, and nothing but what comes over the wire.
import type { Fault } from './http-faults.ts';
import type { Answer } from './registry-answer.ts';

/** One thing that goes wrong, for requests whose `METHOD /path?query` fits. The book of them is `newFaultBook` of gitea-faults.ts. */
export interface RegistryFault {
  readonly on: RegExp;
  /** How many matching requests pass before it; 0 by default. */
  readonly after?: number;
  /** How many requests meet it; 1 by default. */
  readonly times?: number;
  /** Whether the request is carried out all the same; `none` by default. */
  readonly effect?: 'none' | 'done';
  /** What others do at this very moment, before the request is looked at: another writer, tokens that end. */
  readonly meanwhile?: () => void;
  /** What comes back; absent: the true answer. */
  readonly answer?: FaultyAnswer;
}

export type FaultyAnswer =
  /** The connection is lost, before the request was read or (effect `done`) after it was carried out. */
  | 'cut'
  /** Nothing comes, ever. */
  | 'stall'
  /** This answer; with `afterBytes` as soon as so many bytes of the request's body came, and then the connection ends. */
  | (Answer & { readonly afterBytes?: number })
  /** The connection is lost after so many bytes of the body: of the request's when it has one, else of the answer's. */
  | { readonly cutAtByte: number }
  /** The true answer, changed on the way. */
  | { readonly change: (answer: Answer) => Answer }
  /** Anything at all on the socket. */
  | Fault;

/** The same length, another content: the digest is wrong. */
export function corrupted(answer: Answer): Answer {
  const body = Buffer.from(answer.body ?? '');
  if (body.length > 0) body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
  return { ...answer, body };
}

/** A whole answer with fewer bytes than there are. */
export function shortenedBy(bytes: number): (answer: Answer) => Answer {
  return (answer) => {
    const body = Buffer.from(answer.body ?? '');
    return { ...answer, body: body.subarray(0, Math.max(body.length - bytes, 0)) };
  };
}

/** Another header; an empty value takes it away. */
export function withHeader(name: string, value: string): (answer: Answer) => Answer {
  return (answer) => {
    const { [name]: _, ...headers } = answer.headers ?? {};
    return { ...answer, headers: value === '' ? headers : { ...headers, [name]: value } };
  };
}

/** Docker Hub's answer to too many requests: no JSON. */
export function tooMany(retryAfter?: string): Answer {
  return { status: 429, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter }, body: 'Too Many Requests (HAP429).\n' };
}
