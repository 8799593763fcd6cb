// Requests to registries with authentication. Rule: one question, at most one answer to a 401, and errors that say what was sent.
import { Readable } from 'node:stream';
import { ToolError } from '../model/error.ts';
import { type ImageRef, printImageRef } from '../model/image.ts';
import { rightToText } from '../model/registry-right.ts';
import type { CredentialSource } from './docker-config.ts';
import type { Http, HttpResponse, HttpWorld } from './http.ts';
import { discard, type Exchange } from './http-exchange.ts';
import { type Failure, refusedStatus } from './http-failure.ts';
import { isThisMachine } from './http-routes.ts';
import { type Access, openRegistryAuth, type RegistryAuth } from './registry-auth.ts';

export interface RegistryRequest {
  /** Below `/v2/<repository>/`, or a whole address of the same registry. */
  readonly path: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** True for what only those who may write are allowed. */
  readonly push?: boolean;
  /** Another repository of the same registry that is read by this request. */
  readonly from?: string;
  readonly maxBytes: number;
}

/** Asks the registry of `ref`; throws E_AUTH when access is refused, and returns every other answer. */
export type Ask = (ref: ImageRef, request: RegistryRequest) => Promise<HttpResponse>;

export interface RegistryUpload {
  /** PUT by default. */
  readonly method?: 'PUT' | 'PATCH';
  readonly headers?: Readonly<Record<string, string>>;
  /** A whole address, which the registry named; it may be on another host, to which no login is sent. */
  readonly location: URL;
  readonly size: number;
  readonly body: AsyncIterable<Buffer>;
}

export interface RegistrySession {
  readonly ask: Ask;
  /** Asks once, with the answer's body unread; a login that is asked for is given. */
  readonly open: (ref: ImageRef, request: Pick<RegistryRequest, 'path' | 'headers'>) => Promise<Exchange | Failure>;
  /** Streams a body once. A refused login is forgotten, so that another try begins with a new one. */
  readonly send: (ref: ImageRef, upload: RegistryUpload) => Promise<HttpResponse | Failure>;
}

export interface RegistryNeeds {
  readonly http: Http;
  readonly credentials: CredentialSource;
  readonly world: HttpWorld;
}

const HUB = { registry: 'docker.io', origin: 'https://registry-1.docker.io' };
const LARGEST_REFUSAL = 64 * 1024;
const MOST_LOGINS = 2;
/** A registry that stores less than this is as good as dead. Bytes a second. */
const SLOWEST = 1024 * 1024;

/** A session whose tokens are shared by all requests. */
export function openRegistrySession(needs: RegistryNeeds): RegistrySession {
  const auth = openRegistryAuth({ ...needs, now: needs.world.now });
  const session = { needs, auth };
  return {
    ask: async (ref, request) => {
      const { path, body, maxBytes, push, from } = request;
      const url = new URL(path, `${registryOrigin(ref.registry)}/v2/${ref.repository}/`);
      const access = { ref, ...(push ? { push } : {}), ...(from === undefined || from === ref.repository ? {} : { from }) };
      const answer = await withLogin(session, { access, url }, (login) => {
        const headers = { ...(request.accept === undefined ? {} : { accept: request.accept }), ...request.headers, ...login };
        const most = Math.max(maxBytes, LARGEST_REFUSAL);
        const asked = { url: url.href, method: request.method, headers, maxBytes: most, repeatable: true }; // POST begins an upload: one too many ends by itself
        return needs.http.request({ ...asked, ...(body && { body }) });
      });
      if (answer.status !== 401 && !(answer.status === 403 && request.method !== 'HEAD')) return answer;
      throw refusedAccess(answer, { ...access, said: await auth.describe(ref) });
    },
    open: async (ref, { path, headers }) => {
      const url = new URL(path, `${registryOrigin(ref.registry)}/v2/${ref.repository}/`);
      return withLogin(session, { access: { ref }, url }, (login) => needs.http.open({ url: url.href, headers: { ...headers, ...login } }));
    },
    send: (ref, upload) => sendStream(session, ref, upload),
  };
}

/** Where a registry is reached: Docker Hub's names lead to one host, and this machine is spoken to without encryption, as Docker does. */
export function registryOrigin(registry: string): string {
  if (registry === HUB.registry) return HUB.origin;
  return `${isThisMachine({ hostname: registry.replace(/:\d+$/, '') }) ? 'http' : 'https'}://${registry}`;
}

/** The error of an answer that is no success: what is absent is named as the person wrote it. */
export function refusedAnswer(answer: HttpResponse, ref: ImageRef): ToolError {
  if (answer.status !== 404) return refusedStatus(answer.status, new URL(answer.url));
  return new ToolError('E_NOT_FOUND', `${printImageRef(ref)} does not exist (${['HTTP 404', ...reasonOf(answer)].join(', ')})`, {
    hint: 'Check the spelling of repository and tag, and that the image has been pushed.',
    details: { reference: printImageRef(ref) },
  });
}

interface Session {
  readonly needs: RegistryNeeds;
  readonly auth: RegistryAuth;
}

interface Asked {
  readonly access: Access;
  readonly url: URL;
}

type Answer = Pick<HttpResponse, 'status' | 'headers'> & { readonly url: string | URL };

/** One question, and again with the login that a 401 asks for; a token may end between two questions, so a second one is asked for, too. */
async function withLogin<T extends Answer | Failure>(
  session: Session,
  { access, url }: Asked,
  send: (login: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  let sent = await session.auth.authorize(access);
  let answer = await send(loginHeader(sent));
  for (let logins = 0; logins < MOST_LOGINS; logins += 1) {
    if ('error' in answer || answer.status !== 401) return answer;
    const authorization = logins > 0 && lacksRights(answer) ? undefined : await answerChallenge(session, { access, url, sent }, answer);
    if (authorization === undefined || authorization === sent) return answer;
    if ('body' in answer && answer.body instanceof Readable) discard(answer.body);
    sent = authorization;
    answer = await send(loginHeader(sent));
  }
  return answer;
}

/** The token was read, and allows less (RFC 6750 §3.1). */
function lacksRights({ headers }: Answer): boolean {
  return /error="?insufficient_scope/.test(headers['www-authenticate'] ?? '');
}

async function answerChallenge(
  { needs, auth }: Session,
  { access, url, sent }: Asked & { readonly sent: string | undefined },
  answer: Answer,
): Promise<string | undefined> {
  if (new URL(answer.url).origin !== url.origin) return undefined; // another host's 401, to which no login belongs
  const challenge = answer.headers['www-authenticate'] ?? (await ping(needs, url)); // some registries ask properly only there
  return auth.answer(access, { challenge, registry: url, sent });
}

async function sendStream(session: Session, ref: ImageRef, upload: RegistryUpload): Promise<HttpResponse | Failure> {
  const { needs, auth } = session;
  const { method = 'PUT', location, size, body } = upload;
  const access = { ref, push: true, seconds: Math.ceil(size / SLOWEST) + 30 };
  const isOwn = location.origin === registryOrigin(ref.registry);
  const sent = isOwn ? await auth.authorize(access) : undefined;
  const about = { 'content-type': 'application/octet-stream', 'content-length': String(size) };
  const headers = { ...about, ...upload.headers, ...loginHeader(sent) };
  const answer = await needs.http.send({ url: location.href, method, headers, body, maxBytes: LARGEST_REFUSAL });
  if (!('error' in answer) && answer.status === 401 && isOwn) await answerChallenge(session, { access, url: location, sent }, answer);
  return answer;
}

function loginHeader(authorization: string | undefined): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { authorization };
}

async function ping({ http }: RegistryNeeds, url: URL): Promise<string> {
  const { headers } = await http.request({ url: `${url.origin}/v2/`, maxBytes: LARGEST_REFUSAL });
  return headers['www-authenticate'] ?? '';
}

/** The error of an answer that refuses access; `said` = what was sent. */
function refusedAccess(answer: HttpResponse, { ref, push, said }: Access & { readonly said: string }): ToolError {
  const name = push ? `${ref.registry}/${ref.repository}` : printImageRef(ref);
  const right = rightToText(ref.registry, push === true, answer.headers['www-authenticate']);
  const hint = push
    ? `Run docker login ${ref.registry} with an account, or a token, that may push to ${ref.repository}${right}.`
    : `Check that the image exists (many registries refuse what is absent), and run docker login ${ref.registry} with an account, or a token, that may pull it${right}.`;
  const what = push ? 'does not let us write to' : 'refused access to';
  return new ToolError('E_AUTH', `${ref.registry} ${what} ${name} (HTTP ${[answer.status, ...reasonOf(answer)].join(', ')}); ${said}`, {
    hint,
    details: { reference: printImageRef(ref), status: answer.status },
  });
}

/** The registry's own error code (distribution-spec: Error Codes), when there is a readable one. */
export function reasonOf({ body }: HttpResponse): string[] {
  const code = /"code"\s*:\s*"([A-Z_]{1,40})"/.exec(body.subarray(0, LARGEST_REFUSAL).toString('utf8'))?.[1];
  return code === undefined ? [] : [code];
}
