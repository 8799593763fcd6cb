// A registry in this process, for faults that a real one has only on bad days. Rule: never friendlier than docker-registry: no answer without
// the right Accept, no manifest before what it names, no login that does not belong here.
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Fault } from './http-faults.ts';

export interface FakeLogin {
  readonly kind: 'basic' | 'bearer';
  readonly username: string;
  readonly password: string;
  /** Bearer only: everyone may pull. */
  readonly anonymousPull?: boolean;
  /** Bearer only: a token for reading is refused after so many requests, whatever it said of its life. */
  readonly tokenUses?: number;
  /** Bearer only: what the token says of its life, and lives. */
  readonly tokenSeconds?: number;
}

export interface FakeRegistryOptions {
  readonly login?: FakeLogin;
  readonly pageSize?: number;
  readonly link?: 'relative' | 'absolute' | 'elsewhere';
  /** Blobs are answered with a redirect to another host, as S3 behind a registry. */
  readonly blobsElsewhere?: boolean;
}

export interface SeenRequest {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
}

export interface FakeRegistry {
  readonly host: string;
  readonly requests: SeenRequest[];
  readonly storageRequests: SeenRequest[];
  /** The next `times` requests whose `METHOD path` matches get this fault. */
  readonly failNext: (line: RegExp, fault: Fault, times?: number) => void;
  readonly close: () => Promise<void>;
}

interface Stored {
  readonly bytes: Buffer;
  readonly type: string;
}

interface Repository {
  readonly manifests: Map<string, Stored>;
  readonly tags: Map<string, string>;
  readonly blobs: Map<string, Buffer>;
}

interface State {
  readonly options: FakeRegistryOptions;
  readonly repositories: Map<string, Repository>;
  readonly tokens: Map<string, { readonly scope: string; readonly ends: number; uses: number }>;
  readonly faults: { readonly line: RegExp; readonly fault: Fault; left: number }[];
  host: string;
  storage: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Starts a registry on 127.0.0.1 with a free port. */
export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const state: State = { options, repositories: new Map(), tokens: new Map(), faults: [], host: '', storage: '' };
  const requests: SeenRequest[] = [];
  const storageRequests: SeenRequest[] = [];
  const server = await listen((request, response) => {
    requests.push(seen(request));
    void answer(state, request, response);
  });
  const storage = await listen((request, response) => {
    storageRequests.push(seen(request));
    serveStorage(state, request, response);
  });
  state.host = hostOf(server);
  state.storage = hostOf(storage);
  return {
    host: state.host,
    requests,
    storageRequests,
    failNext: (line, fault, times = 1) => state.faults.push({ line, fault, left: times }),
    close: async () => {
      for (const each of [server, storage]) {
        each.closeAllConnections();
        await new Promise((resolve) => each.close(resolve));
      }
    },
  };
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readAll(request);
  const url = new URL(request.url ?? '/', `http://${state.host}`);
  const line = `${request.method} ${url.pathname}`;
  const fault = state.faults.find((candidate) => candidate.left > 0 && candidate.line.test(line));
  if (fault !== undefined) {
    fault.left -= 1;
    fault.fault(response, request);
    return;
  }
  const { status, headers = {}, body: bytes = '' } = decide(state, { request, url, body });
  response.writeHead(status, { 'content-length': Buffer.byteLength(bytes), ...headers });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly body: Buffer;
}

interface Place {
  readonly repository: string;
  readonly rest: string;
}

function decide(state: State, exchange: Exchange): Answer {
  const { request, url } = exchange;
  if (url.pathname === '/token') return giveToken(state, exchange);
  const match = /^\/v2\/(?:(.+)\/(manifests|blobs|tags)\/(.*))?$/.exec(url.pathname);
  if (match === null) return { status: 404, body: '404 page not found' };
  const [, repository = '', kind = '', rest = ''] = match;
  const action = request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'push';
  if (!mayAccess(state, request, repository === '' ? '' : `repository:${repository}:${action}`))
    return challenge(state, repository, action);
  if (kind === '') return { status: 200, headers: JSON_TYPE, body: '{}' };
  if (kind === 'manifests') return answerManifest(state, exchange, { repository, rest });
  return kind === 'tags' ? answerTags(state, exchange, { repository, rest }) : answerBlob(state, exchange, { repository, rest });
}

function answerManifest(state: State, exchange: Exchange, { repository, rest }: Place): Answer {
  if (exchange.request.method === 'PUT') return storeManifest(state, exchange, { repository, rest });
  const known = state.repositories.get(repository);
  const digest = rest.startsWith('sha256:') ? rest : known?.tags.get(rest);
  const stored = digest === undefined ? undefined : known?.manifests.get(digest);
  const accepted = (exchange.request.headers.accept ?? '').split(',').map((type) => type.trim());
  if (stored === undefined || digest === undefined || !accepted.includes(stored.type)) return refusal(404, 'MANIFEST_UNKNOWN');
  return { status: 200, headers: { 'content-type': stored.type, 'docker-content-digest': digest }, body: stored.bytes };
}

function storeManifest(state: State, { request, body }: Exchange, { repository, rest }: Place): Answer {
  const known = repositoryOf(state, repository);
  const type = request.headers['content-type'] ?? '';
  const manifest = JSON.parse(body.toString('utf8')) as { config?: Named; layers?: Named[]; manifests?: Named[]; mediaType?: string };
  const blobs = [manifest.config, ...(manifest.layers ?? [])].filter((part) => part !== undefined);
  const children = manifest.manifests ?? [];
  const complete = blobs.every((part) => known.blobs.has(part.digest)) && children.every((part) => known.manifests.has(part.digest));
  if (!complete) return refusal(400, 'MANIFEST_BLOB_UNKNOWN');
  const digest = digestOf(body);
  if (rest.startsWith('sha256:') && rest !== digest) return refusal(400, 'DIGEST_INVALID');
  if (manifest.mediaType !== undefined && manifest.mediaType !== type) return refusal(400, 'MANIFEST_INVALID');
  known.manifests.set(digest, { bytes: body, type });
  if (!rest.startsWith('sha256:')) known.tags.set(rest, digest);
  return { status: 201, headers: { 'docker-content-digest': digest, location: `/v2/${repository}/manifests/${digest}` } };
}

function answerBlob(state: State, exchange: Exchange, { repository, rest }: Place): Answer {
  if (exchange.request.method === 'POST' && rest === 'uploads/') {
    const session = randomBytes(8).toString('hex');
    return { status: 202, headers: { location: `/v2/${repository}/blobs/uploads/${session}?_state=${session}` } };
  }
  if (exchange.request.method === 'PUT') return storeBlob(state, exchange, repository);
  const bytes = state.repositories.get(repository)?.blobs.get(rest);
  if (bytes === undefined) return refusal(404, 'BLOB_UNKNOWN');
  const location = `http://${state.storage}/${repository}/${rest}?signature=secret`;
  if (state.options.blobsElsewhere) return { status: 307, headers: { location } };
  return { status: 200, headers: { 'content-type': 'application/octet-stream', 'docker-content-digest': rest }, body: bytes };
}

function storeBlob(state: State, { url, body }: Exchange, repository: string): Answer {
  const digest = url.searchParams.get('digest');
  if (url.searchParams.get('_state') === null || digest !== digestOf(body)) return refusal(400, 'DIGEST_INVALID');
  repositoryOf(state, repository).blobs.set(digest, body);
  return { status: 201, headers: { location: `/v2/${repository}/blobs/${digest}` } };
}

/** As S3: whoever signs and also logs in is refused. */
function serveStorage(state: State, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', `http://${state.storage}`);
  const [, repository = '', digest = ''] = /^\/(.+)\/(sha256:.+)$/.exec(url.pathname) ?? [];
  const bytes = state.repositories.get(repository)?.blobs.get(digest);
  if (request.headers.authorization !== undefined) response.writeHead(400).end('Only one auth mechanism allowed');
  else if (bytes === undefined || url.searchParams.get('signature') !== 'secret') response.writeHead(403).end('AccessDenied');
  else response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
}

function answerTags(state: State, { url }: Exchange, { repository, rest }: Place): Answer {
  const known = state.repositories.get(repository);
  if (known === undefined || rest !== 'list') return refusal(404, 'NAME_UNKNOWN');
  const all = [...known.tags.keys()];
  const from = all.indexOf(url.searchParams.get('last') ?? '') + 1;
  const page = all.slice(from, from + (state.options.pageSize ?? all.length));
  const more = from + page.length < all.length;
  const link = more ? { link: `<${nextPage(state, repository, page.at(-1) ?? '')}>; rel="next"` } : {};
  return {
    status: 200,
    headers: { ...JSON_TYPE, ...link },
    body: JSON.stringify({ name: repository, tags: all.length === 0 ? null : page }),
  };
}

function nextPage({ options, host, storage }: State, repository: string, last: string): string {
  const path = `/v2/${repository}/tags/list?n=${options.pageSize}&last=${last}`;
  if (options.link === 'absolute') return `http://${host}${path}`;
  return options.link === 'elsewhere' ? `http://${storage}${path}` : path;
}

function mayAccess({ options: { login }, tokens }: State, request: IncomingMessage, scope: string): boolean {
  if (login === undefined) return true;
  const sent = request.headers.authorization ?? '';
  if (login.kind === 'basic') return sent === basic(login);
  const token = tokens.get(sent.replace(/^Bearer /, ''));
  if (token === undefined || token.ends < Date.now() || token.uses === 0) return false;
  token.uses -= 1;
  const [type, name, action = ''] = scope.split(':');
  return scope === '' || (token.scope.startsWith(`${type}:${name}:`) && token.scope.split(':')[2]?.split(',').includes(action) === true);
}

function challenge({ options, host }: State, repository: string, action: string): Answer {
  const scope = repository === '' ? '' : `,scope="repository:${repository}:${action === 'push' ? 'pull,push' : 'pull'}"`;
  const bearer = `Bearer realm="http://${host}/token?kept=yes",service="fake, registry"${scope}`;
  return refusal(401, 'UNAUTHORIZED', { 'www-authenticate': options.login?.kind === 'basic' ? 'Basic realm="fake"' : bearer });
}

/** Scopes that are not granted are left out without a word, as real token services do. */
function giveToken({ options: { login }, tokens }: State, { request, url }: Exchange): Answer {
  const query = url.searchParams;
  if (login === undefined || query.get('service') !== 'fake, registry' || query.get('kept') !== 'yes') return refusal(400, 'UNSUPPORTED');
  const sent = request.headers.authorization;
  if (sent !== undefined && sent !== basic(login)) return refusal(401, 'UNAUTHORIZED');
  const wanted = query.getAll('scope')[0] ?? '';
  const scope = sent !== undefined ? wanted : login.anonymousPull ? wanted.replace(/:[^:]*$/, ':pull') : '';
  const token = randomBytes(12).toString('hex');
  const seconds = login.tokenSeconds ?? 300;
  const uses = scope.endsWith(':pull') ? (login.tokenUses ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  tokens.set(token, { scope, ends: Date.now() + seconds * 1000, uses });
  return { status: 200, headers: JSON_TYPE, body: JSON.stringify({ token, expires_in: seconds }) };
}

interface Named {
  readonly digest: string;
}

function refusal(status: number, code: string, headers: Record<string, string> = {}): Answer {
  const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase(), detail: null }] });
  return { status, headers: { ...headers, ...JSON_TYPE }, body };
}

function repositoryOf({ repositories }: State, name: string): Repository {
  const found = repositories.get(name) ?? { manifests: new Map(), tags: new Map(), blobs: new Map() };
  repositories.set(name, found);
  return found;
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function seen(request: IncomingMessage): SeenRequest {
  return { line: `${request.method} ${request.url}`, headers: request.headers };
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function hostOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
