// One request and its answer, redirects included. Rule: a redirect to another host carries no header that could hold a credential.
import type { Readable } from 'node:stream';
import { ToolError } from '../model/error.ts';
import { isInward, parseAddress, type Routes } from './http-routes.ts';

export interface ExchangeRequest {
  readonly url: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream needs a content-length header: chunked bodies are refused by forges. */
  readonly body?: string | Uint8Array | Readable | AsyncIterable<Uint8Array>;
  readonly plainHttp?: boolean;
  /** True when neither the body nor the answer is long. */
  readonly small?: boolean;
  readonly signal: AbortSignal;
}

export interface Exchange {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly url: URL;
  readonly body: Readable;
}

const MOST_REDIRECTS = 5;
const HARMLESS = new Set(['accept', 'accept-encoding', 'range', 'if-range', 'if-none-match', 'user-agent']);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends a request and returns the last answer with its body unread. Throws what the transport throws. */
export async function exchange(routes: Routes, request: ExchangeRequest): Promise<Exchange> {
  const { method, body, signal, small } = request;
  let url = parseAddress(request.url, request.plainHttp);
  let headers: Record<string, string> = { 'user-agent': 'slipway', 'accept-encoding': 'identity', ...lowerCase(request.headers) };
  for (let redirects = 0; ; redirects += 1) {
    const answer = await routes.send(url, { method, headers, signal, ...(body === undefined ? {} : { body }), ...(small && { small }) });
    const found = { status: answer.statusCode, headers: joinHeaders(answer.headers), url, body: answer.body };
    const next = redirectOf(found, request);
    if (next === undefined) return found;
    discard(answer.body);
    if (redirects === MOST_REDIRECTS)
      throw new ToolError('E_NETWORK', `${request.url.split('?')[0]}: redirected more than ${MOST_REDIRECTS} times`);
    if (next.origin !== url.origin) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => HARMLESS.has(name)));
    url = next;
  }
}

/** Reads a whole body; refuses it as soon as it is, or says it is, longer than `maxBytes`. */
export async function readBody(
  body: Readable,
  { method, headers, maxBytes, url }: Pick<Exchange, 'headers' | 'url'> & { readonly method: string; readonly maxBytes: number },
): Promise<Buffer> {
  if (method !== 'HEAD' && Number(headers['content-length']) > maxBytes) {
    discard(body);
    throw tooLarge(url, maxBytes);
  }
  if (method === 'HEAD' || headers['content-length'] === '0') {
    body.on('error', () => undefined).resume(); // nothing comes, and the connection is free for the next request
    return Buffer.alloc(0);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(url, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Gives up a body that nobody will read, with its connection. */
export function discard(body: Readable): void {
  body.on('error', () => undefined); // undici reports the end that we asked for as an error
  body.destroy();
}

/** The refusal of an answer that is longer than it may be (TUF: endless data). */
export function tooLarge(url: URL, maxBytes: number): ToolError {
  return new ToolError('E_TOO_LARGE', `${url.host} sent more than the ${maxBytes} bytes that ${url.pathname} may have (endless data)`, {
    hint: 'Nothing was kept. Check that the address is right; something between here and that host may be answering in its place.',
  });
}

function redirectOf({ status, headers, url }: Exchange, { method, plainHttp }: ExchangeRequest): URL | undefined {
  const location = headers.location;
  if (!REDIRECTS.has(status) || location === undefined || (method !== 'GET' && method !== 'HEAD')) return undefined;
  if (!URL.canParse(location, url.href)) throw new ToolError('E_NETWORK', `${url.host} redirected to an address that is not valid`);
  const next = parseAddress(new URL(location, url).href, plainHttp);
  const downgraded = url.protocol === 'https:' && next.protocol === 'http:';
  if (downgraded || (isInward(next) && !isInward(url))) {
    throw new ToolError('E_NETWORK', `refused a redirect from ${url.host} to ${next.protocol}//${next.host}`, {
      hint: 'An encrypted address must not lead to a plain one, nor a remote host back into this machine.',
    });
  }
  return next;
}

function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function joinHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) joined[name.toLowerCase()] = typeof value === 'string' ? value : value.join(', ');
  }
  return joined;
}
