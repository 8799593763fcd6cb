// Which services stop and start, and in which order. Rule: writers stop before the backup, data services after them; the door opens last.
import { resolve } from 'node:path';
import type { ComposeFact, ContainerFact, EngineFacts } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';
import type { OwnService } from '../model/own-service.ts';
import type { DataToCopy } from '../model/plan.ts';
import { refuseOwn } from './own-service.ts';

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
  /** The service in whose container this program runs, where that must be made anew; it is in no other list of what stops or starts. */
  readonly renewed?: OwnService;
}

/** Sorts the services of both releases by what an upgrade (or a first install) does with them. Throws E_POLICY when this program would have to stop its own container. */
export function decideServices(wish: ServicesWish): ServicesDecision {
  const { engine, next, target, remade = [] } = wish;
  const active = Object.keys(next.services).sort();
  const present = [...new Set(engine.containers.filter((each) => !each.oneOff).map((each) => each.service))].sort();
  const isMeant = (service: string): boolean => wish.only?.includes(service) !== false;
  const { own } = engine;
  const isOther = (service: string): boolean => service !== own?.service;
  const recreate = active.filter((service) => isMeant(service) && (remade.includes(service) || mountsChanged(service, wish)));
  const changed = (service: string): boolean =>
    isMeant(service) && (recreate.includes(service) || !runsAsWanted(service, engine.containers, next));
  const data = dataServices(wish);
  if (own !== undefined)
    refuseOwn(own, {
      isGone: isMeant(own.service) && !active.includes(own.service),
      holdsData: holdsCopied(own.service, wish),
      isNeeded: data.has(own.service) && changed(own.service),
    });
  const stops = (service: string): boolean =>
    changed(service) || (isMeant(service) && !active.includes(service)) || (wish.quiet && mayWrite(service, wish));
  const stopped = present.filter(
    (service) => isOther(service) && ((data.has(service) ? changed(service) : stops(service)) || holdsCopied(service, wish)),
  );
  const started = active.filter((service) => isOther(service) && (stopped.includes(service) || changed(service)));
  const isEntry = (service: string): boolean => target.upgrade.entry.includes(service);
  return {
    writers: stopped.filter((service) => !data.has(service)),
    dataStopped: stopped.filter((service) => data.has(service)),
    dataStarted: started.filter((service) => data.has(service)),
    rest: started.filter((service) => !data.has(service) && !isEntry(service)),
    entry: started.filter((service) => !data.has(service) && isEntry(service)),
    recreate: recreate.filter(isOther),
    jobs: active.filter((service) => target.services[service]?.kind === 'job'),
    optional: active.filter((service) => target.services[service]?.optional === true),
    lasting: active.filter((service) => target.services[service]?.kind !== 'job'),
    ...(own !== undefined && changed(own.service) ? { renewed: own } : {}),
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
export function holdsCopied(service: string, { root, items, engine }: Pick<ServicesWish, 'root' | 'items' | 'engine'>): boolean {
  const volumes = new Set(items.flatMap((item) => item.volume ?? []));
  const folders = items.flatMap((item) => (item.path === undefined ? [] : resolve(root, item.path)));
  const binds = bindsOf(service, engine.config, { root, engine });
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
function mountsChanged(service: string, wish: ServicesWish): boolean {
  const sources = bindsOf(service, wish.next, wish);
  return wish.swapped.some((path) => sources.some((source) => isWithin(`${wish.root}/${path}`, source)));
}

/** What a service sees of the machine. The whole install is open to this program’s own container, for it works there. */
function bindsOf(service: string, { services }: ComposeFact, { root, engine }: Pick<ServicesWish, 'root' | 'engine'>): string[] {
  const binds = (services[service]?.mounts ?? []).filter(({ type }) => type === 'bind').map(({ source }) => source);
  return service === engine.own?.service ? binds.filter((bind) => !isWithin(root, bind)) : binds;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
