// Where a found project keeps the data that a release declares. Rule: data that the release would look for elsewhere is told or refused before anything is taken over.
import { resolve } from 'node:path';
import { ToolError } from '../model/error.ts';
import type { ComposeFact, MountFact } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';

export interface PlacesWish {
  readonly root: string;
  readonly manifest: Manifest;
  /** The project as its files describe it. */
  readonly config: ComposeFact;
  /** The same as the release's own compose file describes it. */
  readonly shipped: ComposeFact;
}

export interface DataPlaces {
  /** Data item → the engine's volume. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Among these, items whose volume the release would look for under another name: item → that name. */
  readonly renamed: Readonly<Record<string, string>>;
  /** Items that nothing here has. */
  readonly absent: readonly string[];
}

/** Finds every declared volume. Throws E_POLICY for data that lies where the release would not find it, for an upgrade would start without. */
export function findDataPlaces(wish: PlacesWish): DataPlaces {
  const volumes: Record<string, string> = {};
  const renamed: Record<string, string> = {};
  const absent: string[] = [];
  const elsewhere: string[] = [];
  for (const [name, item] of Object.entries(wish.manifest.data)) {
    if (item.ephemeral === true) continue;
    const place = placeOf(name, item.path, wish);
    if (place.kind === 'elsewhere') elsewhere.push(`${name} is ${place.text}`);
    else if (place.kind === 'absent') absent.push(name);
    else if (place.kind === 'volume') {
      volumes[name] = place.volume;
      const shipped = wish.shipped.volumes[name];
      if (shipped !== undefined && shipped !== place.volume) renamed[name] = shipped;
    }
  }
  if (elsewhere.length > 0) throw lyingElsewhere(elsewhere);
  return { volumes, renamed, absent };
}

type Place =
  | { readonly kind: 'volume'; readonly volume: string }
  | { readonly kind: 'folder' | 'absent' }
  | { readonly kind: 'elsewhere'; readonly text: string };

interface Used {
  readonly service: string;
  readonly mount: MountFact;
}

function placeOf(name: string, path: string | undefined, { root, config, shipped }: PlacesWish): Place {
  const own = config.volumes[name];
  if (path === undefined && own !== undefined) return { kind: 'volume', volume: own };
  const folder = path === undefined ? undefined : resolve(root, path);
  const wanted = mountsOf(shipped).filter(({ mount }) => (folder === undefined ? isVolume(mount, name) : isIn(mount, folder)));
  for (const { service, mount } of wanted) {
    const services = config.services[service] === undefined ? [] : [service];
    const there = mountsOf(config).find((each) => services.includes(each.service) && each.mount.target === mount.target)?.mount;
    if (there === undefined && services.length > 0)
      return { kind: 'elsewhere', text: `inside the container of ${service}, at ${mount.target}` };
    if (there === undefined) continue;
    if (folder !== undefined) return isIn(there, folder) ? { kind: 'folder' } : elsewhere(there);
    const volume = there.type === 'volume' ? config.volumes[there.source] : undefined;
    return volume === undefined ? elsewhere(there) : { kind: 'volume', volume };
  }
  return { kind: folder === undefined ? 'absent' : 'folder' };
}

function elsewhere({ type, source }: MountFact): Place {
  return {
    kind: 'elsewhere',
    text: source === '' ? 'in a volume without a name' : `in the ${type === 'bind' ? 'folder' : 'volume'} ${source}`,
  };
}

function mountsOf({ services }: ComposeFact): Used[] {
  return Object.entries(services).flatMap(([service, { mounts }]) => mounts.map((mount) => ({ service, mount })));
}

function isVolume({ type, source }: MountFact, name: string): boolean {
  return type === 'volume' && source === name;
}

function isIn({ type, source }: MountFact, folder: string): boolean {
  return type === 'bind' && resolve(source) === folder;
}

function lyingElsewhere(texts: readonly string[]): ToolError {
  return new ToolError('E_POLICY', `data lies where the release does not look for it: ${texts.join('; ')}`, {
    hint: 'An upgrade would start without it, so nothing is taken over. Put it where the release has it (its docker-compose.yml says where), or install afresh: `install --dir FOLDER --project NAME`, and bring the data over.',
  });
}
