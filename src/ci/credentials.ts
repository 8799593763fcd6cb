// Who may do what: secrets, logins and permissions. Rule: names alone; a job gets what its own steps use, and pull requests get nothing.
import type { Forge, LoginSecrets } from '../model/ci-rules.ts';
import type { HostAddress } from '../model/host.ts';
import { parseImageHome, readRef } from '../model/image.ts';
import type { Product } from '../model/product.ts';
import type { SecretNote } from './print.ts';
import { type CiScene, expression, type Permissions, secret } from './workflow.ts';

export const SIGNING_KEY = 'SLIPWAY_SECRET_KEY';

/** Forges refuse secrets of these names: theirs is there already, and another's gets `CI_` before it. */
const RESERVED: Readonly<Record<Forge, RegExp>> = { github: /^GITHUB_/, gitea: /^(?:GITHUB|GITEA)_/ };

/** The token that every job has. */
export function jobToken(forge: Forge): string {
  return secret(forge === 'github' ? 'GITHUB_TOKEN' : 'GITEA_TOKEN');
}

/** The hosts that a release concerns. */
export function releaseHosts({ release }: Product): readonly HostAddress[] {
  return release.hosts.filter(({ name }) => name === release.authority || release.publishTo.includes(name));
}

/** The variables with the tokens of these hosts. */
export function hostTokens({ product, forge }: CiScene): Record<string, string> {
  const tokens = releaseHosts(product).flatMap((host): [string, string][] => {
    const variable = 'token' in host ? host.token : undefined;
    return variable === undefined ? [] : [[variable, tokenOf(host, variable, forge)]];
  });
  return Object.fromEntries(tokens);
}

/** Of these, the tokens that are the job's own: they can do what its rights say, and end with it. */
export function ownTokens(scene: CiScene): Record<string, string> {
  return Object.fromEntries(Object.entries(hostTokens(scene)).filter(([, value]) => value === jobToken(scene.forge)));
}

/** The key that signs, where the product is signed. */
export function signingKey({ product }: CiScene): Record<string, string> {
  return product.release.publicKey === undefined ? {} : { [SIGNING_KEY]: secret(SIGNING_KEY) };
}

function tokenOf(host: HostAddress, variable: string, forge: Forge): string {
  const isOwn = host.type === forge && (forge === 'github' ? variable === 'GITHUB_TOKEN' : /^(?:GITHUB|GITEA)_TOKEN$/.test(variable));
  return isOwn ? jobToken(forge) : secret(secretName(variable, forge));
}

function secretName(variable: string, forge: Forge): string {
  return RESERVED[forge].test(variable) ? `CI_${variable}` : variable;
}

export interface Login {
  readonly registry: string;
  readonly username: string;
  readonly password: string;
}

/** The registry of the product's images, then those of its mirrors and of releases, as far as the job needs them. */
export function homeRegistry({ images }: Product): string | undefined {
  return images.registry === undefined ? undefined : parseImageHome(images.registry, 'images.registry').registry;
}

/** Where images are mirrored to, besides the product's registry. */
export function mirrorRegistries({ images }: Product): readonly string[] {
  return images.thirdParty.flatMap(({ to = [] }) => to.map((place) => parseImageHome(place, 'to').registry));
}

/** Registries that hold releases. */
export function releaseRegistries(product: Product): readonly string[] {
  return releaseHosts(product).flatMap((host) => (host.type === 'oci' ? (readRef(host.repository)?.registry ?? []) : []));
}

/** The logins of these registries, each once; those on this very machine need none. */
export function loginsOf(registries: readonly (string | undefined)[], scene: CiScene): Login[] {
  const names = [...new Set(registries.filter((name) => name !== undefined))];
  return names.flatMap((registry) => loginOf(registry, scene) ?? []);
}

/** Of these registries, those that the job's own token opens. */
export function ownRegistries(registries: readonly (string | undefined)[], scene: CiScene): string[] {
  const own = loginsOf(registries, scene).filter(({ password }) => password === jobToken(scene.forge));
  return own.map(({ registry }) => registry);
}

function loginOf(registry: string, { product, forge }: CiScene): Login | undefined {
  const { logins } = product.ci;
  const given = Object.hasOwn(logins, registry) ? logins[registry] : undefined;
  if (given === 'none' || (given === undefined && isLoopback(registry))) return undefined;
  if (given === undefined && forge === 'github' && registry === 'ghcr.io') {
    return { registry, username: expression('github.actor'), password: jobToken(forge) };
  }
  const { username, password } = given ?? usualLogin(registry, product);
  return { registry, username: secret(secretName(username, forge)), password: secret(secretName(password, forge)) };
}

function usualLogin(registry: string, product: Product): LoginSecrets {
  const name = registry === homeRegistry(product) ? 'REGISTRY' : registry.toUpperCase().replace(/[^A-Z0-9]+/g, '_');
  return { username: `${name}_USERNAME`, password: `${name}_PASSWORD` };
}

function isLoopback(registry: string): boolean {
  return /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/.test(registry);
}

/** What images need of the job's token: GitHub's own registry is the only one that takes it. */
export function imagePermission({ product, forge }: CiScene, access: 'read' | 'write'): Permissions {
  const registries = [homeRegistry(product), ...mirrorRegistries(product), ...releaseRegistries(product)];
  return forge === 'github' && registries.includes('ghcr.io') ? { packages: access } : {};
}

/** What tags, releases and channel files need of it: only a host on this very forge takes it. */
export function releasePermission({ product, forge }: CiScene): Permissions {
  return { contents: releaseHosts(product).some(({ type }) => type === forge || type === 'git') ? 'write' : 'read' };
}

/** What is known of secrets, for whoever sets them; what the product says comes first. */
export function secretNote(name: string, { product, forge }: CiScene): SecretNote | undefined {
  if (name === 'GITHUB_TOKEN' || (forge === 'gitea' && name === 'GITEA_TOKEN')) return undefined;
  return { name, text: product.ci.secrets[name] ?? usualNote(name, product, forge) };
}

function usualNote(name: string, product: Product, forge: Forge): string {
  if (name === SIGNING_KEY) return `the minisign secret key of ${product.release.publicKey}, without a password`;
  const host = releaseHosts(product).find((each) => 'token' in each && each.token !== undefined && secretName(each.token, forge) === name);
  if (host !== undefined) return `the token of the release host ${host.name}, which may write tags and releases`;
  if (/_USERNAME$/.test(name)) return 'the user name of a registry login';
  return /_(?:PASSWORD|TOKEN)$/.test(name) ? 'the password or token of a registry login' : 'used by a scheduled job';
}
