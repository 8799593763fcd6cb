// What becomes of the files that the person and the new release both changed. Rule: only reads; every choice is the person's, and what is merged by itself loses nothing.
import { resolve } from 'node:path';
import { type Choices, choiceFor, refuseIdleChoices } from '../model/conflict-choice.ts';
import { mergeContent, WHOLE } from '../model/content-merge.ts';
import { type Digest, digestOf } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { InstallFacts } from '../model/facts.ts';
import type { FileMerge } from '../model/file-merge.ts';
import { pristineFolder } from '../model/layout.ts';
import type { Manifest, ManifestFile } from '../model/manifest.ts';
import { releaseOnSite } from '../model/mixed.ts';
import type { Content } from '../model/plan.ts';
import { settingsValues } from '../model/settings.ts';
import { COMPOSE_FILE, siteRegistry } from '../model/site-registry.ts';
import { factOfFile, readBytesIfThere } from '../world/disk.ts';

export interface MergesWish {
  readonly install: InstallFacts;
  readonly target: Manifest;
  /** The contents of its files. */
  readonly theirs: ReadonlyMap<Digest, Content>;
  /** The files that both sides changed. */
  readonly paths: readonly string[];
  readonly choices: Choices;
}

export interface Merges {
  readonly merges: ReadonlyMap<string, FileMerge>;
  readonly contents: readonly (readonly [Digest, Content])[];
}

/** Bytes: larger files are one piece. */
const LARGEST = 1024 * 1024;

/** Merges each of the files, or says where it cannot be. Throws E_USAGE for choices about other files, E_NOT_FOUND for a merged file that is not there. */
export async function observeMerges(wish: MergesWish): Promise<Merges> {
  refuseIdleChoices(wish.choices, wish.paths);
  const merges = new Map<string, FileMerge>();
  const contents: (readonly [Digest, Content])[] = [];
  for (const path of wish.paths) {
    const { merge, content } = await mergeOne(path, wish);
    merges.set(path, merge);
    if (merge.kind === 'merged' && content !== undefined) contents.push([merge.content, content]);
  }
  return { merges, contents };
}

interface OneMerge {
  readonly merge: FileMerge;
  readonly content?: Content;
}

async function mergeOne(path: string, wish: MergesWish): Promise<OneMerge> {
  const choice = choiceFor(wish.choices, path);
  if (typeof choice === 'object') return mergedByHand(path, choice.file);
  const texts = await textsOf(path, wish);
  if (texts === undefined) return { merge: choice === undefined ? { kind: 'conflict', conflicts: [WHOLE] } : { kind: choice } };
  const { text, conflicts } = mergeContent(texts, choice);
  if (conflicts.length > 0) return { merge: { kind: 'conflict', conflicts } };
  return { merge: { kind: 'merged', content: digestOf(text) }, content: { text } };
}

async function mergedByHand(path: string, file: string): Promise<OneMerge> {
  const fact = await factOfFile(resolve(file));
  if (fact !== undefined && fact.mode !== 0) return { merge: { kind: 'merged', content: fact.digest }, content: { file: resolve(file) } };
  throw new ToolError('E_NOT_FOUND', `${file}, which --on-conflict names for ${path}, is no file`, {
    hint: 'Name a file that holds what you merged, or write mine or vendor.',
  });
}

interface Texts {
  readonly base: string | undefined;
  readonly mine: string;
  readonly theirs: string;
}

/** Undefined for what is no text, is too large, or is gone on one side: such a file is one piece. */
async function textsOf(path: string, { install, target, theirs: contents }: MergesWish): Promise<Texts | undefined> {
  const [old, theirs] = [install.manifest, target].map(({ files }) => files.find((file) => file.path === path));
  const fact = install.files.get(path);
  if (theirs === undefined || fact === undefined || fact.mode === 0) return undefined;
  const content = contents.get(theirs.sha256);
  const [base, mine, its] = await Promise.all([
    old === undefined ? undefined : readShipped(install, old),
    readPlainText(`${install.root}/${path}`),
    content === undefined || 'text' in content ? content?.text : readPlainText(content.file),
  ]);
  return mine === undefined || its === undefined || (old !== undefined && base === undefined) ? undefined : { base, mine, theirs: its };
}

/** A file of the installed release as this site got it: the compose file with the site's own registry, and with images of other releases. */
export async function readShipped(
  { root, record, shipped, settings }: InstallFacts,
  { path, sha256 }: ManifestFile,
): Promise<string | undefined> {
  const place = `${root}/${pristineFolder(record.version)}/${path}`;
  if (path !== COMPOSE_FILE || shipped === undefined) return readPlainText(place, sha256);
  const text = (await readPlainText(place)) ?? '';
  const registry = siteRegistry(shipped, settingsValues(settings, shipped.env), record.registry);
  const { compose } = releaseOnSite(shipped, text, { ...record, registry });
  return compose === undefined ? readPlainText(place, sha256) : compose.digest === sha256 ? compose.text : undefined;
}

/** A file that is text and not too large, and has that digest where one is given; undefined for every other. */
export async function readPlainText(path: string, digest?: Digest): Promise<string | undefined> {
  const fact = await factOfFile(path);
  if (fact === undefined || fact.size > LARGEST || (digest !== undefined && fact.digest !== digest)) return undefined;
  const bytes = await readBytesIfThere(path, LARGEST);
  const text = bytes?.toString('utf8') ?? '';
  return bytes === undefined || text.includes('\0') || !Buffer.from(text).equals(bytes) ? undefined : text;
}
