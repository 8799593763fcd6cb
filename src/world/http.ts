// The one way to speak HTTP. Rule: every answer has a maximum size, every wait an end, and no credential leaves the host it was meant for.
import type { World } from '../model/seams.ts';
import { type Download, type Downloaded, downloadFile } from './http-download.ts';
import { exchange, readBody } from './http-exchange.ts';
import { type Failure, failureOf, retryDelay, slowDown, stopIfAsked } from './http-failure.ts';
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
   * POST and PATCH are repeated after 429 alone. Throws E_NETWORK, E_TOO_LARGE or E_INTERRUPTED.
   */
  readonly request: (request: HttpRequest) => Promise<HttpResponse>;
  /** Streams into a file that appears complete and checked, or not at all. */
  readonly download: (download: Download) => Promise<Downloaded>;
  /** Streams a file into a request, once. */
  readonly upload: (upload: Upload) => Promise<HttpResponse>;
  /** Ends the kept connections. */
  readonly close: () => Promise<void>;
}

const DEFAULT_TIMEOUT = 60;

/** An HTTP client that follows the environment's proxies (HTTPS_PROXY, NO_PROXY) and certificates (SSL_CERT_FILE). Loads nothing until used. */
export function openHttp(world: HttpWorld): Http {
  const routes = openRoutes(world.env);
  return {
    request: (request) => requestPatiently(world, routes, request),
    download: (download) => downloadFile(world, routes, download),
    upload: (upload) => uploadFile(world, routes, upload),
    close: routes.close,
  };
}

async function requestPatiently(world: HttpWorld, routes: Routes, request: HttpRequest): Promise<HttpResponse> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await requestOnce(world, routes, request);
    if ('status' in outcome) return outcome;
    const delay = retryDelay(world, outcome, tries);
    if (delay === undefined) throw outcome.error;
    await world.sleep(delay);
    stopIfAsked(world.stop);
  }
}

async function requestOnce(world: HttpWorld, routes: Routes, request: HttpRequest): Promise<HttpResponse | Failure> {
  const { method = 'GET', timeout = DEFAULT_TIMEOUT, maxBytes } = request;
  const signal = AbortSignal.any([world.stop, AbortSignal.timeout(timeout * 1000)]);
  const repeatable = method !== 'POST' && method !== 'PATCH';
  try {
    const { status, headers, url, body } = await exchange(routes, { ...request, method, signal });
    const response = { status, headers, url: url.href, body: await readBody(body, { method, headers, maxBytes, url }) };
    const busy = slowDown(response, url, world.now());
    const again = status === 429 ? request.returnBusy !== true : repeatable;
    return busy !== undefined && again ? busy : response;
  } catch (error) {
    const failure = failureOf(error, request.url, world);
    return repeatable ? failure : { error: failure.error, transient: false };
  }
}
