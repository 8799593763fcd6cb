// Services that a site may replace by a server of its own. Rule: the choice is a feature with two choices, `<service>=container` and `<service>=own`; what
// leans on the container is taken out of the release before anything is planned.
import type { Feature, ServiceTraits, Variable } from './description.ts';
import type { Manifest } from './manifest.ts';

type Services = Readonly<Record<string, ServiceTraits>>;
type External = NonNullable<ServiceTraits['external']>;

const CONTAINER = 'container';
const OWN = 'own';

/** The choices that services with `external` offer. The service itself has a profile of its own name. */
export function externalFeatures(services: Services): Record<string, Feature> {
  return Object.fromEntries(
    externals(services).map(([name, { ask }]): [string, Feature] => [
      name,
      { ask: ask ?? `Use your own ${name}?`, profiles: [], default: CONTAINER, choices: { [CONTAINER]: [name], [OWN]: [] } },
    ]),
  );
}

/** The variables with those of external services: asked and required when the server is the site's own. */
export function externalVariables(services: Services, env: Readonly<Record<string, Variable>>): Record<string, Variable> {
  const asked = externals(services).flatMap(([service, { variables }]) =>
    variables.map((name): [string, Variable] => {
      const known = Object.hasOwn(env, name) ? env[name] : undefined;
      const rules = { required: true, when: `features.${service}=${OWN}`, ask: name };
      return [name, known === undefined ? { sensitive: true, ...rules } : { ...rules, ...known, required: true }];
    }),
  );
  return { ...env, ...Object.fromEntries(asked) };
}

/** The services that are the site's own servers with these features. */
export function ownServers(services: Services, features: readonly string[]): string[] {
  return externals(services).flatMap(([name]) => (features.includes(`${name}=${OWN}`) ? [name] : []));
}

/** The features that follow from what was given: who names the server means their own, unless they say otherwise. */
export function impliedFeatures(services: Services, given: ReadonlyMap<string, string>, said: readonly string[]): string[] {
  return externals(services).flatMap(([name, { variables }]) => {
    const isNamed = variables.some((variable) => (given.get(variable) ?? '') !== '');
    const isSaid = said.some((item) => item.startsWith(`${name}=`));
    return isNamed && !isSaid ? [`${name}=${OWN}`] : [];
  });
}

/** Values of own servers that are used no more: empty, so that the compose file's own address counts again. */
export function withdrawnValues(services: Services, features: readonly string[], values: ReadonlyMap<string, string>): Map<string, string> {
  const own = ownServers(services, features);
  const idle = externals(services).filter(([name]) => !own.includes(name));
  const names = idle.flatMap(([, { variables }]) => variables).filter((name) => (values.get(name) ?? '') !== '');
  return new Map(names.map((name) => [name, '']));
}

/** The release without what needs the containers of own servers: backups, migrations that wait for them, checks and probes inside of them. */
export function withoutOwnServers(manifest: Manifest, features: readonly string[]): Manifest {
  const own = ownServers(manifest.services, features);
  if (own.length === 0) return manifest;
  const stays = ({ service }: { readonly service?: string }): boolean => service === undefined || !own.includes(service);
  const { upgrade } = manifest;
  const left = notBackedUp(manifest, features);
  return {
    ...manifest,
    data: Object.fromEntries(Object.entries(manifest.data).filter(([name]) => !left.includes(name))),
    validate: manifest.validate.filter(stays),
    upgrade: {
      ...upgrade,
      migrate: upgrade.migrate.filter(stays).map((each) => ({ ...each, needs: each.needs.filter((name) => !own.includes(name)) })),
      entry: upgrade.entry.filter((name) => !own.includes(name)),
      health: upgrade.health.filter(stays),
    },
  };
}

/** The data items whose recipe needs the container of an own server. */
export function notBackedUp(manifest: Pick<Manifest, 'services' | 'data'>, features: readonly string[]): string[] {
  const own = ownServers(manifest.services, features);
  return Object.entries(manifest.data).flatMap(([name, { backup }]) =>
    backup !== undefined && own.includes(backup.service) ? [name] : [],
  );
}

/** What a plan says of own servers, one line each. */
export function ownServerNotes(manifest: Pick<Manifest, 'services' | 'data'>, features: readonly string[]): string[] {
  return ownServers(manifest.services, features).map((name) => {
    const items = Object.entries(manifest.data).filter(([, { backup }]) => backup?.service === name);
    const data = items.length === 0 ? 'its data' : items.map(([item]) => item).join(', ');
    return `${name} is your own server: no container of it runs here, and ${data} is not backed up by us`;
  });
}

function externals(services: Services): [string, External][] {
  return Object.entries(services).flatMap(([name, { external }]): [string, External][] =>
    external === undefined ? [] : [[name, external]],
  );
}
