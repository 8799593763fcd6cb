// Logins for registries under test, and the real reader with one of them.

import type { RegistrySource } from '../../src/model/registry.ts';
import type { Credential } from '../../src/world/docker-config.ts';
import { openHttp } from '../../src/world/http.ts';
import { openRegistry } from '../../src/world/registry.ts';
import { REGISTRY_LOGIN } from './docker-registry.ts';
import { testHttpWorld } from './http-world.ts';

const { username, password } = REGISTRY_LOGIN;

/** The Authorization header of the one login that test registries know. */
export const BASIC = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
export const STORED: Credential = { kind: 'password', username, password, from: '/home/me/.docker/config.json' };
export const NOTHING: Credential = { kind: 'none', reason: '/home/me/.docker/config.json has no login' };

/** A registry reader with this login; it does not really wait between tries. */
export function reader(credential: Credential = NOTHING, now = () => new Date()): RegistrySource {
  return openRegistry({ http: openHttp(testHttpWorld()), credentials: { find: async () => credential }, world: testHttpWorld({ now }) });
}

/** The Authorization header for pushing to a fake registry with Bearer login. */
export async function pushToken(host: string, repository: string): Promise<string> {
  const query = new URLSearchParams({ kept: 'yes', service: 'fake, registry', scope: `repository:${repository}:pull,push` });
  const answer = await fetch(`http://${host}/token?${query}`, { headers: { authorization: BASIC } });
  return `Bearer ${((await answer.json()) as { token: string }).token}`;
}
