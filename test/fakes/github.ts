// A GitHub on 127.0.0.1 with one repository, acme/acme, on two origins. Rule: never friendlier than the real one; a test reads its state and asks for faults.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { GithubAddress } from '../../src/model/host.ts';
import { listen, stop } from './fault-server.ts';
import { type FaultBook, newFaultBook } from './gitea-faults.ts';
import { type Answer, type Call, formOf, NOT_FOUND, pageOf, refuse, textOf } from './github-call.ts';
import { answerReleases, answerUpload } from './github-releases.ts';
import { blobId, type GithubSettings, type GithubState, newGithubState, objectId } from './github-state.ts';
import { answerPage } from './github-web.ts';

export interface FakeGithub {
  readonly address: GithubAddress;
  readonly url: string;
  readonly state: GithubState;
  readonly requests: { readonly line: string; readonly authorization: string | undefined; readonly elsewhere: boolean }[];
  readonly faults: FaultBook;
  readonly close: () => Promise<void>;
}

/** Starts both origins; the address names the variable GITHUB_TOKEN, whose good value is `good-token`. */
export async function startGithub(settings: Partial<GithubSettings> = {}): Promise<FakeGithub> {
  const state = newGithubState(settings);
  const faults = newFaultBook();
  const requests: FakeGithub['requests'] = [];
  const bases = { api: '', elsewhere: '' };
  const handle = (elsewhere: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const line = `${request.method} ${request.url}`;
    requests.push({ line, authorization: request.headers.authorization, elsewhere });
    void serve({ state, faults, bases, elsewhere, request, response }).catch(() => response.destroy());
  };
  const servers = [createServer(handle(false)), createServer(handle(true))] as const;
  bases.api = `http://127.0.0.1:${await listen(servers[0])}`;
  bases.elsewhere = `http://127.0.0.1:${await listen(servers[1])}`;
  const address: GithubAddress = { type: 'github', name: 'github', repository: 'acme/acme', url: bases.api, token: 'GITHUB_TOKEN' };
  const close = async (): Promise<void> => {
    for (const server of servers) await stop(server);
  };
  return { address, url: bases.api, state, requests, faults, close };
}

interface Serving {
  readonly state: GithubState;
  readonly faults: FaultBook;
  readonly bases: { readonly api: string; readonly elsewhere: string };
  readonly elsewhere: boolean;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function serve(serving: Serving): Promise<void> {
  const { faults, request, response } = serving;
  const fault = faults.meet(`${request.method} ${request.url}`);
  if (fault === undefined) return send(response, answer(serving, await bodyOf(request)));
  fault.meanwhile?.();
  if (fault.effect === 'done') answer(serving, await bodyOf(request));
  if (fault.answer === 'cut') {
    request.socket.destroy();
    return;
  }
  request.resume();
  response.writeHead(fault.answer.status, { 'content-type': 'application/json', ...fault.answer.headers }).end(fault.answer.body ?? '');
}

function answer({ state, bases, elsewhere, request }: Serving, body: Buffer): Answer {
  const url = new URL(request.url ?? '/', bases.api);
  const { authorization } = request.headers;
  const good = authorization === `Bearer ${state.settings.token}`;
  const call: Call = {
    method: request.method ?? 'GET',
    path: decodeURIComponent(url.pathname).slice(1),
    query: url.searchParams,
    headers: request.headers as Readonly<Record<string, string | undefined>>,
    body,
    writes: good && state.settings.push && mayWrite(state.settings.scopes),
    base: bases.api,
    elsewhere: bases.elsewhere,
  };
  const blob = /^blob\/(\d+)$/.exec(call.path)?.[1];
  if (elsewhere && blob !== undefined) return bytesOf(state, Number(blob), authorization);
  const page = answerPage(state, call, elsewhere);
  if (page !== undefined) return page;
  if (authorization !== undefined && !good) return refuse(401, 'Bad credentials');
  if (call.path === 'rate_limit') return answerLimit(state.settings.remaining);
  if (!call.path.startsWith('repos/acme/acme') || (state.settings.private && authorization === undefined)) return NOT_FOUND;
  if (call.method !== 'GET' && authorization === undefined) return refuse(401, 'Requires authentication');
  if (call.method !== 'GET' && !call.writes) return refuse(403, 'Resource not accessible by integration');
  if (call.method !== 'GET' && state.settings.archived) return refuse(403, 'Repository was archived so is read-only.');
  if (elsewhere) return answerUpload(state, call);
  const told = answerRepository(state, { ...call, path: call.path.slice('repos/acme/acme'.length).replace(/^\//, '') });
  const { scopes } = state.settings;
  return scopes === undefined ? told : { ...told, headers: { ...told.headers, 'x-oauth-scopes': scopes } };
}

function mayWrite(scopes: string | undefined): boolean {
  return scopes === undefined || /\b(?:public_)?repo\b/.test(scopes);
}

function answerLimit(remaining: number | undefined): Answer {
  if (remaining === undefined) return NOT_FOUND;
  const core = { limit: 5000, remaining, reset: Math.floor(Date.now() / 1000) + 3000 };
  return { status: 200, body: { resources: { core } } };
}

/** A store that refuses a token which was not meant for it, as the real one does. */
function bytesOf(state: GithubState, id: number, authorization: string | undefined): Answer {
  if (authorization !== undefined) return refuse(400, 'Only one auth mechanism allowed');
  const asset = state.releases.flatMap(({ assets }) => assets).find((each) => each.id === id);
  return asset === undefined ? NOT_FOUND : { status: 200, body: asset.bytes };
}

function answerRepository(state: GithubState, call: Call): Answer {
  const { path, method } = call;
  const { archived, push, immutable, changedFiles, rulesets } = state.settings;
  if (path === '')
    return {
      status: 200,
      body: { full_name: 'acme/acme', archived, private: state.settings.private, default_branch: 'main', permissions: { push } },
    };
  if (path === 'immutable-releases') return immutable ? { status: 200, body: { enabled: true } } : NOT_FOUND;
  if (path.startsWith('compare/')) return { status: 200, body: { files: changedFiles.map((filename) => ({ filename })) } };
  if (path === 'rulesets')
    return pageOf(
      state,
      call,
      rulesets.map(({ id, name, target, enforcement }) => ({ id, name, target, enforcement })),
    );
  const ruleset = /^rulesets\/(\d+)$/.exec(path)?.[1];
  if (ruleset !== undefined) return { status: 200, body: rulesets.find(({ id }) => id === Number(ruleset)) };
  if (path.startsWith('contents/')) return answerContents(state, call);
  if (path.startsWith('releases')) return answerReleases(state, call);
  return method === 'GET' ? readGit(state, call) : writeGit(state, call);
}

function readGit(state: GithubState, call: Call): Answer {
  const { path } = call;
  const ref = /^git\/ref\/(.+)$/.exec(path)?.[1];
  if (ref === 'heads/channels')
    return state.files === undefined
      ? NOT_FOUND
      : { status: 200, body: { ref: `refs/${ref}`, object: { sha: objectId('head'), type: 'commit' } } };
  if (ref !== undefined) {
    const object = state.refs.get(ref);
    return object === undefined ? NOT_FOUND : { status: 200, body: { ref: `refs/${ref}`, object } };
  }
  const prefix = /^git\/matching-refs\/(.*)$/.exec(path)?.[1];
  if (prefix !== undefined) {
    const names = [...state.refs.keys()].filter((name) => name.startsWith(prefix)).sort();
    return pageOf(
      state,
      call,
      names.map((name) => ({ ref: `refs/${name}`, object: state.refs.get(name) })),
    );
  }
  const tag = state.tagObjects.get(/^git\/tags\/(.+)$/.exec(path)?.[1] ?? '');
  if (tag !== undefined) return { status: 200, body: tag };
  const commit = /^git\/commits\/(.+)$/.exec(path)?.[1];
  return commit !== undefined && state.commits.has(commit) ? { status: 200, body: { sha: commit } } : NOT_FOUND;
}

function writeGit(state: GithubState, call: Call): Answer {
  const form = formOf(call);
  const deleted = call.method === 'DELETE' ? /^git\/refs\/(.+)$/.exec(call.path)?.[1] : undefined;
  if (deleted !== undefined) return removeRef(state, deleted);
  if (call.path === 'git/tags') {
    const object = textOf(form, 'object');
    if (!state.commits.has(object)) return refuse(422, 'Object does not exist');
    const made = {
      tag: textOf(form, 'tag'),
      message: textOf(form, 'message'),
      object: { sha: object, type: 'commit' },
      tagger: { date: '2026-03-15T10:00:00Z' },
    };
    const sha = objectId(JSON.stringify(made));
    state.tagObjects.set(sha, made);
    return { status: 201, body: { ...made, sha } };
  }
  if (call.path === 'git/refs') return makeRef(state, textOf(form, 'ref'), textOf(form, 'sha'));
  if (call.path === 'git/trees' || call.path === 'git/commits') return { status: 201, body: { sha: objectId(call.body) } };
  return NOT_FOUND;
}

/** A public release whose tag goes becomes a draft; an immutable one keeps its tag. */
function removeRef(state: GithubState, name: string): Answer {
  const release = state.releases.find(({ tag, draft }) => !draft && `tags/${tag}` === name);
  if (release?.immutable) return refuse(422, 'Cannot delete the tag of an immutable release');
  if (release !== undefined) release.draft = true;
  return state.refs.delete(name) ? { status: 204 } : refuse(422, 'Reference does not exist');
}

function makeRef(state: GithubState, ref: string, sha: string): Answer {
  const name = ref.replace(/^refs\//, '');
  if (name === 'heads/channels') {
    if (state.files !== undefined) return refuse(422, 'Reference already exists');
    state.files = new Map([['README.md', Buffer.from('channels')]]);
    return { status: 201, body: { ref, object: { sha, type: 'commit' } } };
  }
  if (state.settings.tagRule)
    return refuse(422, 'Repository rule violations found\n\nCannot create ref due to creations being restricted.');
  if (state.refs.has(name)) return refuse(422, 'Reference already exists');
  const type = state.tagObjects.has(sha) ? 'tag' : 'commit';
  state.refs.set(name, { sha, type });
  return { status: 201, body: { ref, object: { sha, type } } };
}

function answerContents(state: GithubState, call: Call): Answer {
  const path = call.path.slice('contents/'.length);
  const found = state.files?.get(path);
  if (call.method === 'GET') {
    if (found === undefined || call.query.get('ref') !== 'channels') return NOT_FOUND;
    return {
      status: 200,
      body: {
        path,
        sha: blobId(found),
        size: found.length,
        encoding: 'base64',
        content: found.toString('base64').replace(/(.{60})/g, '$1\n'),
      },
    };
  }
  const form = formOf(call);
  if (state.files === undefined) return refuse(404, 'Branch channels not found');
  if (state.settings.branchRule) return refuse(409, 'Repository rule violations found\n\nChanges must be made through a pull request.');
  const sha = textOf(form, 'sha');
  if (found !== undefined && sha === '') return refuse(422, `Invalid request.\n\n"sha" wasn't supplied.`);
  if (found === undefined ? sha !== '' : sha !== blobId(found)) return refuse(409, `${path} does not match ${sha}`);
  const bytes = Buffer.from(textOf(form, 'content'), 'base64');
  state.files.set(path, bytes);
  return { status: found === undefined ? 201 : 200, body: { content: { path, sha: blobId(bytes) } } };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? '' : JSON.stringify(body));
  const type = Buffer.isBuffer(body) ? 'application/octet-stream' : 'application/json; charset=utf-8';
  response
    .writeHead(status, { 'content-type': type, ...(status === 204 ? {} : { 'content-length': bytes.length }), ...headers })
    .end(status === 204 ? undefined : bytes);
}
