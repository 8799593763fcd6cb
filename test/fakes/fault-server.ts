// A web server for one folder's worth of files that fails on purpose. Rule: it answers ranges as real servers do, and counts what it was asked.
import { createServer as createPlain, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';

/**
 * missing: 404. truncated: 10,000 bytes of the promised length, then a reset. stall: 10,000 bytes, then silence. slow: 8 KiB every 50 ms.
 * wrong: other bytes of the same length. short: a valid answer with too few bytes. endless: bytes without end. page: 200 with HTML.
 */
export type Fault =
  | 'none'
  | 'missing'
  | 'truncated'
  | 'stall'
  | 'slow'
  | 'wrong'
  | 'short'
  | 'endless'
  | 'page'
  | { readonly redirect: string };

export interface FaultServer {
  readonly url: string;
  readonly requests: readonly { readonly path: string; readonly range: string | undefined }[];
  /** How many clients are connected now. */
  readonly connections: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export interface FaultOptions {
  /** Only so many requests meet the fault; all by default. */
  readonly times?: number;
  /** False: it answers with the whole file, whatever part is asked for. */
  readonly ranges?: boolean;
  readonly tls?: { readonly key: string; readonly cert: string };
}

const PIECE = 10_000;

/** Serves `files` (path → bytes) on a free port of 127.0.0.1. */
export async function serveFiles(
  files: ReadonlyMap<string, Buffer>,
  fault: Fault = 'none',
  options: FaultOptions = {},
): Promise<FaultServer> {
  const requests: { path: string; range: string | undefined }[] = [];
  const answer: RequestListener = (request, response) => {
    requests.push({ path: request.url ?? '', range: request.headers.range });
    if (options.ranges === false) delete request.headers.range;
    const bytes = files.get(request.url ?? '');
    if (bytes === undefined) response.writeHead(404).end('not here');
    else send(requests.length <= (options.times ?? Number.POSITIVE_INFINITY) ? fault : 'none', bytes, { request, response });
  };
  const server = options.tls === undefined ? createPlain(answer) : createSecure(options.tls, answer);
  const port = await listen(server);
  return {
    url: `http${options.tls === undefined ? '' : 's'}://127.0.0.1:${port}`,
    requests,
    connections: () => connectionsOf(server),
    close: () => stop(server),
  };
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** Closes the server and every connection. */
export async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
}

function send(fault: Fault, bytes: Buffer, { request, response }: { request: IncomingMessage; response: ServerResponse }): void {
  if (typeof fault === 'object') response.writeHead(302, { location: fault.redirect }).end();
  else if (fault === 'missing') response.writeHead(404).end('not here');
  else if (fault === 'page') response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Welcome to the hotel network</html>');
  else if (fault === 'short') response.writeHead(200).end(bytes.subarray(0, PIECE));
  else if (fault === 'wrong') response.writeHead(200).end(Buffer.from(bytes).fill('x', 100, 200));
  else if (fault === 'endless') sendForEver(response);
  else sendRange(fault, bytes, { request, response });
}

function sendRange(
  fault: 'none' | 'truncated' | 'stall' | 'slow',
  bytes: Buffer,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const part = bytes.subarray(from);
  const range = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, { ...range, 'content-length': part.length });
  if (fault === 'none') response.end(part);
  else if (fault === 'slow') sendSlowly(response, part);
  else response.write(part.subarray(0, PIECE), () => setTimeout(() => fault === 'truncated' && response.destroy(), 50));
}

function sendSlowly(response: ServerResponse, bytes: Buffer): void {
  if (bytes.length === 0) response.end();
  else response.write(bytes.subarray(0, 8192), () => setTimeout(() => sendSlowly(response, bytes.subarray(8192)), 50));
}

function sendForEver(response: ServerResponse): void {
  if (!response.destroyed) response.write(Buffer.alloc(65_536, 'x'), () => setImmediate(() => sendForEver(response)));
}
