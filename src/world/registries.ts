// The registries of one run. Rule: one client for all that one process does, for tokens, connections and manifests are worth keeping.
import type { Registry } from '../model/registry.ts';
import type { World } from '../model/seams.ts';
import { openDockerConfig } from './docker-config.ts';
import { type HttpWorld, openHttp } from './http.ts';
import { openRegistry } from './registry.ts';

type RegistriesWorld = HttpWorld & Pick<World, 'run'>;

/** By the signal that stops a run: it stays the same where a world is given another way to report. */
const opened = new WeakMap<AbortSignal, Registry>();

/** The client of this run, with docker's own logins; made when it is first asked for. */
export function registriesOf(world: RegistriesWorld): Registry {
  const registry = opened.get(world.stop) ?? openRegistry({ http: openHttp(world), credentials: openDockerConfig(world), world });
  opened.set(world.stop, registry);
  return registry;
}
