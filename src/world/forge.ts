// The API of a forge. Rule: a token goes to the API's own origin alone, an error says what the forge said and what to do, and no listing stops half-way.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ChannelAsset } from '../model/channel.ts';
import { type Digest, digestFromHex } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { DownloadOptions } from '../model/host.ts';
import type { World } from '../model/seams.ts';
import { limitOf } from './forge-limit.ts';
import { type ForgeAdvice, forgeRefusal } from './forge-refusal.ts';
import { type Http, type HttpResponse, type HttpWorld, openHttp } from './http.ts';
import { inScratch } from './scratch.ts';

export interface Forge {
  /** Sends one API request. 2xx and `answers` are returned; everything else throws a ToolError that says what the forge said, without the token. */
  readonly call: (request: ForgeRequest) => Promise<ForgeAnswer>;
  /** All pages of a listing, by `Link: rel=next` of the same origin. Throws when any page fails, and E_TOO_LARGE beyond 100 pages. */
  readonly list: (path: string) => Promise<readonly unknown[]>;
  /** Streams a file as a request body with its length, once: whoever is cut off looks before sending again. */
  readonly send: (request: ForgeUpload) => Promise<ForgeAnswer>;
  /** Streams an asset, and says what it is. */
  readonly measure: (url: string, maxBytes: number) => Promise<Pick<ChannelAsset, 'size' | 'sha256'>>;
  readonly download: (url: string, options: DownloadOptions) => Promise<void>;
}

export interface ForgeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the API's base, or a whole address of the same origin. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses besides 2xx that are answers. */
  readonly answers?: readonly number[];
}

export interface ForgeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON; undefined when there is none. */
  readonly body: unknown;
  /** At most 64 Ki characters of it. */
  readonly text: string;
}

export interface ForgeUpload {
  readonly method?: 'POST';
  readonly url: string;
  readonly file: string;
  readonly asset: ChannelAsset;
  readonly headers: Readonly<Record<string, string>>;
  readonly prefix?: Buffer;
  readonly suffix?: Buffer;
  readonly onBytes?: (done: number) => void;
  readonly answers?: readonly number[];
}

/** A world that is told, where it listens, why a forge is waited for. */
export type ForgeWorld = HttpWorld & Partial<Pick<World, 'report'>>;

export interface ForgeOptions {
  /** The API's base; its origin is where the token goes. */
  readonly base: string;
  /** The host's name in the product file. */
  readonly name: string;
  /** The header's value, such as `Bearer …`; undefined = nobody. */
  readonly authorization: string | undefined;
  readonly advice: ForgeAdvice;
  readonly world: ForgeWorld;
  /** Sent with every request to the API. */
  readonly headers?: Readonly<Record<string, string>>;
}

const MOST_BYTES = 32 * 1024 * 1024;
const MOST_TEXT = 64 * 1024;
const MOST_PAGES = 100;
/** How long a busy forge is waited for, all in all. Milliseconds. */
const LONGEST_WAIT = 15 * 60 * 1000;

/** Opens a forge; nothing is asked yet. */
export function openForge(options: ForgeOptions): Forge {
  const http = openHttp(options.world);
  const line: Line = { ...options, http, origin: new URL(options.base).origin };
  return {
    call: (request) => call(line, request),
    list: (path) => list(line, path),
    send: (request) => send(line, request),
    measure: (url, maxBytes) => measure(line, url, maxBytes),
    download: (url, options) => download(line, url, options),
  };
}

interface Line extends ForgeOptions {
  readonly http: Http;
  readonly origin: string;
}

async function call(line: Line, { method = 'GET', path, body, headers, answers = [] }: ForgeRequest): Promise<ForgeAnswer> {
  const url = addressOf(line, path);
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const all = { ...headersFor(line, url, headers), ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  return patiently(line, url, { method, answers }, () =>
    line.http.request({ url: url.href, method, headers: all, maxBytes: MOST_BYTES, returnBusy: true, ...sent }),
  );
}

async function send(line: Line, { url, headers, answers = [], ...upload }: ForgeUpload): Promise<ForgeAnswer> {
  const address = new URL(url);
  const all = headersFor(line, address, headers);
  return patiently(line, address, { method: 'POST', answers }, () =>
    line.http.upload({ ...upload, url: address.href, method: 'POST', headers: all, maxBytes: MOST_BYTES }),
  );
}

interface Asked {
  readonly method: string;
  readonly answers: readonly number[];
}

/** Waits as the forge asks when it says that there were too many requests: such a request was not carried out. */
async function patiently(line: Line, url: URL, { method, answers }: Asked, ask: () => Promise<HttpResponse>): Promise<ForgeAnswer> {
  const { world } = line;
  for (let waited = 0, tries = 1; ; tries += 1) {
    const response = await ask();
    const answer = answerOf(response, secretOf(line));
    const limit = limitOf(answer, world.now(), tries);
    if (limit === undefined || waited + limit.wait > LONGEST_WAIT || tries > 12) {
      if ((answer.status >= 200 && answer.status < 300) || (limit === undefined && answers.includes(answer.status))) return answer;
      throw forgeRefusal({
        answer,
        method,
        url,
        name: line.name,
        advice: line.advice,
        limited: limit !== undefined,
      });
    }
    const seconds = Math.ceil(limit.wait / 1000);
    world.report?.({ type: 'note', text: `${line.name}: ${url.host} asks for fewer requests; waiting ${seconds} seconds` });
    await world.sleep(limit.wait);
    if (world.stop.aborted) throw new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Run the same command again to continue.' });
    waited += limit.wait;
  }
}

/** The token alone, without the scheme before it. */
function secretOf({ authorization }: Line): string | undefined {
  return authorization?.replace(/^\S+ /, '');
}

async function list(line: Line, path: string): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  let next: string | undefined = path;
  for (let page = 1; next !== undefined; page += 1) {
    if (page > MOST_PAGES) {
      throw new ToolError('E_TOO_LARGE', `${line.name}: ${path.split('?')[0]} has more than ${MOST_PAGES} pages`, {
        hint: 'Remove what is not needed there any more.',
      });
    }
    const { body, headers } = await call(line, { path: next });
    if (!Array.isArray(body)) {
      throw new ToolError('E_FORMAT', `${line.name}: ${path.split('?')[0]} gave no list`, { hint: 'Is the address that of an API?' });
    }
    items.push(...body);
    next = nextPage(headers.link, line);
  }
  return items;
}

/** RFC 8288; a page elsewhere is not followed: it would get the token. */
function nextPage(link: string | undefined, line: Line): string | undefined {
  const found = /<([^<>]+)>\s*;[^<,]*\brel="?next"?/i.exec(link ?? '')?.[1];
  if (found === undefined) return undefined;
  const url = new URL(found, line.base);
  return url.origin === line.origin ? url.href : new URL(`${url.pathname}${url.search}`, line.origin).href; // a forge behind a proxy names itself otherwise
}

function measure(line: Line, url: string, maxBytes: number): Promise<Pick<ChannelAsset, 'size' | 'sha256'>> {
  return inScratch(async (folder) => {
    const to = join(folder, 'asset');
    await download(line, url, { to, maxBytes });
    const hash = createHash('sha256');
    await pipeline(createReadStream(to), hash);
    const sha256: Digest = digestFromHex(hash.digest('hex'));
    return { size: (await stat(to)).size, sha256 };
  });
}

async function download(line: Line, url: string, { to, maxBytes, sha256, onBytes }: DownloadOptions): Promise<void> {
  const address = new URL(url);
  const headers = { ...headersFor(line, address), accept: 'application/octet-stream' };
  await line.http.download({
    url: address.href,
    headers,
    to,
    maxBytes,
    ...(sha256 === undefined ? {} : { expected: { sha256 } }),
    ...(onBytes === undefined ? {} : { onBytes }),
  });
}

function addressOf(line: Line, path: string): URL {
  if (!/^https?:/.test(path)) return new URL(`${line.base.replace(/\/+$/, '')}/${path.replace(/^\/+/, '')}`);
  const url = new URL(path);
  if (url.origin === line.origin) return url;
  throw new ToolError('E_NETWORK', `${line.name}: refused to follow the API to ${url.origin}`, {
    hint: `The API of this host is at ${line.origin}.`,
  });
}

function headersFor(line: Line, url: URL, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { authorization, advice } = line;
  const ours = url.origin === line.origin || advice.alsoTo.includes(url.origin);
  return { accept: 'application/json', ...line.headers, ...(ours && authorization !== undefined ? { authorization } : {}), ...more };
}

/** A refusal is without the token, should the forge say it: nothing that is made of it can tell. */
function answerOf({ status, headers, body }: HttpResponse, secret: string | undefined): ForgeAnswer {
  const all = secret && status >= 400 ? body.toString().replaceAll(secret, '…') : body.toString();
  return { status, headers, body: jsonIn(all), text: all.slice(0, MOST_TEXT) };
}

function jsonIn(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined; // a proxy's page, or plain text: the status says the rest
  }
}
