// Which units of systemd an install gets, and which go. Rule: a file that a person changed stays as it is; one of another install is never touched.
import { type Digest, digestOf } from '../model/digest.ts';
import type { UnitsRecord } from '../model/install.ts';
import type { Step } from '../model/plan.ts';
import type { Unit, UnitScope, UnitToSet } from '../model/unit.ts';

export interface UnitsFacts {
  readonly root: string;
  readonly scope: UnitScope;
  readonly folder: string;
  /** The files that are there. */
  readonly found: ReadonlyMap<string, { readonly owner: string | undefined; readonly digest: Digest }>;
  /** What the install has so far. */
  readonly record: UnitsRecord | undefined;
}

export interface UnitsDecision {
  readonly steps: readonly Step[];
  /** What install.json says by then; undefined = none is left. */
  readonly record: UnitsRecord | undefined;
  /** Units whose name another program or install has. */
  readonly taken: readonly string[];
  /** Units that a person changed. */
  readonly kept: readonly string[];
}

/** Decides from the units that are wanted, and those that there are. */
export function decideUnits(wanted: readonly Unit[], facts: UnitsFacts): UnitsDecision {
  const { found, root, folder, scope } = facts;
  const known = facts.record?.files ?? {};
  const taken = wanted.map(({ name }) => name).filter((name) => found.has(name) && found.get(name)?.owner !== root);
  const isKept = (name: string): boolean => found.get(name)?.owner === root && found.get(name)?.digest !== known[name];
  const ours = wanted.filter(({ name }) => !taken.includes(name));
  const placed = ours.map(({ name, text, enabled }): UnitToSet => {
    const isFree = !isKept(name) || found.get(name)?.digest === digestOf(text);
    return isFree ? { name, content: digestOf(text), enabled } : { name, enabled };
  });
  const former = Object.keys(known).filter((name) => !ours.some((unit) => unit.name === name) && found.get(name)?.owner === root);
  const gone = former.map((name): UnitToSet => (isKept(name) ? { name, enabled: false } : { name, content: null, enabled: false }));
  const files = Object.fromEntries(
    ours.map(({ name, text }) => [name, known[name] !== undefined && isKept(name) ? known[name] : digestOf(text)]),
  );
  const changed = gone.length > 0 || placed.some(({ name, content }) => found.get(name)?.digest !== content && content !== undefined);
  const step: Step = { kind: 'set-units', why: whyOf(ours, former), scope, folder, units: [...gone, ...placed] };
  return {
    steps: changed ? [step] : [],
    record: ours.length === 0 ? undefined : { scope, folder, files },
    taken,
    kept: [...ours.map(({ name }) => name), ...former].filter((name) =>
      placed.concat(gone).some((unit) => unit.name === name && !('content' in unit)),
    ),
  };
}

function whyOf(wanted: readonly Unit[], former: readonly string[]): string {
  const has = (end: string): boolean => wanted.some(({ name }) => name.endsWith(end));
  const parts = [
    ...(has('-backup.timer') ? ['backups are made by themselves'] : []),
    ...(has('-recover.service') ? ['what is cut off is ended at the next boot'] : []),
    ...(former.length > 0 ? [`${former.join(', ')} ${former.length === 1 ? 'goes' : 'go'}`] : []),
  ];
  return parts.join('; ') || 'the units of this install';
}
