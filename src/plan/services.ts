// Which services stop and start, and in which order. Rule: writers stop before the backup, data services after them; the door opens last.
import { resolve } from 'node:path';
import type { ComposeFact, ContainerFact, EngineFacts, MountFact } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { DataToCopy } from '../model/plan.ts';

export interface ServicesWish {
  readonly root: string;
  readonly old: Manifest | undefined;
  readonly target: Manifest;
  readonly engine: EngineFacts;
  /** The project as the new files describe it. */
  readonly next: ComposeFact;
  /** Paths that the swap changes, relative to the root. */
  readonly swapped: readonly string[];
  /** Services whose images become others under the same names. */
  readonly remade?: readonly string[];
  readonly items: readonly DataToCopy[];
  /** True when data is at stake: something will be backed up or migrated. */
  readonly quiet: boolean;
  /** All others are left alone, whatever is to be said of them. */
  readonly only?: readonly string[];
}

export interface ServicesDecision {
  /** Stopped first: everything that may write. */
  readonly writers: readonly string[];
  /** Stopped after the dumps: what holds the data itself. */
  readonly dataStopped: readonly string[];
  readonly dataStarted: readonly string[];
  /** All but data services and the door. */
  readonly rest: readonly string[];
  readonly entry: readonly string[];
  /** Must be made anew although their configuration did not change: a mounted file or the image behind a name did. */
  readonly recreate: readonly string[];
  readonly jobs: readonly string[];
  readonly optional: readonly string[];
  /** All long-running services of the new release. */
  readonly lasting: readonly string[];
}

/** Sorts the services of both releases by what an upgrade (or a first install) does with them. */
export function decideServices(wish: ServicesWish): ServicesDecision {
  const { engine, next, target, remade = [] } = wish;
  const active = Object.keys(next.services).sort();
  const present = [...new Set(engine.containers.filter((each) => !each.oneOff).map((each) => each.service))].sort();
  const isMeant = (service: string): boolean => wish.only?.includes(service) !== false;
  const recreate = active.filter(
    (service) => isMeant(service) && (remade.includes(service) || mountsChanged(next.services[service]?.mounts ?? [], wish)),
  );
  const changed = (service: string): boolean =>
    isMeant(service) && (recreate.includes(service) || !runsAsWanted(service, engine.containers, next));
  const data = dataServices(wish);
  const stops = (service: string): boolean =>
    changed(service) || (isMeant(service) && !active.includes(service)) || (wish.quiet && mayWrite(service, wish));
  const stopped = present.filter((service) => (data.has(service) ? changed(service) : stops(service)) || holdsCopied(service, wish));
  const started = active.filter((service) => stopped.includes(service) || changed(service));
  const isEntry = (service: string): boolean => target.upgrade.entry.includes(service);
  return {
    writers: stopped.filter((service) => !data.has(service)),
    dataStopped: stopped.filter((service) => data.has(service)),
    dataStarted: started.filter((service) => data.has(service)),
    rest: started.filter((service) => !data.has(service) && !isEntry(service)),
    entry: started.filter((service) => !data.has(service) && isEntry(service)),
    recreate,
    jobs: active.filter((service) => target.services[service]?.kind === 'job'),
    optional: active.filter((service) => target.services[service]?.optional === true),
    lasting: active.filter((service) => target.services[service]?.kind !== 'job'),
  };
}

/** Data services are those that migrations need and backup recipes use, in either release. */
function dataServices(wish: ServicesWish): ReadonlySet<string> {
  const manifests = wish.old === undefined ? [wish.target] : [wish.old, wish.target];
  const needed = manifests.flatMap((manifest) => manifest.upgrade.migrate.flatMap((migration) => migration.needs));
  const backedUp = manifests.flatMap((manifest) => Object.values(manifest.data).flatMap((item) => item.backup?.service ?? []));
  return new Set([...needed, ...backedUp]);
}

/** Everything writes unless it was said that it does not; a door lets in who writes, whatever was said. */
function mayWrite(service: string, wish: ServicesWish): boolean {
  const { old = wish.target, target } = wish;
  return old.services[service]?.writer !== false || target.upgrade.entry.includes(service);
}

/** What has a copied volume or folder open would be copied half-way, and would go with it when that is put back. */
function holdsCopied(service: string, { root, items, engine }: ServicesWish): boolean {
  const volumes = new Set(items.flatMap((item) => item.volume ?? []));
  const folders = items.flatMap((item) => (item.path === undefined ? [] : resolve(root, item.path)));
  const binds = (engine.config.services[service]?.mounts ?? []).filter((mount) => mount.type === 'bind').map((mount) => mount.source);
  const isOpen = (folder: string): boolean => binds.some((bind) => isWithin(folder, bind) || isWithin(bind, folder));
  return (
    engine.containers.some((each) => each.service === service && each.volumes.some((name) => volumes.has(name))) || folders.some(isOpen)
  );
}

function runsAsWanted(service: string, containers: readonly ContainerFact[], next: ComposeFact): boolean {
  const own = containers.filter((each) => each.service === service && !each.oneOff);
  const well = (each: ContainerFact): boolean => each.state === 'running' || (each.state === 'exited' && each.exitCode === 0);
  return own.length > 0 && own.every((each) => well(each) && each.configHash === next.hashes[service]);
}

/** Compose itself does not see a changed file behind a bind mount. */
function mountsChanged(mounts: readonly MountFact[], wish: ServicesWish): boolean {
  const sources = mounts.filter((mount) => mount.type === 'bind').map((mount) => mount.source);
  return wish.swapped.some((path) => sources.some((source) => isWithin(`${wish.root}/${path}`, source)));
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
