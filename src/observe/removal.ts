// What must be known of the machine before something of it goes. Rule: looks only; what was there before the product is told by the journals of its own history.
import { join } from 'node:path';
import { type JournalState, parseJournal, wholeLines } from '../model/journal.ts';
import { operatorsFolder, stateFolder } from '../model/layout.ts';
import { parseFlag, parseList, parseMap, parseText } from '../model/parse.ts';
import type { World } from '../model/seams.ts';
import { imageIds, listAllContainers, listNetworks } from '../world/containers.ts';
import { listNames, readTextIfThere } from '../world/disk.ts';
import { observeLocalImages } from './kept.ts';

export interface Receipts {
  /** Image references that were here before the first plan that pulled them. */
  readonly foreignImages: readonly string[];
  /** Folders that were made for the command on PATH, the innermost first. Absolute. */
  readonly foldersMade: readonly string[];
}

/** What the journals of ended plans say was there before. */
export async function observeReceipts(root: string): Promise<Receipts> {
  const present = new Map<string, boolean>();
  const made: string[] = [];
  for (const { head, started } of await readHistory(root)) {
    for (const [index, saved] of started) {
      const kind = head.plan.steps[index]?.kind;
      if (kind === 'put-launcher') made.push(...parseList(saved.created ?? [], 'saved.created', parseText));
      if (kind !== 'pull-images') continue;
      for (const [reference, there] of Object.entries(parseMap(saved.present ?? {}, 'saved.present', parseFlag)))
        if (!present.has(reference)) present.set(reference, there);
    }
  }
  return { foreignImages: [...present].filter(([, there]) => there).map(([reference]) => reference), foldersMade: made };
}

/** The networks of a compose project, by the engine's names. */
export async function observeNetworks(world: World, root: string, project: string): Promise<string[]> {
  return listNetworks({ world, root }, project);
}

/** Which of these images containers of other projects use: reference → a container's name. */
export async function observeImageUsers(
  world: World,
  root: string,
  { project, references }: { readonly project: string; readonly references: readonly string[] },
): Promise<Map<string, string>> {
  const engine = { world, root };
  const others = (await listAllContainers(engine)).filter((each) => each.project !== project);
  const users = new Map<string, string>();
  if (others.length === 0) return users;
  for (const [reference, id] of await imageIds(engine, references)) {
    const user = others.find((each) => each.imageId === id);
    if (user !== undefined) users.set(reference, user.name);
  }
  return users;
}

/** The product's local image tags that no container of another project needs: a second install of the product has the same ones. */
export async function observeUnsharedImages(
  world: World,
  root: string,
  { product, project }: { readonly product: string; readonly project: string },
): Promise<string[]> {
  const references = await observeLocalImages(world, root, product);
  const users = await observeImageUsers(world, root, { project, references });
  return references.filter((reference) => !users.has(reference));
}

/** What former work left below `.slipway`, relative to the root: entries of kept releases, downloads, and programs other than this one. */
export async function observeLeftovers(root: string, program: string): Promise<{ pristine: string[]; others: string[] }> {
  const releases = '.slipway/releases';
  const pristine: string[] = [];
  for (const version of await listNames(join(root, releases)))
    for (const name of await listNames(join(root, releases, version))) pristine.push(`${releases}/${version}/${name}`);
  const names = await listNames(stateFolder(root));
  const operators = (await listNames(operatorsFolder(root))).filter((name) => name !== program).map((name) => `.slipway/operators/${name}`);
  return {
    pristine,
    others: [
      ...['backup-failure.json', 'cache', 'log', 'runtime'].filter((name) => names.includes(name)).map((name) => `.slipway/${name}`),
      ...operators,
    ],
  };
}

/** Oldest first; a journal that nobody can read any more says nothing. */
async function readHistory(root: string): Promise<JournalState[]> {
  const folder = join(stateFolder(root), 'history');
  const found: JournalState[] = [];
  for (const name of await listNames(folder)) {
    const state = parseJournal(wholeLines((await readTextIfThere(join(folder, name), MOST_JOURNAL)) ?? ''), name);
    if (state !== undefined) found.push(state);
  }
  return found.sort((a, b) => (a.head.at < b.head.at ? -1 : 1));
}

const MOST_JOURNAL = 256 * 1024 * 1024;
