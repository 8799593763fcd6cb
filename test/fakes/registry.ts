// A registry in this process (OCI distribution-spec 1.1), for faults that a real one has only on bad days. Rule: never friendlier than
// docker-registry: no answer without the right Accept, no manifest before what it names, no login that does not belong here.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type FaultBook, newFaultBook } from './gitea-faults.ts';
import type { Fault } from './http-faults.ts';
import { type Access, type FakeLogin, giveToken, type Need, refuseAccess } from './registry-access.ts';
import { type Answer, type Exchange, JSON_TYPE, refusal } from './registry-answer.ts';
import { answerBlob, type BlobPlace, type BlobRules, rangeOf, uploadOf } from './registry-blobs.ts';
import { appendTo, type FakeRepository, newRegistryContent, type RegistryContent } from './registry-content.ts';
import type { FaultyAnswer, RegistryFault } from './registry-faults.ts';
import { answerManifest, answerReferrers, answerTags, type ManifestPlace, type ManifestRules } from './registry-manifests.ts';

export type { FakeLogin } from './registry-access.ts';

export interface FakeRegistryOptions extends ManifestRules, BlobRules {
  readonly login?: FakeLogin;
  /** A proxy before it answers larger requests with 413, before it reads them. */
  readonly mostRequestBytes?: number;
  /** Added before every answer. */
  readonly latencyMs?: number;
}

export interface SeenRequest {
  /** `METHOD /path?query` */
  readonly line: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** 0 = none was sent. */
  status: number;
  /** Of the request's body when it has one, else of the answer's. */
  bytes: number;
}

export interface FakeRegistry {
  readonly host: string;
  readonly requests: SeenRequest[];
  readonly storageRequests: SeenRequest[];
  /** What is stored, by repository; a test may change it. */
  readonly repositories: Map<string, FakeRepository>;
  readonly faults: FaultBook<RegistryFault>;
  /** The next `times` requests whose `METHOD path` matches get this fault. */
  readonly failNext: (line: RegExp, fault: Fault, times?: number) => void;
  /** No token that was given until now is worth anything. */
  readonly expireTokens: () => void;
  readonly close: () => Promise<void>;
}

interface State {
  readonly options: FakeRegistryOptions;
  readonly content: RegistryContent;
  readonly access: Access;
  readonly faults: FaultBook<RegistryFault>;
  host: string;
  storage: string;
}

interface Serving {
  readonly state: State;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly seen: SeenRequest;
}

/** How long a server reads on after an early answer, so that the answer is not lost with the connection; Go's net/http does the same. */
const LINGER_MS = 500;
/** What nginx says. */
const TOO_LARGE = { status: 413, headers: { 'content-type': 'text/html' }, body: '<html><h1>413 Request Entity Too Large</h1></html>' };

/** Starts a registry on 127.0.0.1 with a free port. */
export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const access = { login: options.login, tokens: new Map() };
  const state: State = { options, content: newRegistryContent(), access, faults: newFaultBook(), host: '', storage: '' };
  const [requests, storageRequests]: SeenRequest[][] = [[], []];
  const server = await listen((request, response) => {
    const seen = see(request, requests ?? []);
    serve({ state, request, response, seen }).catch(() => request.socket.destroy()); // the client went away
  });
  const storage = await listen((request, response) => {
    send(
      { state, request, response, seen: see(request, storageRequests ?? []) },
      answerStorage(state, exchangeOf(state, request, Buffer.alloc(0))),
    );
  });
  state.host = hostOf(server);
  state.storage = hostOf(storage);
  return {
    host: state.host,
    requests: requests ?? [],
    storageRequests: storageRequests ?? [],
    repositories: state.content.repositories,
    faults: state.faults,
    failNext: (on, answer, times = 1) => state.faults.add({ on, answer, times }),
    expireTokens: () => access.tokens.clear(),
    close: () => closeAll([server, storage]),
  };
}

async function serve(serving: Serving): Promise<void> {
  const { state, seen } = serving;
  if (state.options.latencyMs !== undefined) await wait(state.options.latencyMs);
  const length = Number(serving.request.headers['content-length'] ?? 0);
  if (length > (state.options.mostRequestBytes ?? Number.POSITIVE_INFINITY)) return sendEarly(serving, TOO_LARGE);
  const fault = state.faults.meet(seen.line);
  fault?.meanwhile?.();
  const answer = fault?.answer;
  if (answer === undefined) return answerTruly(serving);
  if (fault?.effect === 'done') await decideTruly(serving);
  return meet(serving, answer);
}

async function meet(serving: Serving, answer: FaultyAnswer): Promise<void> {
  const { request, response } = serving;
  if (answer === 'stall') return;
  if (answer === 'cut') request.socket.destroy();
  else if (typeof answer === 'function') {
    await readBody(serving);
    answer(response, request);
  } else if ('change' in answer) send(serving, answer.change(await decideTruly(serving)));
  else if ('cutAtByte' in answer) await cutInTheMiddle(serving, answer.cutAtByte);
  else if (answer.afterBytes === undefined) {
    await readBody(serving);
    send(serving, answer);
  } else {
    await readBody(serving, answer.afterBytes);
    sendEarly(serving, answer);
  }
}

async function answerTruly(serving: Serving): Promise<void> {
  const refused = refuse(serving);
  if (refused !== undefined && hasBody(serving.request)) sendEarly(serving, refused);
  else send(serving, await carryOut(serving, refused));
}

/** What a registry without faults does and answers. */
async function decideTruly(serving: Serving): Promise<Answer> {
  return carryOut(serving, refuse(serving));
}

async function carryOut(serving: Serving, refused: Answer | undefined): Promise<Answer> {
  const body = await readBody(serving);
  return refused ?? decide(serving.state, exchangeOf(serving.state, serving.request, body));
}

function refuse({ state, request }: Serving): Answer | undefined {
  const exchange = exchangeOf(state, request, Buffer.alloc(0));
  return exchange.url.pathname.startsWith('/v2/') ? refuseAccess(state.access, exchange, needsOf(exchange)) : undefined;
}

function needsOf({ method, url }: Exchange): Need[] {
  const repository = placeOf(url)?.repository ?? '';
  if (repository === '') return [];
  const pull = { repository, action: 'pull' };
  if (method === 'GET' || method === 'HEAD') return [pull];
  if (method === 'DELETE') return [{ repository, action: 'delete' }];
  const from = url.searchParams.get('mount') === null ? null : url.searchParams.get('from');
  return [pull, { repository, action: 'push' }, ...(from === null ? [] : [{ repository: from, action: 'pull' }])];
}

function decide(state: State, exchange: Exchange): Answer {
  const { method, url } = exchange;
  if (url.pathname === '/token') return giveToken(state.access, exchange);
  const found = placeOf(url);
  if (found === undefined) return { status: 404, body: '404 page not found' };
  if (found.kind === '') return { status: 200, headers: JSON_TYPE, body: '{}' };
  const place: ManifestPlace & BlobPlace = { content: state.content, rules: state.options, elsewhere: state.storage, ...found };
  if (found.kind === 'manifests') return answerManifest(place, exchange);
  if (found.kind === 'blobs') return answerBlob(place, exchange);
  if (method !== 'GET') return refusal(405, 'UNSUPPORTED');
  return found.kind === 'tags' ? answerTags(place, exchange) : answerReferrers(place);
}

function placeOf({ pathname }: URL): { readonly repository: string; readonly kind: string; readonly rest: string } | undefined {
  const match = /^\/v2\/(?:(.+)\/(manifests|tags|referrers|blobs(?=\/sha256:|\/uploads\/))\/(.*))?$/.exec(pathname);
  return match === null ? undefined : { repository: match[1] ?? '', kind: match[2] ?? '', rest: decodeURIComponent(match[3] ?? '') };
}

/** As S3: whoever signs and also logs in is refused. */
function answerStorage({ content }: State, exchange: Exchange): Answer {
  const { headers, url } = exchange;
  const [, repository = '', digest = ''] = /^\/(.+)\/(sha256:.+)$/.exec(decodeURIComponent(url.pathname)) ?? [];
  const bytes = content.repositories.get(repository)?.blobs.get(digest);
  if (headers.authorization !== undefined) return { status: 400, body: 'Only one auth mechanism allowed' };
  if (bytes === undefined || url.searchParams.get('signature') !== 'secret') return { status: 403, body: 'AccessDenied' };
  return rangeOf(bytes, exchange, {});
}

async function cutInTheMiddle(serving: Serving, bytes: number): Promise<void> {
  const { state, request, response } = serving;
  if (hasBody(request)) {
    const body = await readBody(serving, bytes);
    keepPart(state, exchangeOf(state, request, body));
    request.socket.destroy();
    return;
  }
  const answer = await decideTruly(serving);
  const body = Buffer.from(answer.body ?? '');
  response.writeHead(answer.status, { 'content-length': body.length, ...answer.headers });
  Object.assign(serving.seen, { status: answer.status, bytes: Math.min(bytes, body.length) });
  response.flushHeaders();
  response.write(body.subarray(0, bytes), () => setTimeout(() => request.socket.destroy(), 5)); // what was written arrives before the loss
}

/** What came of an upload before the connection was lost stays in it. */
function keepPart(state: State, { url, body }: Exchange): void {
  const found = placeOf(url);
  if (found?.kind !== 'blobs' || !found.rest.startsWith('uploads/')) return;
  const upload = uploadOf({ content: state.content, rules: state.options, elsewhere: state.storage, ...found }, url);
  if (upload !== undefined) appendTo(upload, body);
}

function send({ request, response, seen }: Serving, { status, headers, body = '' }: Answer): void {
  const length = Buffer.byteLength(body);
  Object.assign(seen, { status, bytes: hasBody(request) ? seen.bytes : request.method === 'HEAD' ? 0 : length });
  response.writeHead(status, { ...(status === 204 || status === 304 ? {} : { 'content-length': length }), ...headers });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Answers while the request is still coming, and ends the connection, as Go's net/http does. */
function sendEarly(serving: Serving, answer: Answer): void {
  send(serving, answer);
  const { request } = serving;
  request.resume();
  setTimeout(() => request.complete || request.socket.destroy(), LINGER_MS).unref();
}

/** Until the end, or until so many bytes came. Throws when the client goes away; what came of an upload is kept. */
async function readBody({ state, request, seen }: Serving, most = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (most === 0 || request.readableEnded) return Buffer.alloc(0);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes >= most) break;
    }
  } catch (cause) {
    keepPart(state, exchangeOf(state, request, Buffer.concat(chunks)));
    throw cause;
  } finally {
    if (hasBody(request)) seen.bytes = bytes;
  }
  return Buffer.concat(chunks).subarray(0, Math.min(most, bytes));
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function exchangeOf({ host }: State, request: IncomingMessage, body: Buffer): Exchange {
  return { method: request.method ?? '', url: new URL(request.url ?? '/', `http://${host}`), headers: request.headers, body };
}

function see({ method = '', url = '', headers }: IncomingMessage, list: SeenRequest[]): SeenRequest {
  const seen = { line: `${method} ${url}`, method, path: url, headers, status: 0, bytes: 0 };
  list.push(seen);
  return seen;
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function hostOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
