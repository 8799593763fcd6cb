// A Gitea server on 127.0.0.1 with one repository, acme/acme. Rule: never friendlier than the real one; a test reads its state and asks for faults.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { GiteaAddress } from '../../src/model/host.ts';
import { listen, stop } from './fault-server.ts';
import { type Answer, type Call, forbid, NOT_FOUND, refuse } from './gitea-call.ts';
import { answerBranches, answerContents } from './gitea-contents.ts';
import { type FaultBook, type ForgeFault, newFaultBook } from './gitea-faults.ts';
import { answerReleases } from './gitea-releases.ts';
import { DEFAULT_BRANCH, type GiteaState, newGiteaState, type Settings, type Token } from './gitea-state.ts';
import { answerProtections, answerTags } from './gitea-tags.ts';
import { answerPage } from './gitea-web.ts';

export interface SeenRequest {
  /** `METHOD /path?query`. */
  readonly line: string;
  readonly authorization: string | undefined;
}

export interface FakeGitea {
  readonly url: string;
  readonly address: GiteaAddress;
  readonly state: GiteaState;
  readonly requests: readonly SeenRequest[];
  readonly faults: FaultBook;
  readonly close: () => Promise<void>;
}

/** Starts the server; the address names the variable GITEA_TOKEN. */
export async function startGitea(settings: Partial<Settings> = {}): Promise<FakeGitea> {
  const state = newGiteaState(settings);
  const faults = newFaultBook();
  const requests: SeenRequest[] = [];
  const late: Late[] = [];
  const server = createServer((request, response) => {
    const base = `http://${request.headers.host}`;
    requests.push({ line: lineOf(request), authorization: request.headers.authorization });
    void serve({ state, faults, base, late, request, response }).catch(() => response.destroy());
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  const address: GiteaAddress = { type: 'gitea', name: 'forge', repository: 'acme/acme', url, token: 'GITEA_TOKEN' };
  return { url, address, state, requests, faults, close: () => stop(server) };
}

/** What is carried out later than it was asked for. */
interface Late {
  requests: number;
  readonly act: () => Promise<Answer>;
}

interface Serving {
  readonly state: GiteaState;
  readonly faults: FaultBook;
  readonly base: string;
  readonly late: Late[];
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function serve(serving: Serving): Promise<void> {
  const { faults, request, response, late } = serving;
  const fault = faults.meet(lineOf(request));
  const waiting = [...late];
  if (fault !== undefined) await meet(fault, serving);
  else send(response, await answer(serving, await bodyOf(request)));
  for (const each of waiting) {
    each.requests -= 1;
    if (each.requests === 0) await each.act();
  }
}

async function meet(fault: ForgeFault, serving: Serving): Promise<void> {
  const { request, response, late } = serving;
  const { effect = 'none' } = fault;
  fault.meanwhile?.();
  if (effect !== 'none') {
    const body = await bodyOf(request);
    if (effect === 'done') await answer(serving, body);
    else late.push({ requests: effect, act: () => answer(serving, body) });
  }
  if (fault.answer === 'cut') {
    request.socket.destroy();
    return;
  }
  const { status, headers, body } = fault.answer;
  request.resume();
  response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body ?? '');
}

async function answer({ state, base, request }: Serving, body: Buffer): Promise<Answer> {
  const url = new URL(request.url ?? '/', base);
  const token = tokenOf(state, request.headers.authorization);
  if (token === 'unknown') return refuse(401, 'user does not exist [uid: 0, name: ]');
  const headers = request.headers as Readonly<Record<string, string | undefined>>;
  const call: Call = {
    method: request.method ?? 'GET',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers,
    body,
    token,
  };
  if (!call.path.startsWith('/api/v1/')) return answerPage(state, call);
  return answerApi(state, { ...call, path: call.path.slice('/api/v1'.length) }, base);
}

async function answerApi(state: GiteaState, call: Call, base: string): Promise<Answer> {
  const { settings } = state;
  if (call.path === '/version') return { status: 200, body: { version: settings.version } };
  if (call.path === '/settings/api') return { status: 200, body: { max_response_items: settings.pageSize, default_paging_num: 30 } };
  if (call.path === '/settings/attachment') {
    return { status: 200, body: { enabled: true, allowed_types: '.csv,.zip', max_size: settings.maxSize, max_files: 5 } };
  }
  if (call.path === '/user') return userOf(call);
  const match = /^\/repos\/acme\/acme(\/.*)?$/.exec(call.path);
  if (match === null) return NOT_FOUND;
  const refused = forbid(state, call);
  return refused ?? answerRepository(state, { ...call, path: (match[1] ?? '').slice(1) }, base);
}

async function answerRepository(state: GiteaState, call: Call, base: string): Promise<Answer> {
  const [kind = ''] = call.path.split('/');
  const commit = /^git\/commits\/(.+)$/.exec(call.path)?.[1];
  if (commit !== undefined) return state.commits.has(commit) ? { status: 200, body: { sha: commit } } : NOT_FOUND;
  if (kind === '') return { status: 200, body: repositoryOf(state, call.token) };
  if (kind === 'releases') return answerReleases(state, call, base);
  if (kind === 'tags') return answerTags(state, { ...call, path: `/${call.path}` });
  if (kind === 'tag_protections') return answerProtections(state, call);
  if (kind === 'contents') return answerContents(state, { ...call, path: `/${call.path}` });
  if (kind === 'branches') return answerBranches(state, { ...call, path: `/${call.path}` });
  return NOT_FOUND;
}

function repositoryOf({ settings }: GiteaState, token: Token | undefined): unknown {
  const access = token?.access;
  return {
    id: 1,
    full_name: 'acme/acme',
    empty: settings.empty,
    archived: settings.archived,
    private: settings.private,
    has_releases: settings.hasReleases,
    mirror: false,
    default_branch: DEFAULT_BRANCH,
    permissions: { admin: access === 'admin', push: access === 'admin' || access === 'write', pull: true },
  };
}

function userOf({ token }: Call): Answer {
  if (token === undefined) return refuse(401, 'token is required');
  const may = token.scopes.includes('read:user');
  return may
    ? { status: 200, body: { login: token.user } }
    : refuse(403, 'token does not have at least one of required scope(s), required=[read:user]');
}

/** `token X` and `Bearer X` alike; a token that nobody has is refused even where none is needed. */
function tokenOf(state: GiteaState, authorization: string | undefined): Token | 'unknown' | undefined {
  if (authorization === undefined) return undefined;
  return state.tokens.get(authorization.replace(/^(token|bearer) /i, '')) ?? 'unknown';
}

function send(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const type = Buffer.isBuffer(body) ? {} : { 'content-type': 'application/json' };
  response.writeHead(status, { ...type, 'content-length': bytes.length, ...headers }).end(status === 204 ? undefined : bytes);
}

/** The whole body; a connection that ends before it does throws, and nothing is stored. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function lineOf(request: IncomingMessage): string {
  return `${request.method} ${request.url}`;
}
