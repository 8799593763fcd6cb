// What differs between two releases, for the people who run them. Rule: read from the two manifests alone; only what asks for attention is named.
import type { Migration, Variable } from '../model/description.ts';
import type { Manifest, ManifestImage } from '../model/manifest.ts';
import type { PortNeed } from '../model/requirements.ts';

export interface ReleaseChanges {
  /** New variables that a person must answer. */
  readonly required: readonly string[];
  /** Variables that are gone, with the name that took their place. */
  readonly removedVariables: readonly Moved[];
  readonly services: Difference;
  readonly ports: Difference;
  readonly volumes: Difference;
  /** Bind mounts outside of the install folder. */
  readonly hostPaths: Difference;
  readonly images: readonly ImageChange[];
  /** Commands that the previous release did not run: `api: node migrate.js`. */
  readonly migrations: readonly string[];
}

export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export interface Moved {
  readonly name: string;
  readonly to: string | null;
}

/** `before` null = new; `after` null = gone. */
export interface ImageChange {
  readonly name: string;
  readonly before: { readonly reference: string; readonly digest: string } | null;
  readonly after: { readonly reference: string; readonly digest: string } | null;
}

/** The changes from one release to the next. */
export function compareReleases(before: Manifest, after: Manifest): ReleaseChanges {
  return {
    required: Object.keys(after.env).filter((name) => isAsked(after.env[name]) && !isKnown(name, after.env[name], before)),
    removedVariables: Object.keys(before.env).flatMap((name) => movedOf(name, after)),
    services: difference(servicesOf(before), servicesOf(after)),
    ports: difference(before.requires.ports.map(portText), after.requires.ports.map(portText)),
    volumes: difference(Object.keys(before.data), Object.keys(after.data)),
    hostPaths: difference(before.hostPaths, after.hostPaths),
    images: imageChanges(before.images, after.images),
    migrations: difference(migrationsOf(before), migrationsOf(after)).added,
  };
}

function isAsked(variable: Variable | undefined): boolean {
  return variable?.required === true && variable.default === undefined && variable.secret === undefined;
}

/** The old release asked for it already, or for the one that it takes its value from. */
function isKnown(name: string, variable: Variable | undefined, before: Manifest): boolean {
  const former = variable?.renamedFrom;
  return isAsked(before.env[name]) || (former !== undefined && isAsked(before.env[former]));
}

function movedOf(name: string, after: Manifest): Moved[] {
  if (Object.hasOwn(after.env, name)) return [];
  const to = Object.entries(after.env).find(([, variable]) => variable.renamedFrom === name)?.[0];
  return [{ name, to: to ?? null }];
}

/** Every service that the manifest names anywhere. */
function servicesOf({ services, upgrade, data, validate }: Manifest): string[] {
  const named = [
    ...Object.keys(services),
    ...upgrade.entry,
    ...upgrade.migrate.flatMap(({ service, needs }) => [service, ...needs]),
    ...upgrade.health.flatMap(({ service }) => service ?? []),
    ...Object.values(data).flatMap(({ backup }) => backup?.service ?? []),
    ...validate.map(({ service }) => service),
  ];
  return [...new Set(named)].sort();
}

function portText({ port, protocol }: PortNeed): string {
  return `${port}/${protocol}`;
}

function migrationsOf({ upgrade }: Manifest): string[] {
  return upgrade.migrate.map(({ service, command }: Migration) => `${service}: ${command.join(' ')}`);
}

function imageChanges(before: readonly ManifestImage[], after: readonly ManifestImage[]): ImageChange[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))].sort();
  return names.flatMap((name) => {
    const old = shown(before.find((image) => image.name === name));
    const now = shown(after.find((image) => image.name === name));
    return old?.digest === now?.digest && old?.reference === now?.reference ? [] : [{ name, before: old, after: now }];
  });
}

function shown(image: ManifestImage | undefined): ImageChange['after'] {
  return image === undefined ? null : { reference: image.reference, digest: image.digest };
}

function difference(before: readonly string[], after: readonly string[]): Difference {
  const only = (some: readonly string[], others: readonly string[]): string[] => [
    ...new Set(some.filter((name) => !others.includes(name))),
  ];
  return { added: only(after, before), removed: only(before, after) };
}
