// A release host as a web server shows it. Rule: https, or plain http of this machine; nothing but the documented layout is asked for.
import { parseTag } from '../model/channel.ts';
import { digestFromHex } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { Asset, DownloadOptions, ReleaseSource } from '../model/host.ts';
import { parseFileName } from '../model/manifest.ts';
import { parseRelativePath } from '../model/parse.ts';
import type { Http, HttpResponse } from './http.ts';
import { parseAddress } from './http-routes.ts';

const SUMS = 'SHA256SUMS';
const MOST_SUMS_BYTES = 256 * 1024;

/** Where a web server shows what. Relative to the release location. */
export interface WebLayout {
  readonly file: (path: string) => string;
  readonly asset: (tag: string, name: string) => string;
}

/** A folder host as it lies on disk. */
export const FOLDER_LAYOUT: WebLayout = {
  file: (path) => path,
  asset: (tag, name) => `releases/${tag}/${name}`,
};

export interface WebOptions {
  readonly layout?: WebLayout;
  /** For the location's own origin. */
  readonly authorization?: string;
}

/** What is released behind this address, for reading. */
export function webSource(address: string, http: Http, { layout = FOLDER_LAYOUT, authorization }: WebOptions = {}): ReleaseSource {
  const base = parseAddress(address.endsWith('/') ? address : `${address}/`);
  const headers = authorization === undefined ? {} : { authorization };
  const urlOf = (path: string): string => new URL(path.split('/').map(encodeURIComponent).join('/'), base).href;
  const fetch = async (path: string, maxBytes: number): Promise<Buffer | undefined> =>
    bodyOf(await http.request({ url: urlOf(path), maxBytes, headers: { 'cache-control': 'no-cache', ...headers } }));
  const assetUrl = (tag: string, name: string): string => urlOf(layout.asset(parseTag(tag, 'tag'), parseFileName(name, 'asset')));
  return {
    label: base.href,
    read: (path, maxBytes) => fetch(layout.file(parseRelativePath(path, 'path')), maxBytes),
    assets: async (tag) => {
      const sums = await fetch(layout.asset(parseTag(tag, 'tag'), SUMS), MOST_SUMS_BYTES);
      return sums && sizesOf({ http, headers }, namesIn(sums.toString()), (name) => assetUrl(tag, name));
    },
    download: async (tag, asset, options) => {
      await http.download({ url: assetUrl(tag, asset), headers, ...downloadOf(options) });
    },
  };
}

function downloadOf({ to, maxBytes, sha256, onBytes }: DownloadOptions): Omit<Parameters<Http['download']>[0], 'url'> {
  return {
    to,
    maxBytes,
    ...(sha256 === undefined ? {} : { expected: { sha256 } }),
    ...(onBytes === undefined ? {} : { onBytes }),
  };
}

function bodyOf({ status, body, url }: HttpResponse): Buffer | undefined {
  if (new URL(url).pathname.endsWith('/user/login')) {
    throw new ToolError('E_AUTH', `${new URL(url).host} shows its releases only to those who are signed in`, {
      hint: 'Put a token that may read the repository into $SLIPWAY_TOKEN.',
    });
  }
  if (status === 200) return body;
  if (status === 404 || status === 410) return undefined;
  const { origin, pathname, host } = new URL(url);
  throw new ToolError('E_NETWORK', `${origin}${pathname} answered HTTP ${status}`, {
    hint: `Check the address, and the state of ${host}.`,
    details: { host, status },
  });
}

/** A web server lists no folders: the names come from SHA256SUMS, the sizes from the server. */
async function sizesOf(
  { http, headers: sent }: { readonly http: Http; readonly headers: Readonly<Record<string, string>> },
  names: readonly string[],
  urlOf: (name: string) => string,
): Promise<readonly Asset[]> {
  return Promise.all(
    names.map(async (name) => {
      const { status, headers, url } = await http.request({ url: urlOf(name), method: 'HEAD', maxBytes: 0, headers: sent });
      const size = Number(headers['content-length']);
      if (status === 200 && Number.isSafeInteger(size)) return { name, size };
      throw new ToolError('E_NETWORK', `${url} has no size (HTTP ${status})`, { hint: 'The release is not complete there.' });
    }),
  );
}

function namesIn(sums: string): readonly string[] {
  const lines = sums.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return [...lines.map(nameOf), SUMS];
}

function nameOf(line: string): string {
  digestFromHex(line.slice(0, 64));
  return parseFileName(line.slice(66), SUMS);
}
