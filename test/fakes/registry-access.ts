// Who may do what in a fake registry: nobody asks, Basic, or Bearer with a token service (distribution: token authentication). Rule: no
// token that does not belong here, and scopes that are not granted are left out without a word.
import { randomBytes } from 'node:crypto';
import { type Answer, type Exchange, JSON_TYPE, refusal } from './registry-answer.ts';

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
  /** What the account may do; everything by default. Bearer: the scope is left out; Basic: 403 DENIED. */
  readonly grants?: (repository: string, action: string) => boolean;
  /** Bearer only: the refresh token that POST takes; without it there is no POST. */
  readonly identity?: string;
  /** Bearer only: the answer to POST where refresh tokens are not traded; 404 by default. */
  readonly tradeRefusal?: number;
  /** Bearer only: all but the first `scope` of a question are overlooked, as some token services do. */
  readonly firstScopeOnly?: boolean;
}

export interface Access {
  readonly login: FakeLogin | undefined;
  readonly tokens: Map<string, { readonly scopes: ReadonlySet<string>; readonly ends: number; uses: number }>;
}

/** One thing that a request needs: `repository` and `pull`, `push` or `delete`. */
export interface Need {
  readonly repository: string;
  readonly action: string;
}

/** The refusal of this request, or undefined when it may go on. */
export function refuseAccess(access: Access, exchange: Exchange, needs: readonly Need[]): Answer | undefined {
  const { login } = access;
  if (login === undefined) return undefined;
  const sent = exchange.headers.authorization ?? '';
  if (login.kind === 'bearer') return holdsToken(access, sent, needs) ? undefined : challengeBearer(access, exchange, needs);
  if (sent !== basic(login)) return refusal(401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="fake"' });
  return needs.every((need) => isGranted(login, need)) ? undefined : refusal(403, 'DENIED');
}

/** The token service, `/token`: GET with a password or without, POST with a refresh token (OAuth2). */
export function giveToken(access: Access, exchange: Exchange): Answer {
  if (exchange.method === 'POST') return tradeToken(access, exchange);
  const { headers, url } = exchange;
  const query = url.searchParams;
  const { login } = access;
  if (exchange.method !== 'GET') return refusal(405, 'UNSUPPORTED');
  if (login?.kind !== 'bearer' || query.get('service') !== 'fake, registry' || query.get('kept') !== 'yes')
    return refusal(400, 'UNSUPPORTED');
  const sent = headers.authorization;
  if (sent !== undefined && sent !== basic(login)) return refusal(401, 'UNAUTHORIZED');
  const asked = login.firstScopeOnly ? query.getAll('scope').slice(0, 1) : query.getAll('scope');
  return newToken(
    access,
    login,
    asked.flatMap(partsOf).filter((need) => (sent === undefined ? isPublic(login, need) : isGranted(login, need))),
  );
}

/** No password beside it, and nothing in the address. */
function tradeToken(access: Access, { headers, url, body }: Exchange): Answer {
  const { login } = access;
  if (login?.kind !== 'bearer' || login.identity === undefined || login.tradeRefusal !== undefined)
    return refusal(login?.tradeRefusal ?? 404, 'UNSUPPORTED');
  const form = new URLSearchParams(body.toString('utf8'));
  const isForm = headers['content-type'] === 'application/x-www-form-urlencoded' && headers.authorization === undefined;
  if (!isForm || url.searchParams.has('refresh_token') || form.get('service') !== 'fake, registry' || form.get('client_id') === null)
    return refusal(400, 'UNSUPPORTED');
  if (form.get('grant_type') !== 'refresh_token' || form.get('refresh_token') !== login.identity) return refusal(401, 'UNAUTHORIZED');
  return newToken(
    access,
    login,
    partsOf(form.get('scope') ?? '').filter((need) => isGranted(login, need)),
  );
}

function newToken({ tokens }: Access, login: FakeLogin, granted: readonly Need[]): Answer {
  const scopes = new Set(granted.map(keyOf));
  const readsOnly = [...scopes].every((scope) => scope.endsWith(' pull'));
  const token = randomBytes(12).toString('hex');
  const seconds = login.tokenSeconds ?? 300;
  const uses = readsOnly ? (login.tokenUses ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  tokens.set(token, { scopes, ends: Date.now() + seconds * 1000, uses });
  return { status: 200, headers: JSON_TYPE, body: JSON.stringify({ token, expires_in: seconds }) };
}

function isLiving({ tokens }: Access, sent: string): boolean {
  const token = tokens.get(sent.replace(/^Bearer /, ''));
  return token !== undefined && token.ends >= Date.now() && token.uses > 0;
}

function holdsToken(access: Access, sent: string, needs: readonly Need[]): boolean {
  const token = access.tokens.get(sent.replace(/^Bearer /, ''));
  if (token === undefined || !isLiving(access, sent)) return false;
  token.uses -= 1;
  return needs.every((need) => token.scopes.has(keyOf(need)));
}

function challengeBearer(access: Access, { url, headers }: Exchange, needs: readonly Need[]): Answer {
  const sent = headers.authorization ?? '';
  const scope = [...new Set(needs.map(({ repository }) => repository))].map((repository) => {
    const actions = needs.filter((need) => need.repository === repository).map(({ action }) => action);
    return `repository:${repository}:${actions.join(',')}`;
  });
  const parts = [`realm="${url.origin}/token?kept=yes"`, 'service="fake, registry"'];
  if (scope.length > 0) parts.push(`scope="${scope.join(' ')}"`);
  if (sent !== '') parts.push(`error="${isLiving(access, sent) ? 'insufficient_scope' : 'invalid_token'}"`);
  return refusal(401, 'UNAUTHORIZED', { 'www-authenticate': `Bearer ${parts.join(',')}` });
}

/** `repository:a/b:pull,push`; several in one, parted by spaces. */
function partsOf(scope: string): Need[] {
  return scope.split(' ').flatMap((each) => {
    const [, repository = '', actions = ''] = /^repository:(.+):([a-z,*]+)$/.exec(each) ?? [];
    return actions.split(',').map((action) => ({ repository, action }));
  });
}

function keyOf({ repository, action }: Need): string {
  return `${repository} ${action}`;
}

function isPublic(login: FakeLogin, need: Need): boolean {
  return login.anonymousPull === true && need.action === 'pull';
}

function isGranted(login: FakeLogin, { repository, action }: Need): boolean {
  return login.grants?.(repository, action) ?? true;
}

function basic({ username, password }: FakeLogin): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
