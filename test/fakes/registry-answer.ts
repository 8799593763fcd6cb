// A question to a fake registry and its answer, as plain data. Rule: no socket.
import type { IncomingHttpHeaders } from 'node:http';

export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export const JSON_TYPE = { 'content-type': 'application/json' };

/** An error of the distribution-spec. */
export function refusal(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase(), detail: null }] });
  return { status, headers: { ...headers, ...JSON_TYPE }, body };
}
