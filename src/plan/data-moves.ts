// How data gets into the volumes of a new release. Rule: read from the backup of the same plan, into volumes that are new; the old ones stay as they are.
import type { DataMove } from '../model/data-move.ts';
import { keep } from '../model/description.ts';
import { COMPARES } from '../model/major-change.ts';
import type { Manifest } from '../model/manifest.ts';
import type { ComposeProject, DataToCopy, Step } from '../model/plan.ts';

export interface Moving {
  readonly moves: readonly DataMove[];
  readonly old: Manifest;
  readonly target: Manifest;
  readonly project: ComposeProject;
  readonly backup: string;
  /** An image that is present; nothing in it is run. */
  readonly image: string;
}

/** The items that a backup must hold so that these moves can be made: also those that upgrades skip otherwise. */
export function itemsToMove({ moves, old, image }: Pick<Moving, 'moves' | 'old' | 'image'>): DataToCopy[] {
  return moves.map(({ from, volume }) => keep({ name: from, volume, image, recipe: old.data[from]?.backup }));
}

/** Dumps that only the move needs, because it declares a command of its own. */
export function dumpsToMove({ moves, old, target, image }: Moving): DataToCopy[] {
  return moves.flatMap((move): DataToCopy[] => {
    const { change, from, volume } = move;
    if (change?.dump === undefined) return [];
    const recipe = old.data[from]?.backup ?? target.data[move.name]?.backup;
    if (recipe === undefined) return [];
    return [{ name: dumpOf(move), volume, image, recipe: { ...recipe, dump: change.dump } }];
  });
}

/** Before the dump: what the data holds, to compare with. */
export function measureSteps({ moves, old, target, project }: Moving): Step[] {
  const items = moves.flatMap((move) => {
    const command = compareOf(move, target);
    const service = (old.data[move.from]?.backup ?? target.data[move.name]?.backup)?.service;
    return command === undefined || service === undefined ? [] : [{ name: dumpOf(move), service, command }];
  });
  if (items.length === 0) return [];
  return [{ kind: 'measure-data', why: 'what the old engine holds, to compare with after the change', project, items }];
}

/** After the swap: copies first, then dumps into the new engines. */
export function moveSteps({ moves, target, project, backup, image }: Moving): Step[] {
  const copies = moves.flatMap(({ from, volume, to, kept, change }): DataToCopy[] => {
    if (change === undefined) return [{ name: from, volume: to, image }];
    return volume === to && kept !== null ? [{ name: from, volume: kept, image }] : [];
  });
  const imports = moves.flatMap((move) => {
    const { name, volume, to, change } = move;
    const recipe = target.data[name]?.backup;
    if (change === undefined || recipe === undefined) return [];
    const { service, restore } = recipe;
    const compare = compareOf(move, target);
    return [keep({ name, dump: dumpOf(move), volume: to, replaces: volume === to, service, restore: change.restore ?? restore, compare })];
  });
  return [
    ...(copies.length === 0
      ? []
      : [{ kind: 'carry-data', why: 'data goes on in another volume', backup, project, items: copies } as const]),
    ...(imports.length === 0
      ? []
      : [{ kind: 'import-data', why: 'the new engine takes over what the old one dumped', backup, project, items: imports } as const]),
  ];
}

/** Past the door: what the maintainer says need not be kept. */
export function dropSteps({ moves }: Pick<Moving, 'moves'>): Step[] {
  const volumes = moves.flatMap(({ volume, to, kept }) => (kept === null && volume !== to ? [volume] : []));
  if (volumes.length === 0) return [];
  return [{ kind: 'drop-volumes', why: 'data of the former major, which this release does not keep', volumes }];
}

/** The present data of the new release: under its own names. */
export function presentItems(items: readonly DataToCopy[], moves: readonly DataMove[]): DataToCopy[] {
  return items.map((item) => {
    const move = moves.find(({ from }) => from === item.name);
    return move === undefined ? item : { ...item, name: move.name, volume: move.to };
  });
}

/** What the plan says of moves, one line each. */
export function moveNotes({ moves, target }: Pick<Moving, 'moves' | 'target'>): string[] {
  return moves.map((move) => {
    const { name, from, volume, to, kept, change } = move;
    const how = change === undefined ? 'is copied' : `goes to ${target.data[name]?.engine ?? 'major'} ${target.data[name]?.major}`;
    const where = volume === to ? `in ${to}` : `from ${volume} to ${to}`;
    const compared = change !== undefined && compareOf(move, target) === undefined ? '; nothing says how to compare both' : '';
    const stays = kept === null ? 'the old data goes when all is well' : `the old data stays in ${kept} until \`backup forget ${kept}\``;
    return `${from} ${how} ${where}${compared}; ${stays}`;
  });
}

/** Names the dump in the backup. */
function dumpOf({ name, from, change }: DataMove): string {
  return change?.dump === undefined ? from : `${from}-to-${name}`;
}

function compareOf({ name, change }: DataMove, target: Manifest): string | undefined {
  return change === undefined ? undefined : (change.compare ?? COMPARES[target.data[name]?.engine ?? '']);
}
