// Data that a release looks for in another volume than the one before. Rule: decided from what is declared and what is there; the old volume is
// kept until a person lets it go.
import type { ComposeFact } from './facts.ts';
import type { InstallRecord, KeptVolume } from './install.ts';
import type { MajorChange } from './major-change.ts';
import type { Manifest } from './manifest.ts';

export interface DataMove {
  /** The item of the new release. */
  readonly name: string;
  /** Its name in the installed one. */
  readonly from: string;
  /** The engine's volume that it lies in, and the one where the new release looks for it. The same where one major takes the other's place. */
  readonly volume: string;
  readonly to: string;
  /** The volume with the old data afterwards; null = none. */
  readonly kept: string | null;
  /** Absent: the files themselves are carried over. */
  readonly change?: MajorChange;
}

export interface MoveFacts {
  readonly record: Pick<InstallRecord, 'volumes'>;
  readonly old: Pick<Manifest, 'data'>;
  /** The new release, without what the site's own servers replace. */
  readonly target: Pick<Manifest, 'data'>;
  readonly next: Pick<ComposeFact, 'volumes'>;
  /** Majors as they were read on disk, by the engine's volumes. */
  readonly majors: ReadonlyMap<string, number>;
}

/** What must be carried over, in the order of the new release. */
export function findMoves(facts: MoveFacts): DataMove[] {
  return Object.keys(facts.target.data).flatMap((name) => findMove(name, facts) ?? []);
}

/** The major of an installed item: as it is on disk, else as its release declares it. */
export function majorOf(name: string, { record, old, majors }: Pick<MoveFacts, 'record' | 'old' | 'majors'>): number | undefined {
  return majors.get(record.volumes[name] ?? '') ?? old.data[name]?.major;
}

/** The record's volumes once these moves are made. */
export function movedVolumes(volumes: InstallRecord['volumes'], moves: readonly DataMove[]): Record<string, string> {
  const left = new Set(moves.map(({ from }) => from));
  return Object.fromEntries(Object.entries(volumes).filter(([name]) => !left.has(name)));
}

/** The volumes kept for the person: those from before and these, without what is in use. */
export function keptVolumes(
  before: InstallRecord,
  used: InstallRecord['volumes'],
  more: readonly KeptVolume[],
): Pick<InstallRecord, 'kept'> {
  const inUse = new Set(Object.values(used));
  const known = (before.kept ?? []).filter(({ volume }) => !more.some((each) => each.volume === volume));
  const kept = [...known, ...more].filter(({ volume }) => !inUse.has(volume));
  return kept.length === 0 && before.kept === undefined ? {} : { kept };
}

function findMove(name: string, facts: MoveFacts): DataMove | undefined {
  const item = facts.target.data[name];
  const to = facts.next.volumes[name];
  if (item === undefined || to === undefined || item.path !== undefined || item.ephemeral === true) return undefined;
  if (item.migrate !== undefined) {
    const volume = volumeBefore(name, item.migrate.from, facts);
    if (volume !== undefined) return changeOf({ name, volume, to }, item.migrate, facts);
  }
  const from = item.renamedFrom;
  const volume = from === undefined ? undefined : volumeBefore(name, from, facts);
  return from === undefined || volume === undefined || volume === to ? undefined : { name, from, volume, to, kept: volume };
}

/** Where the data lies, unless the item has a volume of its own name already. */
function volumeBefore(name: string, from: string, { record }: MoveFacts): string | undefined {
  return from === name || record.volumes[name] === undefined ? record.volumes[from] : undefined;
}

function changeOf(place: Pick<DataMove, 'name' | 'volume' | 'to'>, change: MajorChange, facts: MoveFacts): DataMove | undefined {
  const { from, keepOld } = change;
  const major = majorOf(from, facts);
  const inPlace = place.volume === place.to;
  if (inPlace && (major === undefined || major === facts.target.data[place.name]?.major)) return undefined;
  const old = inPlace ? `${place.volume}-${major}` : place.volume;
  return { ...place, from, kept: keepOld ? old : null, change };
}
