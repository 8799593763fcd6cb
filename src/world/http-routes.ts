// How this machine reaches other hosts: proxies, certificates, plain or encrypted. Rule: plain HTTP is for this machine alone unless allowed.
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import type { Dispatcher, Agent as UndiciAgent } from 'undici';
import { ToolError } from '../model/error.ts';
import type { World } from '../model/seams.ts';
import { CA_VARIABLE } from '../model/site-network.ts';
import { type Answer, openDirectClient } from './http-direct.ts';

export interface RoutedRequest {
  readonly method: Dispatcher.HttpMethod;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | Readable | AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  /** True when neither the body nor the answer is long. */
  readonly small?: boolean;
}

export interface Routes {
  /** Sends a request and gives the answer with its body unread; redirects are not followed. */
  readonly send: (url: URL, request: RoutedRequest) => Promise<Answer>;
  readonly close: () => Promise<void>;
}

type Env = World['env'];

const IDLE_CONNECTION = 30_000;
/** A mirror's layers, questions and manifests at a time; no other command has as many. */
const CONNECTIONS_PER_HOST = 48;
const IDLE = 60_000;

/** Routes made from the environment, each when it is first needed. */
export function openRoutes(env: Env): Routes {
  const opened = new Map<string, Promise<Dispatcher>>();
  const direct = openDirectClient({ connections: CONNECTIONS_PER_HOST, idle: IDLE, trusted: () => trusted(env) });
  return {
    send: async (url, { small, body, ...request }) => {
      const kind = isThisMachine(url) ? `direct ${url.protocol}` : url.protocol;
      if (small && isShort(body) && (kind.startsWith('direct') || proxyFor(kind, env) === undefined)) {
        return direct.send(url, { ...request, ...(body === undefined ? {} : { body }) });
      }
      const route = opened.get(kind) ?? openRoute(kind, env);
      opened.set(kind, route);
      return (await route).request({
        ...request,
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        body: (body as Readable | undefined) ?? null, // undici's types do not name the iterables that it takes
        headersTimeout: IDLE,
        bodyTimeout: IDLE,
        reset: false, // undici closes the connection after every HEAD otherwise
      });
    },
    close: async () => {
      direct.close();
      const all = await Promise.allSettled(opened.values());
      await Promise.all(all.map((route) => (route.status === 'fulfilled' ? route.value.destroy() : undefined)));
      opened.clear();
    },
  };
}

function isShort(body: RoutedRequest['body']): body is string | Uint8Array | undefined {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array;
}

/** Parses an address and refuses plain HTTP, unless the host is this machine or `plainHttp` allows it. */
export function parseAddress(text: string, plainHttp = false): URL {
  if (!URL.canParse(text)) {
    const shown = text.replace(/\/\/[^/]*@/, '//').split('?')[0]; // without what could be a secret
    throw new ToolError('E_CONFIG', `${JSON.stringify(shown)} is not an address`, { hint: 'Write it as https://host/path.' });
  }
  const url = new URL(text);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && (plainHttp || isThisMachine(url)))) return url;
  throw new ToolError('E_NETWORK', `refused to speak ${url.protocol.slice(0, -1)} to ${url.host}: it is not encrypted`, {
    hint: `Use https://${url.host}; plain HTTP is allowed for this machine only.`,
  });
}

/** True for localhost, 127.0.0.0/8 and ::1. */
export function isThisMachine({ hostname }: Pick<URL, 'hostname'>): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/** True for addresses that only this machine and its own network card can mean: the targets of forged redirects. */
export function isInward(url: URL): boolean {
  return isThisMachine(url) || /^(169\.254\.|0\.0\.0\.0$|\[fe[89ab][0-9a-f]:|\[::\]$|\[::ffff:)/.test(url.hostname);
}

async function openRoute(kind: string, env: Env): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await import('./undici.ts');
  const options: UndiciAgent.Options = { keepAliveTimeout: IDLE_CONNECTION, connections: CONNECTIONS_PER_HOST };
  const tls = kind.endsWith('https:') ? trusted(env) : {}; // reading the authorities takes longer than many a command
  const proxy = kind.startsWith('direct') ? undefined : proxyFor(kind, env);
  if (proxy === undefined) return new Agent({ ...options, connect: tls });
  const noProxy = either(env, 'NO_PROXY') ?? '';
  const connection = { connect: tls, requestTls: tls, proxyTls: tls };
  return new EnvHttpProxyAgent({ ...options, ...connection, httpProxy: proxy, httpsProxy: proxy, noProxy });
}

function proxyFor(protocol: string, env: Env): string | undefined {
  const name = protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const value = either(env, name);
  if (value === undefined) return undefined;
  const address = value.includes('://') ? value : `http://${value}`; // curl takes a bare host:port too
  if (URL.canParse(address)) return address;
  throw new ToolError('E_CONFIG', `the environment variable ${name} is not an address`, { hint: 'Write it as http://proxy.example:3128.' });
}

/** The proxy that the environment names for this address, as `host:port` without a login; undefined when there is none. */
export function proxyNameOf(url: URL, env: Env): string | undefined {
  const address = isThisMachine(url) ? undefined : proxyFor(url.protocol, env);
  return address === undefined ? undefined : new URL(address).host;
}

/** The lower-case name wins, as with curl; an empty value counts as absent. */
function either(env: Env, name: string): string | undefined {
  return env[name.toLowerCase()] || env[name] || undefined;
}

/** SSL_CERT_FILE replaces the built-in authorities, as with OpenSSL and curl; a site's own come besides; one context for all connections, for reading it is slow. */
function trusted(env: Env): { readonly secureContext?: SecureContext } {
  const [file, own] = [env.SSL_CERT_FILE, env[CA_VARIABLE]];
  if (!file && !own) return {};
  const extra = env.NODE_EXTRA_CA_CERTS; // Node.js drops these as soon as authorities are given by hand
  return {
    secureContext: createSecureContext({
      ca: [...(file ? [readAuthorities(file)] : rootCertificates), ...(extra ? [readAuthorities(extra)] : []), ...(own ? [own] : [])],
    }),
  };
}

function readAuthorities(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ToolError('E_CONFIG', `cannot read the certificates in ${file}`, {
      cause,
      hint: 'Correct or unset SSL_CERT_FILE and NODE_EXTRA_CA_CERTS.',
    });
  }
}
