// What went wrong on the network, and whether another try makes sense. Rule: an error names host and path, never a query, a header or a body.
import { isIP } from 'node:net';
import { systemCode, ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';
import { proxyNameOf } from './http-routes.ts';

/** A try that failed. `after` = the milliseconds that the host asked for. */
export interface Failure {
  readonly error: ToolError;
  readonly transient: boolean;
  readonly after?: number;
}

const MOST_TRIES = 5;
const FIRST_DELAY = 250;
const LONGEST_DELAY = 10_000;
/** A host that asks for more patience than this, in milliseconds, is answered with an error that says so. */
export const LONGEST_PATIENCE = 60_000;
const BUSY = new Set([429, 502, 503, 504]);
const LOST = new Set([
  ...['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'HPE_INVALID_EOF_STATE'],
  ...[
    'UND_ERR_SOCKET',
    'UND_ERR_CONNECT_TIMEOUT',
    'UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_BODY_TIMEOUT',
    'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  ],
]);

/** Milliseconds until the next try (full jitter, or what the host asked for), or undefined when there is none. */
export function retryDelay(world: Pick<World, 'random'>, failure: Failure, tries: number): number | undefined {
  if (!failure.transient || tries >= MOST_TRIES) return undefined;
  if (failure.after !== undefined) return failure.after <= LONGEST_PATIENCE ? failure.after : undefined;
  const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (tries - 1));
  return Math.round(ceiling * (0.5 + world.random(1).readUInt8(0) / 510));
}

/** Tries until there is an outcome that is no failure, or no sense in another try; then throws its error. */
export async function patiently<T extends object>(
  world: Pick<World, 'random' | 'sleep' | 'stop'>,
  attempt: () => Promise<T | Failure>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const outcome = await attempt();
    if (!('transient' in outcome)) return outcome;
    const delay = retryDelay(world, outcome, tries);
    if (delay === undefined) throw outcome.error;
    await world.sleep(delay);
    stopIfAsked(world.stop);
  }
}

/** The failure that an answer of a busy host means (429, 502, 503, 504), or undefined for every other status. */
export function slowDown(
  answer: { readonly status: number; readonly headers: Readonly<Record<string, string>> },
  url: URL,
  now: Date,
): Failure | undefined {
  if (!BUSY.has(answer.status)) return undefined;
  const after = retryAfter(answer.headers['retry-after'], now);
  const wait = after === undefined ? 'later' : `in ${Math.ceil(after / 1000)} seconds`;
  const limited = answer.status === 429;
  const error = new ToolError(
    'E_NETWORK',
    `${url.host} ${limited ? 'asks for fewer requests' : 'cannot answer now'} (HTTP ${answer.status})`,
    {
      hint: `Try again ${wait}.${limited ? ` Hosts allow more to those who log in, and less to an address shared by many.` : ''}`,
      details: { host: url.host, status: answer.status },
    },
  );
  return { error, transient: true, ...(after === undefined ? {} : { after }) };
}

/** The failure that an exception of the transport means; what is neither a transport's nor ours is a bug and is thrown on. */
export function failureOf(error: unknown, address: string, world: Pick<World, 'stop' | 'env'>): Failure {
  stopIfAsked(world.stop);
  if (error instanceof ToolError) return { error, transient: false };
  const code = error instanceof Error && error.name === 'TimeoutError' ? 'ETIMEDOUT' : systemCode(error);
  if (code === undefined) throw error;
  const url = new URL(address);
  const [what, hint] = explain({ code, error }, url, world.env);
  const failure = new ToolError('E_NETWORK', `${url.host}: ${what}`, { hint, cause: error, details: { host: url.host, reason: code } });
  return { error: failure, transient: LOST.has(code) };
}

/** The error of an answer that is no success, for callers that have nothing better to say. */
export function refusedStatus(status: number, url: URL): ToolError {
  const where = `${url.origin}${url.pathname}`;
  const details = { host: url.host, status };
  if (status === 404 || status === 410) {
    return new ToolError('E_NOT_FOUND', `${where} does not exist (HTTP ${status})`, {
      hint: 'Check the address and the version in it.',
      details,
    });
  }
  if (status === 401 || status === 403) {
    return new ToolError('E_AUTH', `${url.host} refused access to ${url.pathname} (HTTP ${status})`, {
      hint: 'Check that a token is set where this host needs one, and that it may read this.',
      details,
    });
  }
  return new ToolError('E_NETWORK', `${where} answered HTTP ${status}`, {
    hint: `Check the address, and the state of ${url.host}.`,
    details,
  });
}

/** Throws E_INTERRUPTED when this process was asked to stop. */
export function stopIfAsked(stop: AbortSignal): void {
  if (stop.aborted) throw new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Run the same command again to continue.' });
}

/** Retry-After in milliseconds: whole seconds, or an HTTP date (RFC 9110 §10.2.3). */
function retryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? undefined : Math.max(0, moment - now.getTime());
}

function explain(
  { code, error }: { readonly code: string; readonly error: unknown },
  url: URL,
  env: World['env'],
): readonly [what: string, hint: string] {
  const proxy = proxyNameOf(url, env);
  if (proxy !== undefined && isAbout(proxy, error)) return explainProxy(proxy, error, url);
  const proxied = proxy === undefined ? '' : ` HTTPS_PROXY names ${proxy}: check that proxy too, or put the host into NO_PROXY.`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return ['no such host', `Check the spelling of ${url.hostname} and this machine's DNS.${proxied}`];
  if (code === 'ECONNREFUSED')
    return ['the connection was refused', `Check that something listens on ${url.host}, and firewalls between.${proxied}`];
  if (/TIMEOUT|ETIMEDOUT|UNREACH/.test(code)) return ['no answer in time', `Check that this machine can reach ${url.host}.${proxied}`];
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return [
      `its certificate is not trusted (${code})`,
      'For a private authority set SSL_CERT_FILE to a PEM file with its certificate; also check the clock.',
    ];
  }
  if (/EPROTO|ERR_SSL/.test(code)) return ['it does not speak TLS there', `Check the port of ${url.host}.${proxied}`];
  return [`the connection broke (${code})`, `Try again; if it stays, check the network between here and ${url.host}.${proxied}`];
}

/** True when it is the proxy that answered, or that could not be connected to. */
function isAbout(proxy: string, error: unknown): boolean {
  const { code, port, address } = error as { readonly code?: unknown; readonly port?: unknown; readonly address?: unknown };
  const parts = new URL(`http://${proxy}`);
  return code === 'UND_ERR_ABORTED' || (port === Number(parts.port || 80) && (address === parts.hostname || isIP(parts.hostname) === 0));
}

function explainProxy(proxy: string, error: unknown, { host, hostname }: URL): readonly [what: string, hint: string] {
  const around = `or put ${hostname} into NO_PROXY.`;
  const status = /\((\d{3})\)/.exec(error instanceof Error ? error.message : '')?.[1];
  if (status === '407') return [`the proxy ${proxy} wants a login (HTTP 407)`, `Check user and password in HTTPS_PROXY, ${around}`];
  if (status !== undefined) {
    return [`the proxy ${proxy} did not connect to it (HTTP ${status})`, `Check that this proxy may and can reach ${host}, ${around}`];
  }
  return [`the proxy ${proxy} cannot be reached`, `Check HTTPS_PROXY, and that something listens there, ${around}`];
}
