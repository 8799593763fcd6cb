// A folder host as a static web server shows it. Rule: https, or plain http of this machine; nothing but the documented layout is asked for.
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

/** The folder host behind this address, for reading. */
export function webSource(address: string, http: Http): ReleaseSource {
  const base = parseAddress(address.endsWith('/') ? address : `${address}/`);
  const urlOf = (path: string): string => new URL(path.split('/').map(encodeURIComponent).join('/'), base).href;
  const read = async (path: string, maxBytes: number): Promise<Buffer | undefined> =>
    bodyOf(await http.request({ url: urlOf(parseRelativePath(path, 'path')), maxBytes, headers: { 'cache-control': 'no-cache' } }));
  return {
    label: base.href,
    read,
    assets: async (tag) => {
      const sums = await read(`${releaseFolder(tag)}/${SUMS}`, MOST_SUMS_BYTES);
      return sums && sizesOf(http, namesIn(sums.toString()), (name) => urlOf(`${releaseFolder(tag)}/${name}`));
    },
    download: async (tag, asset, options) => {
      const url = urlOf(`${releaseFolder(tag)}/${parseFileName(asset, 'asset')}`);
      await http.download({ url, ...downloadOf(options) });
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
  if (status === 200) return body;
  if (status === 404 || status === 410) return undefined;
  const { origin, pathname, host } = new URL(url);
  throw new ToolError('E_NETWORK', `${origin}${pathname} answered HTTP ${status}`, {
    hint: `Check the address, and the state of ${host}.`,
    details: { host, status },
  });
}

/** A web server lists no folders: the names come from SHA256SUMS, the sizes from the server. */
async function sizesOf(http: Http, names: readonly string[], urlOf: (name: string) => string): Promise<readonly Asset[]> {
  return Promise.all(
    names.map(async (name) => {
      const { status, headers, url } = await http.request({ url: urlOf(name), method: 'HEAD', maxBytes: 0 });
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

function releaseFolder(tag: string): string {
  return `releases/${parseTag(tag, 'tag')}`;
}
