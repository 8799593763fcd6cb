// Which files of an install change. Rule: three versions of each are compared; what a person changed is never overwritten, and a conflict stops before anything changes.
import type { Digest } from '../model/digest.ts';
import { ToolError } from '../model/error.ts';
import type { FileFact, InstallFacts } from '../model/facts.ts';
import { mergeFile } from '../model/file-merge.ts';
import type { Manifest, ManifestFile } from '../model/manifest.ts';
import type { FileAfter, FileToWrite } from '../model/plan.ts';

export interface FilesWish {
  /** The manifest that is installed; undefined at a first install. */
  readonly old: Manifest | undefined;
  readonly target: Manifest;
  /** What is on disk now. */
  readonly found: ReadonlyMap<string, FileFact>;
  /** Files of the old release that were never here: as far as they still are not, they are new. */
  readonly neverHere?: readonly string[];
}

export interface FilesDecision {
  /** Every file of the release as it will be, the person's own versions included: the tree that is staged and validated. */
  readonly staged: readonly FileToWrite[];
  /** Those that differ from what is on disk. */
  readonly swapped: readonly FileAfter[];
  /** Files whose local change stays. */
  readonly kept: readonly string[];
  /** Those among them that the person replaced by a link: a link has no content to stage. */
  readonly linked: readonly string[];
}

/** Decides for every file of both releases. Throws E_CONFLICT naming all files that both sides changed. */
export function decideFiles(wish: FilesWish): FilesDecision {
  const old = byPath(wish.old, (path) => wish.found.get(path) === undefined && wish.neverHere?.includes(path) === true);
  const target = byPath(wish.target);
  const staged: FileToWrite[] = [];
  const swapped: FileAfter[] = [];
  const kept: string[] = [];
  const linked: string[] = [];
  const conflicts: string[] = [];
  for (const path of [...new Set([...old.keys(), ...target.keys()])].sort()) {
    const mine = wish.found.get(path);
    const theirs = target.get(path);
    const decision = decideOne(old.get(path), mine, theirs);
    if (decision === 'conflict') conflicts.push(path);
    else if (decision === 'remove') swapped.push({ path, content: null, mode: 0 });
    else if (decision === 'keep') {
      if (target.get(path)?.owner !== 'user' && old.get(path)?.owner !== 'user') kept.push(path);
      if (mine !== undefined && mine.mode === 0) linked.push(path);
      else if (mine !== undefined) staged.push({ path, content: mine.digest, mode: mine.mode });
    } else if (theirs !== undefined) {
      const file = { path, content: theirs.sha256, mode: modeOf(theirs) };
      staged.push(file);
      if (decision !== 'same' || mine?.mode !== file.mode) swapped.push(file);
    }
  }
  if (conflicts.length > 0) throw inConflict(conflicts);
  return { staged, swapped, kept, linked };
}

type Decision = ReturnType<typeof mergeFile>;

function decideOne(old: ManifestFile | undefined, mine: FileFact | undefined, theirs: ManifestFile | undefined): Decision {
  // The person's own files: shipped once, never touched again, not even when the vendor stops shipping them.
  const theirOwn = theirs?.owner === 'user' || (theirs === undefined && old?.owner === 'user');
  if (theirOwn) return old === undefined && mine === undefined ? 'add' : 'keep';
  return mergeFile({ base: old?.sha256, mine: mine?.digest, theirs: theirs?.sha256 });
}

/** Local changes of an install, for `status` and `diff`: what was edited, removed or made unreadable against its release. */
export function localEdits({
  manifest,
  files,
  record,
}: Pick<InstallFacts, 'manifest' | 'files' | 'record'>): { path: string; change: 'edited' | 'removed' | 'mode' }[] {
  const edits: { path: string; change: 'edited' | 'removed' | 'mode' }[] = [];
  for (const file of manifest.files) {
    if (file.owner === 'user') continue;
    const mine = files.get(file.path);
    if (mine === undefined) {
      if (record.adopted?.missing.includes(file.path) !== true) edits.push({ path: file.path, change: 'removed' });
    } else if (mine.digest !== file.sha256) edits.push({ path: file.path, change: 'edited' });
    else if (mine.mode !== modeOf(file)) edits.push({ path: file.path, change: 'mode' });
  }
  return edits;
}

/** The files of an install that a backup holds: the release's as they are on disk, the settings, the override and the record. */
export function filesToBackUp({ files }: Pick<InstallFacts, 'files'>): string[] {
  return [...new Set([...files.keys(), '.slipway/install.json'])];
}

/** The content of a manifest's files that a plan will need. */
export function contentsNeeded(files: readonly { readonly content: Digest | null }[]): Digest[] {
  return [...new Set(files.flatMap((file) => file.content ?? []))];
}

function byPath(manifest: Manifest | undefined, isLeftOut: (path: string) => boolean = () => false): ReadonlyMap<string, ManifestFile> {
  return new Map(manifest?.files.filter(({ path }) => !isLeftOut(path)).map((file) => [file.path, file]));
}

function modeOf(file: ManifestFile): number {
  return Number.parseInt(file.mode, 8);
}

function inConflict(paths: readonly string[]): ToolError {
  return new ToolError('E_CONFLICT', `you and the new release both changed: ${paths.join(', ')}`, {
    hint: 'Nothing was changed. Move your change out of the way (docker-compose.override.yml, or .env), or put the shipped file back, then try again.',
    details: { files: paths.map((path) => ({ path, change: 'both', conflict: true })) },
  });
}
