// How a site reaches the world: its proxies and its own certificate authority. Rule: kept in install.json, which nobody but its owner reads; a proxy's password is never shown.
import { ToolError } from './error.ts';
import type { World } from './seams.ts';

/** By name: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, and `CA`, the text of the certificates. Absent = none. */
export type SiteNetwork = Readonly<Record<string, string>>;

export const PROXY_NAMES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'] as const;
/** The answer that names a file of certificates, which are trusted besides the usual ones. */
export const CA_FILE = 'CA_FILE';
/** The environment variable that carries their text to whatever fetches. */
export const CA_VARIABLE = 'SLIPWAY_CA';

const MOST_CA = 256 * 1024;

/** The network with what was said; an empty value is none. Throws E_USAGE for a proxy that is no address and a text that is no certificate. */
export function changeNetwork(before: SiteNetwork, said: ReadonlyMap<string, string>): SiteNetwork {
  const values = new Map([...Object.entries(before), ...said].map(([name, value]) => [name, value.trim()]));
  for (const [name, value] of said) if (value.trim() !== '') refuseMisfit(name, value.trim());
  return Object.fromEntries([...values].filter(([, value]) => value !== ''));
}

/** The environment with the kept network; what the caller's own environment says in either spelling comes first. */
export function networkEnvironment(network: SiteNetwork, env: World['env']): World['env'] {
  const isSet = (name: string): boolean => Boolean(env[name] || env[name.toLowerCase()]);
  const proxies = PROXY_NAMES.filter((name) => network[name] !== undefined && !isSet(name)).map((name) => [name, network[name]] as const);
  const ca = network.CA === undefined || isSet(CA_VARIABLE) ? {} : { [CA_VARIABLE]: network.CA };
  return { ...env, ...Object.fromEntries(proxies), ...ca };
}

/** What may be shown of it; undefined = nothing is kept. */
export function networkToText(network: SiteNetwork = {}): string | undefined {
  const proxies = [...new Set(['HTTPS_PROXY', 'HTTP_PROXY'].flatMap((name) => network[name] ?? []).map(proxyToText))];
  const parts = [
    ...(proxies.length === 0
      ? []
      : [`through ${proxies.join(' and ')}${network.NO_PROXY === undefined ? '' : ` (not ${network.NO_PROXY})`}`]),
    ...(network.CA === undefined ? [] : ['with certificates of your own']),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}

/** A proxy's address without its login. */
export function proxyToText(address: string): string {
  return URL.canParse(withScheme(address)) ? new URL(withScheme(address)).host : '(not an address)';
}

/** True when the address holds a login. */
export function hasLogin(address: string): boolean {
  const url = withScheme(address);
  return URL.canParse(url) && (new URL(url).username !== '' || new URL(url).password !== '');
}

function refuseMisfit(name: string, value: string): void {
  if (name === 'CA') {
    if (value.length <= MOST_CA && /^-----BEGIN CERTIFICATE-----$/m.test(value) && !/PRIVATE KEY/.test(value)) return;
    throw new ToolError('E_USAGE', 'the file of certificates holds none, or a private key', {
      hint: 'Name a PEM file of certificates alone.',
    });
  }
  const isAddress =
    name === 'NO_PROXY' ? !/[\s"'\\]/.test(value) : /^https?:\/\/[^\s]+$/.test(withScheme(value)) && URL.canParse(withScheme(value));
  if (isAddress) return;
  const hint = name === 'NO_PROXY' ? 'Write hosts with commas: registry.site.example,.internal' : 'Write it as http://proxy.example:3128.';
  throw new ToolError('E_USAGE', `${name} is not ${name === 'NO_PROXY' ? 'a list of hosts' : 'the address of a proxy'}`, { hint });
}

function withScheme(address: string): string {
  return address.includes('://') ? address : `http://${address}`;
}
