// The one way to speak HTTP. Rule: every answer has a maximum size, every wait an end, and no credential leaves the host it was meant for.
import { ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';
import { startDeadline } from './deadline.ts';
import { type Download, type Downloaded, downloadFile } from './http-download.ts';
import { type Exchange, exchange, readBody } from './http-exchange.ts';
import { type Failure, failureOf, LONGEST_PATIENCE, patiently, slowDown } from './http-failure.ts';
import { openRoutes, type Routes } from './http-routes.ts';
import { type Upload, uploadFile } from './http-upload.ts';

export type HttpWorld = Pick<World, 'env' | 'now' | 'random' | 'sleep' | 'stop'>;

export interface HttpRequest {
  readonly url: string;
  /** GET by default. GET and HEAD follow redirects; to another host without any header that could hold a credential. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** More bytes than this are refused with E_TOO_LARGE. */
  readonly maxBytes: number;
  /** Seconds for one try, from the first byte out to the last byte in; 60 by default. */
  readonly timeout?: number;
  /** Allows http:// to hosts other than this machine. */
  readonly plainHttp?: boolean;
  /** True for a POST or PATCH that does no harm twice: it is asked again as a GET is. */
  readonly repeatable?: boolean;
  /** True for a caller that knows better how long this host wants to be left alone: 429 is returned. */
  readonly returnBusy?: boolean;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; a header that came several times is joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

export interface Http {
  /**
   * Asks once, and again after lost connections and answers 429, 502, 503 and 504; every other status is returned as it is.
   * POST and PATCH are repeated after 429 alone, unless they are said to be repeatable. Throws E_NETWORK, E_TOO_LARGE or E_INTERRUPTED.
   */
  readonly request: (request: HttpRequest) => Promise<HttpResponse>;
  /** Streams into a file that appears complete and checked, or not at all. */
  readonly download: (download: Download) => Promise<Downloaded>;
  /** Asks once; the answer's body is unread. */
  readonly open: (request: HttpStream) => Promise<Exchange | Failure>;
  /** Streams a body into a request, once. Throws what the body throws, when that is a ToolError. */
  readonly send: (request: HttpSending) => Promise<HttpResponse | Failure>;
  /** Streams a file into a request, once. */
  readonly upload: (upload: Upload) => Promise<HttpResponse>;
  /** Ends the kept connections. */
  readonly close: () => Promise<void>;
}

/** A GET whose answer is too large to be kept. */
export interface HttpStream {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives the request up, besides the stop signal of the world. */
  readonly signal?: AbortSignal;
  readonly plainHttp?: boolean;
}

/** A request whose body is too large to be kept. */
export interface HttpSending {
  readonly url: string;
  readonly method: 'POST' | 'PUT' | 'PATCH';
  /** With content-length among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** More bytes of an answer than this are refused. */
  readonly maxBytes: number;
  readonly plainHttp?: boolean;
}

const DEFAULT_TIMEOUT = 60;

/** An HTTP client that follows the environment's proxies (HTTPS_PROXY, NO_PROXY) and certificates (SSL_CERT_FILE). Loads nothing until used. */
export function openHttp(world: HttpWorld): Http {
  const routes = openRoutes(world.env);
  const pauses: Pauses = new Map();
  return {
    request: (request) => requestInTurn(world, { routes, pauses }, request),
    download: (download) => downloadFile(world, routes, download),
    open: (request) => openStream(world, routes, request),
    send: (request) => sendStream(world, routes, request),
    upload: (upload) => uploadFile(world, routes, upload),
    close: routes.close,
  };
}

/** Until when a host wants to be left alone, in milliseconds since 1970: what one request was told counts for all. */
type Pauses = Map<string, number>;

async function requestInTurn(
  world: HttpWorld,
  { routes, pauses }: { readonly routes: Routes; readonly pauses: Pauses },
  request: HttpRequest,
): Promise<HttpResponse> {
  const host = URL.canParse(request.url) ? new URL(request.url).host : '';
  let own: number | undefined; // the pause that this request was told, and waits out by itself
  return patiently(world, async () => {
    if (own !== undefined && pauses.get(host) === own) pauses.delete(host);
    const left = (pauses.get(host) ?? 0) - world.now().getTime();
    if (left > 0) await world.sleep(left);
    const outcome = await requestOnce(world, routes, request);
    if ('transient' in outcome && outcome.after !== undefined && outcome.after <= LONGEST_PATIENCE) {
      own = world.now().getTime() + outcome.after;
      pauses.set(host, own);
    }
    return outcome;
  });
}

async function openStream(world: HttpWorld, routes: Routes, { signal, ...request }: HttpStream): Promise<Exchange | Failure> {
  const signals = signal === undefined ? world.stop : AbortSignal.any([world.stop, signal]);
  try {
    return await exchange(routes, { ...request, method: 'GET', signal: signals });
  } catch (error) {
    return failureOf(error, request.url, world);
  }
}

async function sendStream(world: HttpWorld, routes: Routes, { maxBytes, ...request }: HttpSending): Promise<HttpResponse | Failure> {
  try {
    const answer = await exchange(routes, { ...request, signal: world.stop });
    const read = { method: request.method, headers: answer.headers, maxBytes, url: answer.url };
    return { status: answer.status, headers: answer.headers, url: answer.url.href, body: await readBody(answer.body, read) };
  } catch (error) {
    if (error instanceof ToolError) throw error; // what the body threw
    return failureOf(error, request.url, world);
  }
}

async function requestOnce(world: HttpWorld, routes: Routes, request: HttpRequest): Promise<HttpResponse | Failure> {
  const { method = 'GET', timeout = DEFAULT_TIMEOUT, maxBytes } = request;
  const deadline = startDeadline(timeout, world.stop);
  const repeatable = request.repeatable ?? (method !== 'POST' && method !== 'PATCH');
  try {
    const { status, headers, url, body } = await exchange(routes, { ...request, method, signal: deadline.signal, small: true });
    const response = { status, headers, url: url.href, body: await readBody(body, { method, headers, maxBytes, url }) };
    const busy = slowDown(response, url, world.now());
    const again = status === 429 ? request.returnBusy !== true : repeatable;
    return busy !== undefined && again ? busy : response;
  } catch (error) {
    const failure = failureOf(deadline.signal.aborted ? deadline.signal.reason : error, request.url, world);
    return repeatable ? failure : { error: failure.error, transient: false };
  } finally {
    deadline.clear();
  }
}
