// A server between us and a real registry, which is where networks fail. Rule: it passes everything on as it is, except what a test asked it to spoil.
import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Transform } from 'node:stream';

/** What is done to a request, or to its answer. */
export type ProxyFault =
  /** Answered by the proxy; the registry never sees it. */
  | { readonly kind: 'answer'; readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  /** The connection ends before the registry sees the request. */
  | { readonly kind: 'reset' }
  /** The registry does it, and nobody is told. */
  | { readonly kind: 'lose-answer' }
  /** The connection ends after so many bytes of the answer's body. */
  | { readonly kind: 'cut-answer'; readonly bytes: number }
  /** The connection to us ends after so many bytes of the request's body. */
  | { readonly kind: 'cut-request'; readonly bytes: number }
  /** The request without its Range header: the whole is answered instead of a part. */
  | { readonly kind: 'without-range' }
  /** One bit of the answer's body is another. */
  | { readonly kind: 'flip' }
  /** The answer with other headers, made from what they were, or another status. */
  | {
      readonly kind: 'change';
      readonly status?: number;
      readonly headers?: Record<string, (value: string | undefined) => string | undefined>;
    }
  /** Something else happens at the registry before the request reaches it. */
  | { readonly kind: 'meanwhile'; readonly act: () => Promise<void> };

export interface RegistryProxy {
  readonly host: string;
  /** `METHOD path` of every request, in order. */
  readonly requests: string[];
  /** Bytes of request bodies that were passed on. */
  readonly sent: () => number;
  /** The next `times` requests that match get this fault. */
  readonly spoil: (line: RegExp, fault: ProxyFault, times?: number) => void;
  /** From the n-th request on (1 = the next one) the network is dead; `after` = that one still had its effect. */
  readonly killAt: (n: number, when: 'before' | 'after') => void;
  /** Milliseconds before each request is passed on. */
  delay: number;
  /** Larger requests are answered with 413 before they are read, as proxies do. */
  mostRequestBytes: number;
  /** The network is well again. */
  readonly clear: () => void;
  readonly close: () => Promise<void>;
}

const TOO_LARGE: ProxyFault = { kind: 'answer', status: 413, body: '<html><h1>413 Request Entity Too Large</h1></html>' };
const AGENT = new Agent({ keepAlive: true });

interface Spoiling {
  readonly line: RegExp;
  readonly fault: ProxyFault;
  left: number;
}

interface State {
  readonly upstream: string;
  readonly spoilings: Spoiling[];
  readonly requests: string[];
  sent: number;
  delay: number;
  mostRequestBytes: number;
  killAt: { left: number; readonly when: 'before' | 'after' } | undefined;
}

/** Starts it before the registry at `upstream` (`host:port`). */
export async function startRegistryProxy(upstream: string): Promise<RegistryProxy> {
  const state: State = {
    upstream,
    spoilings: [],
    requests: [],
    sent: 0,
    delay: 0,
    mostRequestBytes: Number.POSITIVE_INFINITY,
    killAt: undefined,
  };
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    void pass(state, request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: state.requests,
    sent: () => state.sent,
    spoil: (line, fault, times = 1) => state.spoilings.push({ line, fault, left: times }),
    killAt: (n, when) => {
      state.killAt = { left: n, when };
    },
    get delay() {
      return state.delay;
    },
    set delay(milliseconds) {
      state.delay = milliseconds;
    },
    get mostRequestBytes() {
      return state.mostRequestBytes;
    },
    set mostRequestBytes(bytes) {
      state.mostRequestBytes = bytes;
    },
    clear: () => {
      state.mostRequestBytes = Number.POSITIVE_INFINITY;
      state.killAt = undefined;
      state.spoilings.length = 0;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function pass(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const line = `${request.method} ${request.url}`;
  state.requests.push(line);
  if (state.delay > 0) await new Promise((resolve) => setTimeout(resolve, state.delay));
  const isTooLarge = Number(request.headers['content-length'] ?? 0) > state.mostRequestBytes;
  const fault = isTooLarge ? TOO_LARGE : faultOf(state, line);
  if (fault?.kind === 'meanwhile') await fault.act();
  if (fault?.kind === 'reset') return void request.socket.destroy();
  if (fault?.kind === 'answer') {
    const { status, headers = {}, body = '' } = fault;
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body);
    return void request.resume();
  }
  const [host, port] = state.upstream.split(':');
  const headers = { ...request.headers };
  if (fault?.kind === 'without-range') delete headers.range;
  const upstream = send({ host, port, method: request.method, path: request.url, headers, agent: AGENT });
  upstream.on('error', () => request.socket.destroy());
  upstream.on('response', (answer) => answerWith(answer, { request, response, fault }));
  request.on('error', () => upstream.destroy());
  request.on('aborted', () => upstream.destroy());
  const cut = fault?.kind === 'cut-request' ? fault.bytes : undefined;
  request.pipe(counting(state, cut, request.socket)).pipe(upstream);
}

function faultOf(state: State, line: string): ProxyFault | undefined {
  if (state.killAt !== undefined) {
    state.killAt.left -= 1;
    if (state.killAt.left < 0) return { kind: 'reset' };
    if (state.killAt.left === 0) return state.killAt.when === 'before' ? { kind: 'reset' } : { kind: 'lose-answer' };
  }
  const found = state.spoilings.find((spoiling) => spoiling.left > 0 && spoiling.line.test(line));
  if (found !== undefined) found.left -= 1;
  return found?.fault;
}

function counting(state: State, cut: number | undefined, socket: Socket): Transform {
  let done = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      state.sent += chunk.length;
      done += chunk.length;
      if (cut !== undefined && done > cut) return void socket.destroy();
      next(null, chunk);
    },
  });
}

function answerWith(
  answer: IncomingMessage,
  {
    request,
    response,
    fault,
  }: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly fault: ProxyFault | undefined },
): void {
  if (fault?.kind === 'lose-answer') {
    answer.resume();
    answer.on('end', () => request.socket.destroy());
    return;
  }
  const changed: Partial<ProxyFault & { kind: 'change' }> = fault?.kind === 'change' ? fault : {};
  const told = Object.entries(changed.headers ?? {}).map(([name, change]) => [name, change(answer.headers[name]?.toString())]);
  const headers: Record<string, string | string[] | undefined> = { ...answer.headers, ...Object.fromEntries(told) };
  response.writeHead(
    changed.status ?? answer.statusCode ?? 500,
    Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
  );
  answer.on('error', () => request.socket.destroy());
  answer.pipe(spoiling(fault, request.socket)).pipe(response);
}

function spoiling(fault: ProxyFault | undefined, socket: Socket): Transform {
  let done = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, next) {
      const bytes = Buffer.from(chunk);
      if (fault?.kind === 'flip' && done === 0) bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
      done += bytes.length;
      if (fault?.kind !== 'cut-answer' || done <= fault.bytes) return void next(null, bytes);
      this.push(bytes.subarray(0, bytes.length - (done - fault.bytes)));
      setTimeout(() => socket.destroy(), 5); // what was written first arrives
    },
  });
}
