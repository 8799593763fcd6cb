// From an address to a host. Rule: the only place that knows all kinds of hosts.
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHANNEL_MAX_BYTES, parseSignedChannel } from '../model/channel.ts';
import { ToolError } from '../model/error.ts';
import { type HostAddress, type HostView, publicLocation, type ReleaseHost, type ReleaseSource } from '../model/host.ts';
import { canonicalJson } from '../model/json.ts';
import type { World } from '../model/seams.ts';
import { folderHost } from './folder.ts';
import { folderSource } from './folder-source.ts';
import { folderView } from './folder-view.ts';
import { forgeSource, mayBeForge } from './forge-source.ts';
import { gitHost } from './git-host.ts';
import { giteaHost } from './gitea.ts';
import { githubHost, githubSource } from './github.ts';
import { type HttpWorld, openHttp } from './http.ts';
import { ociHost } from './oci-host.ts';
import { ociSource } from './oci-source.ts';
import { webSource } from './web-folder.ts';

/** Opens a release location for reading: an absolute path, `file:///…`, `https://…`, or `http://` of this machine, or `oci://registry/name`. Nothing is asked yet. */
export function openSource(location: string, world: HostWorld): ReleaseSource {
  if (isAbsolute(location)) return folderSource(location);
  if (location.startsWith('file:')) return folderSource(pathOf(location));
  if (location.startsWith('oci://')) return ociSource(location.slice('oci://'.length), world);
  if (/^https?:\/\//.test(location)) return openWeb(location, world);
  throw new ToolError('E_CONFIG', `${JSON.stringify(location)} is not a release location`, {
    hint: 'Give https://…, oci://…, file:///… or the absolute path of a folder.',
  });
}

/** $SLIPWAY_TOKEN is for private repositories: it goes to the release location itself and nowhere else. */
function openWeb(location: string, world: HttpWorld): ReleaseSource {
  const token = world.env.SLIPWAY_TOKEN || undefined;
  const { hostname, pathname } = new URL(location);
  if (token !== undefined && hostname === 'github.com' && mayBeForge(location)) {
    const repository = pathname.replace(/^\/|\/$/g, '');
    return githubSource({ type: 'github', name: location, repository, token: 'SLIPWAY_TOKEN' }, world);
  }
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  if (mayBeForge(location)) return forgeSource(location, openHttp(world), authorization);
  return webSource(location, openHttp(world), authorization);
}

/** What installs read at this host, with the token of its publishers where it needs one. Throws E_NOT_SUPPORTED for a host without releases. */
export function openReader(address: HostAddress, world: HostWorld): ReleaseSource {
  if (address.type === 'folder') return folderSource(address.path);
  const location = publicLocation(address);
  if (location === undefined) {
    throw new ToolError('E_NOT_SUPPORTED', `${address.name} holds no releases`, { hint: 'Name a host of another type.' });
  }
  const token = 'token' in address && address.token !== undefined ? world.env[address.token] : undefined;
  return openSource(location, token === undefined ? world : { ...world, env: { ...world.env, SLIPWAY_TOKEN: token } });
}

/** What hosts need of the world. */
export type HostWorld = HttpWorld & Pick<World, 'run'>;

const opened = new WeakMap<HostWorld, Map<string, ReleaseHost>>();

/** Opens a host for publishing; in one world each host once, for a client knows what it made and measured. */
export function openHost(address: HostAddress, world: HostWorld): ReleaseHost {
  const hosts = opened.get(world) ?? new Map<string, ReleaseHost>();
  opened.set(world, hosts);
  const key = canonicalJson(address);
  const host = hosts.get(key) ?? makeHost(address, world);
  hosts.set(key, host);
  return host;
}

function makeHost(address: HostAddress, world: HostWorld): ReleaseHost {
  if (address.type === 'folder') return folderHost(address.path, world);
  if (address.type === 'github') return githubHost(address, world);
  if (address.type === 'gitea') return giteaHost(address, world);
  if (address.type === 'oci') return ociHost(address, world);
  return gitHost(address, world);
}

/** Opens a host to look at what is published there. */
export function openView(address: HostAddress, world: HostWorld): HostView {
  return address.type === 'folder' ? folderView(address.path) : openHost(address, world);
}

/** True when `channels/<name>.json` and `.minisig` hold what the channel file holds, or there is no such channel. */
export async function isChannelCopied(view: HostView, name: string): Promise<boolean> {
  const signed = await view.read(`channels/${name}.signed.json`, CHANNEL_MAX_BYTES);
  if (signed === undefined) return true;
  const { payload, minisig } = parseSignedChannel(signed.toString(), `channel ${name}`);
  const copies = [
    [`channels/${name}.json`, payload],
    [`channels/${name}.json.minisig`, minisig],
  ] as const;
  for (const [path, text] of copies) {
    if (text !== null && (await view.read(path, CHANNEL_MAX_BYTES))?.toString() !== text) return false;
  }
  return true;
}

function pathOf(location: string): string {
  try {
    return fileURLToPath(location);
  } catch (cause) {
    throw new ToolError('E_CONFIG', `${JSON.stringify(location)} is not a file address`, {
      cause,
      hint: 'Write it as file:///path/to/folder.',
    });
  }
}
