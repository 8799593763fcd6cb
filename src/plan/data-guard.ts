// What keeps an upgrade from losing data. Rule: data that the new release would not find, or not be able to read, is refused before anything stops.
import type { DataMove, MoveFacts } from '../model/data-move.ts';
import { majorOf } from '../model/data-move.ts';
import { ToolError } from '../model/error.ts';
import type { ComposeFact, EngineFacts, InstallFacts } from '../model/facts.ts';
import type { Manifest } from '../model/manifest.ts';

export interface GuardFacts {
  readonly install: InstallFacts;
  readonly engine: EngineFacts;
  readonly next: ComposeFact;
  /** The new release, without what the site's own servers replace. */
  readonly target: Manifest;
  readonly moves: readonly DataMove[];
  /** Majors as they were read on disk, by the engine's volumes. */
  readonly majors: ReadonlyMap<string, number>;
  /** False: this change carries nothing over. */
  readonly carries: boolean;
}

const REPORT = 'Report it to the maintainer: such a change must be declared.';

/** Throws E_POLICY when data would be left behind, or opened by an engine that cannot read it. */
export function refuseLostData(facts: GuardFacts): void {
  const { install, target } = facts;
  if (target.project !== install.manifest.project) throw renamed('project', install.manifest.project, target.project);
  for (const [name, volume] of Object.entries(install.record.volumes)) refuseLostVolume(name, volume, facts);
  refuseSilentRename(facts);
  for (const move of facts.moves) refuseMove(move, facts);
  refuseOtherMajor(facts);
}

/** A volume that would be new and empty under an old name is the classic way to lose everything. */
function refuseLostVolume(name: string, volume: string, { engine, next, moves }: GuardFacts): void {
  const move = moves.find(({ from }) => from === name);
  const wanted = move?.to ?? next.volumes[name];
  if (wanted === undefined) return;
  if (move === undefined && wanted !== volume) throw renamed(`volume of ${name}`, volume, wanted);
  if (!engine.volumes.includes(volume)) {
    throw new ToolError('E_POLICY', `the data volume ${volume} is gone: the new release would start with an empty one`, {
      hint: 'Bring the volume back (or `restore` a backup) before upgrading.',
    });
  }
}

/** A service that finds another, new volume where its data was: the same loss, without a name that changed. */
function refuseSilentRename({ install, engine, next, moves }: GuardFacts): void {
  const mounted = new Set(Object.values(next.services).flatMap(({ mounts }) => mounts.map(({ source }) => source)));
  for (const [name, volume] of Object.entries(install.record.volumes)) {
    if (mounted.has(name) || moves.some(({ from }) => from === name)) continue;
    for (const [service, { mounts }] of Object.entries(engine.config.services)) {
      const place = mounts.find(({ type, source }) => type === 'volume' && source === name);
      const now = next.services[service]?.mounts.find(({ type, target }) => type === 'volume' && target === place?.target);
      const fresh = now === undefined ? undefined : next.volumes[now.source];
      if (fresh !== undefined && !engine.volumes.includes(fresh)) throw renamed(`volume of ${service}`, volume, fresh);
    }
  }
}

function refuseMove(move: DataMove, facts: GuardFacts): void {
  const { install, engine, target, carries } = facts;
  const { record } = install;
  if (!carries)
    throw new ToolError('E_POLICY', `the data of ${move.from} must be carried over to ${move.to}, and this change carries nothing`, {
      hint: 'Run `upgrade` without --no-start, with the service that uses it switched on.',
    });
  const filled = [move.volume === move.to ? move.kept : move.to].filter((volume) => volume !== null);
  const taken = filled.find((volume) => engine.volumes.includes(volume));
  if (taken !== undefined) {
    const isKept = record.kept?.some(({ volume }) => volume === taken) === true;
    throw new ToolError('E_POLICY', `the volume ${taken} is there already, and would be filled with the data of ${move.from}`, {
      hint: isKept
        ? `It is kept from before. If nobody needs it: \`backup forget ${taken}\`, then upgrade.`
        : `Look at what it holds. If nobody needs it: docker volume rm ${taken}, then upgrade.`,
    });
  }
  if (move.change !== undefined) refuseChange(move, move.change, facts);
  else
    refuseMajor({ name: move.name, found: majorOf(move.from, { record, old: install.manifest, majors: facts.majors }) }, target, install);
}

function refuseChange(move: DataMove, change: NonNullable<DataMove['change']>, { install, engine, target, majors }: GuardFacts): void {
  const found = majorOf(move.from, { record: install.record, old: install.manifest, majors });
  const { engine: what = 'the engine', major } = target.data[move.name] ?? {};
  if (found !== undefined && !change.majors.includes(found))
    throw new ToolError(
      'E_POLICY',
      `${move.from} is of ${what} ${found}; ${target.version} takes ${change.majors.join(', ')} to ${major}`,
      {
        hint: `Take a release in between that goes to ${change.majors.join(' or ')} first.`,
      },
    );
  const recipe = install.manifest.data[move.from]?.backup;
  if (recipe === undefined && change.dump === undefined)
    throw new ToolError('E_POLICY', `${install.record.version} does not say how ${move.from} is dumped`, { hint: REPORT });
  const service = recipe?.service ?? target.data[move.name]?.backup?.service ?? '';
  if (engine.containers.some((each) => each.service === service && each.state === 'running' && !each.oneOff)) return;
  throw new ToolError('E_POLICY', `${service} does not run, so ${move.from} cannot be dumped for ${what} ${major}`, {
    hint: 'Start it (`start`), then upgrade.',
  });
}

/** Data that keeps its volume, opened by the engine of the new release. */
function refuseOtherMajor({ install, target, moves, majors }: GuardFacts): void {
  const known: Pick<MoveFacts, 'record' | 'old' | 'majors'> = { record: install.record, old: install.manifest, majors };
  for (const name of Object.keys(target.data)) {
    if (install.record.volumes[name] === undefined || moves.some((move) => move.name === name)) continue;
    refuseMajor({ name, found: majorOf(name, known) }, target, install);
  }
}

function refuseMajor(
  { name, found }: { readonly name: string; readonly found: number | undefined },
  target: Manifest,
  install: InstallFacts,
): void {
  const { engine = 'the engine', major } = target.data[name] ?? {};
  if (found === undefined || major === undefined || found === major) return;
  throw new ToolError(
    'E_POLICY',
    `the data of ${name} was made by ${engine} ${found}; ${engine} ${major} of ${target.version} cannot read it`,
    {
      hint: `Stay at ${install.record.version}. The maintainer must declare the change: data.${name}.migrate.`,
      details: { item: name, found, wanted: major },
    },
  );
}

function renamed(what: string, from: string, to: string): ToolError {
  return new ToolError('E_POLICY', `the ${what} would change from ${from} to ${to}: the data would be left behind`, { hint: REPORT });
}
