// How registries ask who we are (distribution-spec; Docker token authentication). Rule: a login goes to its registry and to the token
// service that the registry names, encrypted; tokens are kept per scope until shortly before they end.
import { ToolError } from '../model/error.ts';
import type { ImageRef } from '../model/image.ts';
import { parseFields, parseNumber, parseOptional, parseText } from '../model/parse.ts';
import { rightToText } from '../model/registry-right.ts';
import type { World } from '../model/seams.ts';
import type { Credential, CredentialSource } from './docker-config.ts';
import type { Http, HttpRequest, HttpResponse } from './http.ts';
import { isInward, parseAddress } from './http-routes.ts';

export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** What is to be allowed: reading `ref`, unless more is said. */
export interface Access {
  readonly ref: ImageRef;
  /** Writing too. */
  readonly push?: boolean;
  /** Reading this repository of the same registry too: blobs are mounted from it. */
  readonly from?: string;
  /** The token must live so many seconds longer, or as long as this registry lets one live. */
  readonly seconds?: number;
}

export interface RegistryAuth {
  /** The Authorization header to begin with, where this registry has asked before. */
  readonly authorize: (access: Access) => Promise<string | undefined>;
  /** The Authorization header that answers a 401; what was sent is not used again. Undefined = there is no answer. */
  readonly answer: (access: Access, refusal: Refusal) => Promise<string | undefined>;
  /** For errors: whether a login was sent, and from where. */
  readonly describe: (ref: ImageRef) => Promise<string>;
}

export interface Refusal {
  /** The WWW-Authenticate header. */
  readonly challenge: string;
  readonly registry: URL;
  /** The Authorization header that was refused. */
  readonly sent: string | undefined;
}

export interface AuthNeeds {
  readonly http: Http;
  readonly credentials: CredentialSource;
  readonly now: World['now'];
}

interface Token {
  readonly header: string;
  readonly ends: number;
  /** Milliseconds that it had when it came. */
  readonly life: number;
}

interface Question {
  readonly access: Access;
  readonly challenge: Challenge;
  readonly registry: URL;
}

const LARGEST_TOKEN = 64 * 1024;
const DEFAULT_LIFETIME = 60;
const MARGIN = 10;
/** How token services say that they trade no refresh tokens (containerd and go-containerregistry know the same ones). */
const NOT_TRADED = [400, 404, 405];

/** Authentication for all registries of one run. */
export function openRegistryAuth(needs: AuthNeeds): RegistryAuth {
  const asked = new Map<string, { readonly challenge: Challenge; readonly registry: URL }>();
  const tokens = new Map<string, Promise<Token>>();
  return {
    authorize: async (access) => {
      const known = asked.get(access.ref.registry);
      return known && (await headerFor(needs, tokens, { ...known, access }));
    },
    answer: async (access, { challenge: header, registry, sent }) => {
      const challenge = chooseChallenge(parseChallenges(header));
      if (challenge === undefined) return undefined;
      const { scope: _, ...general } = challenge.parameters; // the scope is this repository's alone
      asked.set(access.ref.registry, { challenge: { scheme: challenge.scheme, parameters: general }, registry });
      const question = { access, challenge, registry };
      const key = tokenKey(question);
      if (sent !== undefined && (await tokens.get(key))?.header === sent) tokens.delete(key);
      return headerFor(needs, tokens, question);
    },
    describe: async (ref) => describeCredential(await needs.credentials.find(ref)),
  };
}

/** Reads a WWW-Authenticate header: several challenges, quoted text with commas and escapes, names in any case (RFC 9110 §11.6.1). */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
  const part = new RegExp(`(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]*))|(${token})(?=\\s|,|$)`, 'g');
  for (const [, name, quoted, plain, scheme] of header.matchAll(part)) {
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: {} });
    const last = found.at(-1);
    if (name !== undefined && last !== undefined) last.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
  }
  return found;
}

function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.realm !== undefined);
  return bearer ?? challenges.find(({ scheme }) => scheme === 'basic');
}

async function headerFor(needs: AuthNeeds, tokens: Map<string, Promise<Token>>, question: Question): Promise<string | undefined> {
  const credential = await needs.credentials.find(question.access.ref);
  if (credential.kind === 'bearer') return `Bearer ${credential.token}`;
  if (question.challenge.scheme === 'basic') return credential.kind === 'password' ? basic(credential) : undefined;
  return (await tokenFor(needs, tokens, question)).header;
}

/** A kept token that still lives, or a new one; requests that ask at the same time share one. */
async function tokenFor(needs: AuthNeeds, tokens: Map<string, Promise<Token>>, question: Question): Promise<Token> {
  const key = tokenKey(question);
  const kept = tokens.get(key);
  if (kept !== undefined) {
    const token = await kept;
    const wanted = Math.min((question.access.seconds ?? 0) * 1000, token.life * 0.8);
    if (token.ends - wanted > needs.now().getTime()) return token;
    if (tokens.get(key) === kept) tokens.delete(key);
  }
  const token = tokens.get(key) ?? fetchToken(needs, question);
  tokens.set(key, token);
  token.catch(() => tokens.delete(key));
  return token;
}

async function fetchToken({ http, now, credentials }: AuthNeeds, question: Question): Promise<Token> {
  const service = tokenService(question);
  const credential = await credentials.find(question.access.ref);
  const traded = credential.kind === 'identity' ? await http.request(tradeToken(service, question, credential.token)) : undefined;
  const isAnswer = traded !== undefined && !NOT_TRADED.includes(traded.status);
  const answer = isAnswer ? traded : await http.request(askToken(service, question, credential));
  if (answer.status !== 200) throw refusedLogin(question, service, { status: answer.status, credential });
  const { token, seconds } = parseToken(answer, service);
  return { header: `Bearer ${token}`, ends: now().getTime() + seconds * 1000, life: seconds * 1000 };
}

/** GET with Basic, or anonymous; `scope` is repeated. */
function askToken(service: URL, question: Question, credential: Credential): HttpRequest {
  const url = new URL(service);
  if (question.challenge.parameters.service !== undefined) url.searchParams.set('service', question.challenge.parameters.service);
  for (const scope of scopesOf(question)) url.searchParams.append('scope', scope);
  const hasPassword = credential.kind === 'password' || credential.kind === 'identity';
  const headers: Record<string, string> = hasPassword ? { authorization: basic(credential) } : {};
  return { url: url.href, headers, maxBytes: LARGEST_TOKEN };
}

/** POST of a refresh token (OAuth2); scopes are joined by a space. */
function tradeToken(service: URL, question: Question, token: string): HttpRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: token,
    client_id: 'slipway',
    scope: scopesOf(question).join(' '),
  });
  if (question.challenge.parameters.service !== undefined) form.set('service', question.challenge.parameters.service);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { url: service.href, method: 'POST', headers, body: form.toString(), maxBytes: LARGEST_TOKEN };
}

/** The token service must be encrypted, and no forged challenge may lead a login into this machine. */
function tokenService({ challenge, registry, access: { ref } }: Question): URL {
  const realm = challenge.parameters.realm ?? '';
  if (!URL.canParse(realm, registry.href)) throw new ToolError('E_AUTH', `${ref.registry} names a token service that is not an address`);
  const service = parseAddress(new URL(realm, registry.href).href);
  if (!isInward(service) || isInward(registry)) return service;
  throw new ToolError('E_AUTH', `refused to send a login for ${ref.registry} to ${service.host}`, {
    hint: 'A registry elsewhere must not name a token service on this machine; tell whoever runs it.',
  });
}

function parseToken(answer: HttpResponse, service: URL): { readonly token: string; readonly seconds: number } {
  const where = `the answer of ${service.host}`;
  const f = parseFields(safeJson(answer.body), where);
  const token = parseText(f.access_token ?? f.token, `${where}: token`);
  if (!/^[\x21-\x7e]+$/.test(token)) throw new ToolError('E_FORMAT', `${where}: the token is not one`);
  const seconds = parseOptional(f.expires_in, `${where}: expires_in`, parseNumber) ?? DEFAULT_LIFETIME;
  return { token, seconds: seconds - Math.min(MARGIN, seconds / 2) };
}

/** Without the parser's own text, which would quote a token. */
function safeJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Our own scope first: some services look at no other. */
function scopesOf({ access: { ref, push, from }, challenge }: Question): string[] {
  const own = `repository:${ref.repository}:${push ? 'pull,push' : 'pull'}`;
  const mount = from === undefined ? '' : `repository:${from}:pull`;
  return [...new Set([own, mount, challenge.parameters.scope ?? ''])].filter((scope) => scope !== '');
}

function tokenKey({ access: { ref, push = false, from = '' }, challenge }: Question): string {
  const { realm = '', service = '' } = challenge.parameters;
  return JSON.stringify([ref.registry, ref.repository, push, from, realm, service]);
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function refusedLogin(
  { access: { ref, push = false }, challenge }: Question,
  service: URL,
  { status, credential }: { readonly status: number; readonly credential: Credential },
): ToolError {
  const right = rightToText(ref.registry, push, `realm="${challenge.parameters.realm ?? ''}"`);
  const hint =
    credential.kind === 'none'
      ? `Run docker login ${ref.registry}${right}.`
      : `The login may have expired: run docker login ${ref.registry} again${right}.`;
  return new ToolError('E_AUTH', `${service.host} gave no token for ${ref.registry} (HTTP ${status}); ${describeCredential(credential)}`, {
    hint,
    details: { host: service.host, status },
  });
}

function describeCredential(credential: Credential): string {
  return credential.kind === 'none'
    ? `no credentials were sent (${credential.reason})`
    : `the credentials from ${credential.from} were sent`;
}
